//! What control's thread waits for may never end: redb's reads, writes and syncs are plain calls, and a disk that does not
//! answer keeps the thread in one of them. Nobody can end that. So the thread notes when it goes to the metadata's
//! database, and whoever asks for the node's health looks how long ago that was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::limits::DISK_STALL_MS;
use crate::runtime::tokio::Stopwatch;

/// A look at what control's thread is at. All clones are of one thread.
#[derive(Clone, Debug)]
pub struct ControlWatch {
    since: Stopwatch,
    /// When what is under way has begun, in ms of `since`, and one more; 0 if nothing is.
    begun: Arc<AtomicU64>,
}

impl ControlWatch {
    pub(super) fn new() -> Self {
        ControlWatch { since: Stopwatch::start(), begun: Arc::default() }
    }

    /// Does what may never end. One at a time: there is one thread.
    pub(super) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        self.begin(self.since.elapsed_ms());
        let result = work();
        self.begun.store(0, Ordering::Release);
        result
    }

    fn begin(&self, now_ms: u64) {
        self.begun.store(now_ms + 1, Ordering::Release);
    }

    /// What has not ended for too long, in words, if there is such a thing.
    pub fn stall(&self) -> Option<String> {
        self.stall_at(self.since.elapsed_ms())
    }

    fn stall_at(&self, now_ms: u64) -> Option<String> {
        let begun_ms = self.begun.load(Ordering::Acquire).checked_sub(1)?;
        let age_ms = now_ms.saturating_sub(begun_ms);
        (age_ms >= DISK_STALL_MS).then(|| {
            format!(
                "control: the disk does not answer: a change of the metadata has been under way for {} s, and what needs \
                 it waits",
                age_ms / 1_000
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_end_is_told_while_it_lasts() {
        let watch = ControlWatch::new();
        assert_eq!(watch.stall_at(u64::MAX), None, "nothing is under way");
        watch.begin(1_000);
        assert_eq!(watch.stall_at(1_000 + DISK_STALL_MS - 1), None);
        let told = watch.clone().stall_at(1_000 + DISK_STALL_MS).expect("it takes too long");
        assert!(told.contains(&format!("for {} s", DISK_STALL_MS / 1_000)), "{told}");
        assert_eq!(watch.during(|| 7), 7);
        assert_eq!(watch.stall_at(u64::MAX), None, "it has ended");
    }

    #[test]
    fn it_is_seen_from_another_thread_while_it_is_under_way() {
        let watch = ControlWatch::new();
        let other = watch.clone();
        let seen = watch.during(|| std::thread::spawn(move || other.stall_at(u64::MAX)).join());
        assert!(seen.expect("no panic").is_some());
    }
}
