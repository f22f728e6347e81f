//! Time since the start of a run.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A clock that all threads share.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    origin_ms: i64,
}

impl Clock {
    /// A run that starts at `origin`, which may lie ahead.
    pub fn starting(origin: Instant) -> Self {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64;
        let ahead = origin.saturating_duration_since(Instant::now()).as_millis() as i64;
        Clock { origin, origin_ms: since_1970 + ahead }
    }

    /// Since the start, in ns; 0 before it.
    pub fn now_ns(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64
    }

    /// A time since the start, in ms since 1970.
    pub fn wall_ms(&self, now_ns: u64) -> i64 {
        self.origin_ms + (now_ns / 1_000_000) as i64
    }
}
