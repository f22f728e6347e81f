//! Clients for which there is no room: counted, and told to the log now and then, as they may be many.

use std::cell::Cell;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use crate::base::limits::REFUSALS_LOG_MS;
use crate::shard::{ConnectionEnd, Shard};

/// See the module.
pub(super) struct Refusals {
    shard: Rc<Shard>,
    connections: Seldom,
    requests: Seldom,
}

/// Says when it is time for a log line again.
#[derive(Default)]
struct Seldom {
    /// By the shard's clock.
    last: Cell<Option<Duration>>,
}

impl Seldom {
    fn is_time(&self, now: Duration) -> bool {
        let pause = Duration::from_millis(REFUSALS_LOG_MS);
        let is_time = self.last.get().is_none_or(|last| now.saturating_sub(last) >= pause);
        if is_time {
            self.last.set(Some(now));
        }
        is_time
    }
}

impl Refusals {
    pub(super) fn new(shard: Rc<Shard>) -> Self {
        Refusals { shard, connections: Seldom::default(), requests: Seldom::default() }
    }

    /// A connection is closed because there are `max` already.
    pub(super) fn connection(&self, peer: SocketAddr, max: usize) {
        self.shard.counters.connection_ends.ended(ConnectionEnd::Refused).increment();
        if self.connections.is_time(self.shard.runtime.now()) {
            let shard = self.shard.id.0;
            tracing::warn!(shard, %peer, max_connections = max, "connection refused: there are too many");
        }
    }

    /// A request is refused because all memory for its like does not hold it.
    pub(super) fn request(&self, client: Option<IpAddr>, why: &dyn Display) {
        self.shard.counters.requests.too_costly.increment();
        if self.requests.is_time(self.shard.runtime.now()) {
            let (shard, client) = (self.shard.id.0, client.map(|address| address.to_string()));
            tracing::warn!(
                shard,
                client,
                "request refused: {why}; a larger `memory`, or fewer shards, would have room for it"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_told_at_once_and_then_after_a_pause() {
        let seldom = Seldom::default();
        let pause_ms = REFUSALS_LOG_MS;
        let times = [0, 1, pause_ms - 1, pause_ms, pause_ms + 1, 2 * pause_ms];
        let told = times.map(|ms| seldom.is_time(Duration::from_millis(ms)));
        assert_eq!(told, [true, false, false, true, false, true]);
    }
}
