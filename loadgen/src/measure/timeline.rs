//! The parts of a run: warm-up, the window that is measured, and the drain behind it. Pure.

use std::time::Duration;

/// Which times belong to what, in ns since the start of the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeline {
    /// The window's first moment.
    pub start_ns: u64,
    /// The first moment after the window.
    pub end_ns: u64,
    /// Length of an interval.
    pub interval_ns: u64,
}

impl Timeline {
    /// A window of `duration` after `warmup`, in intervals of a second.
    pub fn new(warmup: Duration, duration: Duration) -> Self {
        let start_ns = warmup.as_nanos() as u64;
        Timeline { start_ns, end_ns: start_ns + duration.as_nanos() as u64, interval_ns: 1_000_000_000 }
    }

    /// Whether something that was meant for this time is measured.
    pub fn is_measured(&self, at_ns: u64) -> bool {
        (self.start_ns..self.end_ns).contains(&at_ns)
    }

    /// Intervals in the window; the last one may be shorter than the others.
    pub fn window_intervals(&self) -> u32 {
        (self.end_ns - self.start_ns).div_ceil(self.interval_ns) as u32
    }

    /// The interval of a time; `None` in the warm-up. Those behind the window start anew at its end.
    pub fn interval(&self, at_ns: u64) -> Option<u32> {
        if at_ns < self.start_ns {
            None
        } else if at_ns < self.end_ns {
            Some(((at_ns - self.start_ns) / self.interval_ns) as u32)
        } else {
            Some(self.window_intervals() + ((at_ns - self.end_ns) / self.interval_ns) as u32)
        }
    }

    /// An interval's start and length, in seconds from the window's start.
    pub fn span_s(&self, interval: u32) -> (f64, f64) {
        let window = self.window_intervals();
        let window_ns = self.end_ns - self.start_ns;
        let (start, length) = if interval < window {
            let start = u64::from(interval) * self.interval_ns;
            (start, self.interval_ns.min(window_ns - start))
        } else {
            (window_ns + u64::from(interval - window) * self.interval_ns, self.interval_ns)
        };
        (start as f64 / 1e9, length as f64 / 1e9)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn intervals_end_with_the_window() {
        let timeline = Timeline::new(Duration::from_secs(2), Duration::from_millis(2500));
        let at = |seconds: f64| timeline.interval((seconds * 1e9) as u64);
        assert_eq!(
            [at(1.9), at(2.0), at(3.5), at(4.4), at(4.5), at(5.5)].map(|it| it.map(i64::from)),
            [None, Some(0), Some(1), Some(2), Some(3), Some(4)]
        );
        assert_eq!(
            [timeline.span_s(1), timeline.span_s(2), timeline.span_s(3)],
            [(1.0, 1.0), (2.0, 0.5), (2.5, 1.0)]
        );
    }

    proptest! {
        #[test]
        fn every_time_lies_in_the_span_of_its_interval(warmup_ms in 0u64..5000, ms in 1u64..9000, at_ms in 0u64..20_000) {
            let timeline = Timeline::new(Duration::from_millis(warmup_ms), Duration::from_millis(ms));
            match timeline.interval(at_ms * 1_000_000) {
                None => prop_assert!(at_ms < warmup_ms),
                Some(interval) => {
                    let (start, length) = timeline.span_s(interval);
                    let at = (at_ms - warmup_ms) as f64 / 1e3;
                    prop_assert!(at > start - 1e-6 && at < start + length + 1e-6);
                }
            }
        }
    }
}
