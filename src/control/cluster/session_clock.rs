//! The time by which the controller judges who is silent: that in which it could hear.

use crate::base::limits::CONTROLLER_DEAF_MS_MAX;

/// Stands still, but for a little, while the controller does not listen: its thread gets no CPU, a write of its own is not
/// answered by a busy disk, or a proposal is not committed. The heartbeats of that time wait unread, so without this the end
/// of a pause would fence all nodes at once, the controller's own too. That it goes slower than the clocks of nodes is safe:
/// nodes stop to lead by their own (`NODE_LEASE_MS`).
#[derive(Default)]
pub struct SessionClock {
    looked_at_ms: u64,
    listened_ms: u64,
}

impl SessionClock {
    /// The controller listens now, at `now_ms` of a clock that does not go back; the time of sessions, in ms.
    pub fn listen(&mut self, now_ms: u64) -> u64 {
        let passed_ms = now_ms.saturating_sub(self.looked_at_ms);
        self.looked_at_ms = now_ms;
        self.listened_ms += passed_ms.min(CONTROLLER_DEAF_MS_MAX);
        self.listened_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::NODE_SESSION_TIMEOUT_MS;

    #[test]
    fn time_passes_while_the_controller_listens_and_hardly_any_while_it_does_not() {
        let mut clock = SessionClock::default();
        let begun_ms = clock.listen(1_000_000);
        let mut now_ms = 1_000_000;
        for _ in 0..10 {
            now_ms += 50;
            clock.listen(now_ms);
        }
        assert_eq!(clock.listen(now_ms), begun_ms + 500);
        now_ms += 10 * NODE_SESSION_TIMEOUT_MS;
        assert_eq!(
            clock.listen(now_ms),
            begun_ms + 500 + CONTROLLER_DEAF_MS_MAX,
            "nobody's session has ended"
        );
    }
}
