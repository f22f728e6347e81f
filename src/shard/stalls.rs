//! A disk that does not answer: an operation has begun and does not end.
//!
//! Nothing has failed then, and nobody knows whether anything will, so nothing is given up: who needs the operation
//! waits, and requests end when their own time is up. It is told, so that somebody looks after the disk. No operation
//! has a timer for that. The oldest one that is under way is looked at: once a second for the log, and whenever somebody
//! asks for the shard's health.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;

use super::storage::Storage;
use crate::base::limits::{DISK_SLOW_MS, DISK_STALL_CHECK_MS, DISK_STALL_MS};
use crate::runtime::DiskOperation;

/// How long the oldest operation has been under way, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Delay {
    /// As disks take.
    Usual,
    /// Longer than disks should.
    Slow,
    /// So long that the disk may never answer.
    Stalled,
}

impl Delay {
    fn of(age: Duration) -> Self {
        match age.as_millis() as u64 {
            DISK_STALL_MS.. => Delay::Stalled,
            DISK_SLOW_MS.. => Delay::Slow,
            _ => Delay::Usual,
        }
    }
}

/// What the log has to say when the oldest operation has got so old, after what it has said before; `None` if nothing.
fn news(told: Delay, now: Delay) -> Option<Delay> {
    // One that is less late than what was told is another one, and no better news.
    (now > told || now == Delay::Usual && told != Delay::Usual).then_some(now)
}

impl Storage {
    /// What the disk has not answered for too long, in words, if there is such a thing.
    pub fn stall(&self) -> Option<Arc<str>> {
        let (operation, path, age) = self.oldest_operation()?;
        (Delay::of(age) == Delay::Stalled).then(|| {
            format!(
                "the disk does not answer: a {} operation on {} has been under way for {} s, and what needs it waits",
                operation.name(),
                path.display(),
                age.as_secs()
            )
            .into()
        })
    }

    fn oldest_operation(&self) -> Option<(DiskOperation, Rc<Path>, Duration)> {
        let (operation, begun) = self.disk.oldest()?;
        Some((operation, begun.path, self.runtime.now().saturating_sub(begun.at)))
    }

    /// Logs what the disk does not answer, until the storage stops. A writer that failed ends nothing: there are reads.
    pub async fn watch_stalls(self: Rc<Self>) {
        let mut told = Delay::Usual;
        loop {
            let ended = std::pin::pin!(self.ended.notified());
            if self.is_stopping.get() {
                return;
            }
            select(ended, self.runtime.sleep(Duration::from_millis(DISK_STALL_CHECK_MS))).await;
            let oldest = self.oldest_operation();
            let age = oldest.as_ref().map_or(Duration::ZERO, |oldest| oldest.2);
            if let Some(now) = news(told, Delay::of(age)) {
                told = now;
                log(now, oldest);
            }
        }
    }
}

fn log(delay: Delay, oldest: Option<(DiskOperation, Rc<Path>, Duration)>) {
    let Some((operation, path, age)) = oldest.filter(|_| delay != Delay::Usual) else {
        return tracing::info!("the disk answers again");
    };
    let (operation, path, seconds) = (operation.name(), path.display(), age.as_secs());
    match delay {
        Delay::Stalled => tracing::error!(operation, %path, seconds, "the disk does not answer"),
        _ => tracing::warn!(operation, %path, seconds, "the disk takes long to answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_tells_when_it_gets_worse_and_when_it_is_over() {
        let seconds = [0, 9, 10, 29, 30, 31, 12, 30, 11, 10, 9, 0, 40, 0];
        let mut told = Delay::Usual;
        let mut lines = Vec::new();
        for second in seconds {
            if let Some(now) = news(told, Delay::of(Duration::from_secs(second))) {
                told = now;
                lines.push((second, now));
            }
        }
        let expected = [
            (10, Delay::Slow),
            (30, Delay::Stalled),
            (9, Delay::Usual),
            (40, Delay::Stalled),
            (0, Delay::Usual),
        ];
        assert_eq!(lines, expected);
    }
}
