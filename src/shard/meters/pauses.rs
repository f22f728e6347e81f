//! Connections that have to wait, and for what.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use crate::base::meter::Counter;
use crate::runtime::Runtime;

/// What a connection waits for before it goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PauseReason {
    /// It has as many requests or bytes in flight as it may, or a request before it must be answered first.
    InFlight,
    /// The memory of produce requests, or of others, is used up.
    Requests,
    /// The memory of records that are not durable yet is used up.
    Undurable,
    /// Journal, memory for tails or a segment file have no room for a batch.
    Room,
    /// The memory of fetch responses, or of others, is used up.
    Responses,
    /// Another shard's mailbox is full.
    Mailbox,
}

impl PauseReason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [PauseReason; 6] = [
        PauseReason::InFlight,
        PauseReason::Requests,
        PauseReason::Undurable,
        PauseReason::Room,
        PauseReason::Responses,
        PauseReason::Mailbox,
    ];

    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            PauseReason::InFlight => "in_flight",
            PauseReason::Requests => "requests",
            PauseReason::Undurable => "undurable",
            PauseReason::Room => "room",
            PauseReason::Responses => "responses",
            PauseReason::Mailbox => "mailbox",
        }
    }
}

/// The pauses for one reason.
#[derive(Default, Debug)]
struct Meter {
    begun: Counter,
    /// Connections that wait now, and the sum of the times when they began to.
    paused: Cell<u64>,
    began: Cell<Duration>,
    /// The time of all pauses that have ended.
    ended: Cell<Duration>,
}

/// See the module.
#[derive(Default, Debug)]
pub struct Pauses([Meter; 6]);

impl Pauses {
    /// Awaits a future; if it is not ready at once, the connection counts as paused until it is, or is dropped.
    pub async fn during<T>(
        &self,
        reason: PauseReason,
        runtime: &dyn Runtime,
        future: impl Future<Output = T>,
    ) -> T {
        let mut future = pin!(future);
        if let std::task::Poll::Ready(output) = futures_util::poll!(future.as_mut()) {
            return output;
        }
        let _pause = Pause::begin(&self.0[reason as usize], runtime);
        future.await
    }

    /// Pauses that have begun so far, connections that are paused now, and the time of all pauses up to `now`.
    pub fn read(&self, reason: PauseReason, now: Duration) -> (u64, u64, Duration) {
        let meter = &self.0[reason as usize];
        let paused = meter.paused.get();
        let lasting = now.saturating_mul(u32::try_from(paused).unwrap_or(u32::MAX));
        (meter.begun.get(), paused, meter.ended.get() + lasting.saturating_sub(meter.began.get()))
    }
}

struct Pause<'a> {
    meter: &'a Meter,
    runtime: &'a dyn Runtime,
    began: Duration,
}

impl<'a> Pause<'a> {
    fn begin(meter: &'a Meter, runtime: &'a dyn Runtime) -> Self {
        let began = runtime.now();
        meter.begun.increment();
        meter.paused.set(meter.paused.get() + 1);
        meter.began.set(meter.began.get() + began);
        Pause { meter, runtime, began }
    }
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        let meter = self.meter;
        meter.paused.set(meter.paused.get() - 1);
        meter.began.set(meter.began.get() - self.began);
        meter.ended.set(meter.ended.get() + self.runtime.now().saturating_sub(self.began));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::runtime::sim::SimWorld;

    #[test]
    fn only_who_has_to_wait_counts_and_also_while_waiting() {
        const REASON: PauseReason = PauseReason::Room;
        let world = SimWorld::new(1);
        let runtime = world.runtime();
        let pauses = Pauses::default();
        let second = Duration::from_secs(1);
        world
            .block_on(async {
                pauses.during(REASON, &*runtime, async {}).await;
                assert_eq!(pauses.read(REASON, runtime.now()), (0, 0, Duration::ZERO));
                let mut first = Box::pin(pauses.during(REASON, &*runtime, std::future::pending::<()>()));
                assert!(first.as_mut().now_or_never().is_none());
                runtime.sleep(second).await;
                let (begun, paused, time) = pauses.read(REASON, runtime.now());
                assert_eq!((begun, paused), (1, 1));
                assert!(time >= second, "{time:?}");
                pauses.during(REASON, &*runtime, runtime.sleep(second)).await;
                drop(first);
                let (begun, paused, time) = pauses.read(REASON, runtime.now());
                assert_eq!((begun, paused), (2, 0));
                assert!(time >= 3 * second, "{time:?}");
                runtime.sleep(second).await;
                assert_eq!(pauses.read(REASON, runtime.now()).2, time);
                assert_eq!(pauses.read(PauseReason::Mailbox, runtime.now()), (0, 0, Duration::ZERO));
            })
            .expect("nothing crashes");
    }
}
