//! How fast a client takes what it is sent. One that is slower than its socket's buffers gets its records in small
//! responses: what waits for it is memory that other consumers wait for.

use std::cell::Cell;
use std::time::Duration;

use crate::base::limits::{RESPONSE_PACE_BYTES_MIN, RESPONSE_PACE_MS};

/// One connection's pace.
#[derive(Debug)]
pub struct Pace {
    bytes_max: Cell<usize>,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { bytes_max: Cell::new(usize::MAX) }
    }
}

impl Pace {
    /// Record bytes in the next response at most.
    pub(super) fn bytes_max(&self) -> usize {
        self.bytes_max.get()
    }

    /// Notes that the client took `bytes` in this time. What it takes much faster than it need does not lower its pace.
    pub fn note(&self, bytes: usize, took: Duration) {
        let pace = Duration::from_millis(RESPONSE_PACE_MS);
        let bytes_max = if took > pace {
            (bytes as f64 * pace.as_secs_f64() / took.as_secs_f64()) as usize
        } else {
            self.bytes_max.get().saturating_mul(2)
        };
        self.bytes_max.set(bytes_max.max(RESPONSE_PACE_BYTES_MIN));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_client_gets_small_responses_until_it_is_fast() {
        let pace = Pace::default();
        pace.note(50 << 20, Duration::from_millis(RESPONSE_PACE_MS));
        assert_eq!(pace.bytes_max(), usize::MAX, "fast enough");
        pace.note(50 << 20, Duration::from_millis(10 * RESPONSE_PACE_MS));
        assert_eq!(pace.bytes_max(), 5 << 20);
        pace.note(5 << 20, Duration::from_secs(10_000));
        assert_eq!(pace.bytes_max(), RESPONSE_PACE_BYTES_MIN);
        pace.note(RESPONSE_PACE_BYTES_MIN, Duration::ZERO);
        assert_eq!(pace.bytes_max(), 2 * RESPONSE_PACE_BYTES_MIN);
        for _ in 0..100 {
            pace.note(1, Duration::ZERO);
        }
        assert_eq!(pace.bytes_max(), usize::MAX);
    }
}
