//! The phases of a shard's life, which everything that runs on it watches.

use std::rc::Rc;

use tokio::sync::watch;

/// How far a shard's stop has come. Phases only follow each other in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Phase {
    /// Requests are served.
    Serving,
    /// No new connections and no new requests; those in flight are answered, parked ones at once.
    Draining,
    /// Everything ends now.
    Stopped,
}

/// The present phase, to be advanced by one and watched by many.
#[derive(Clone)]
pub struct Phases(Rc<watch::Sender<Phase>>);

impl Default for Phases {
    fn default() -> Self {
        Phases(Rc::new(watch::Sender::new(Phase::Serving)))
    }
}

impl Phases {
    /// The present phase.
    pub fn current(&self) -> Phase {
        *self.0.borrow()
    }

    /// Enters a phase, unless a later one has begun.
    pub fn enter(&self, phase: Phase) {
        self.0.send_if_modified(|current| {
            let later = phase > *current;
            *current = phase.max(*current);
            later
        });
    }

    /// Completes when `phase` or a later one has begun.
    pub async fn reached(&self, phase: Phase) {
        let mut receiver = self.0.subscribe();
        // The sender is held by `self`.
        let _ = receiver.wait_for(|current| *current >= phase).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn phases_only_go_on() {
        let phases = Phases::default();
        let mut drained = Box::pin(phases.reached(Phase::Draining));
        assert!(drained.as_mut().now_or_never().is_none());
        phases.enter(Phase::Stopped);
        phases.enter(Phase::Draining);
        assert!(drained.now_or_never().is_some());
        assert_eq!(phases.current(), Phase::Stopped);
    }
}
