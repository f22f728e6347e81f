//! How long this node may act as a leader without a word from the controller. A leader that was cut off does not know
//! that another one was elected; when its lease has run out it may have been, and what it would read to clients may
//! be older than what they have seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const FOR_EVER: u64 = u64::MAX;

/// See the module. Clones speak of the same lease: control renews it, the shards look at it.
#[derive(Clone, Debug)]
pub struct Lease {
    /// By the clock, in ms.
    until_ms: Arc<AtomicU64>,
    /// Of the process, so that all threads read the same; it never goes back.
    clock_ms: fn() -> u64,
}

impl Lease {
    /// That of a node on its own, which nobody can take.
    pub fn endless() -> Self {
        Lease { until_ms: Arc::new(AtomicU64::new(FOR_EVER)), clock_ms: || 0 }
    }

    /// One that has not begun, by this clock: the process's, on a real machine.
    pub fn new(clock_ms: fn() -> u64) -> Self {
        Lease { until_ms: Arc::new(AtomicU64::new(0)), clock_ms }
    }

    /// The controller has answered what was asked at `asked_ms` by the lease's clock: for so long from then on it elects
    /// nobody in this node's place.
    pub fn renew(&self, asked_ms: u64, lasts_ms: u64) {
        self.until_ms.fetch_max(asked_ms.saturating_add(lasts_ms), Ordering::Relaxed);
    }

    /// Now, by the lease's clock.
    pub fn now_ms(&self) -> u64 {
        (self.clock_ms)()
    }

    /// Whether it runs now.
    pub fn holds(&self) -> bool {
        let until_ms = self.until_ms.load(Ordering::Relaxed);
        until_ms == FOR_EVER || (self.clock_ms)() < until_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lasts_from_when_it_was_asked_for() {
        let lease = Lease::new(|| 100);
        assert!(!lease.holds());
        lease.renew(40, 60);
        assert!(!lease.holds(), "it has just run out");
        lease.renew(41, 60);
        lease.renew(0, 60);
        assert!(lease.holds(), "an older answer takes nothing away");
        assert!(Lease::endless().holds());
    }
}
