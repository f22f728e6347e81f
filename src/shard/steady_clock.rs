//! The time by which records and producers grow old. The wall clock may step, by hand or by a time server, and a step
//! forward would make everything old at once: records deleted that are still wanted, producers forgotten whose
//! retries would then be appended twice.
//!
//! So age is counted by the earlier of two clocks: the wall clock, and the one that it would be had it not stepped
//! since the start. A clock that stays where a step forward put it is believed in the end. A step back needs no care:
//! things are kept longer.

use std::cell::Cell;
use std::time::Duration;

use super::storage::Storage;
use crate::base::limits::{CLOCK_STEP_HELD_MS, CLOCK_STEP_MS};

const HELD: Duration = Duration::from_millis(CLOCK_STEP_HELD_MS);

/// The step forward that is not believed yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Step {
    /// When it was noticed, since an arbitrary start.
    noticed: Duration,
    /// By how much the wall clock was ahead, in ms.
    ahead_ms: i64,
}

/// See the module. Pure.
#[derive(Default)]
pub(super) struct SteadyClock {
    /// A moment, and the wall clock's time then as it is believed.
    anchor: Cell<Option<(Duration, i64)>>,
    step: Cell<Option<Step>>,
}

impl SteadyClock {
    /// The time in ms since 1970 at a moment `now` at which the wall clock shows `wall_ms`.
    pub(super) fn at(&self, now: Duration, wall_ms: i64) -> i64 {
        let (since, since_ms) = self.anchor.get().unwrap_or((now, wall_ms));
        let passed_ms = i64::try_from(now.saturating_sub(since).as_millis()).unwrap_or(i64::MAX);
        let expected_ms = since_ms.saturating_add(passed_ms);
        let ahead_ms = wall_ms.saturating_sub(expected_ms);
        if ahead_ms <= CLOCK_STEP_MS {
            if self.step.take().is_some() {
                tracing::info!("the clock is back where it was before it stepped");
            }
            // Time servers slew clocks by much less. A clock that went back is followed at once.
            self.anchor.set(Some((now, wall_ms)));
            return wall_ms;
        }
        self.anchor.set(Some((now, expected_ms)));
        let step = self.step.get().filter(|step| step.ahead_ms.abs_diff(ahead_ms) <= CLOCK_STEP_MS as u64);
        let Some(step) = step else {
            tracing::warn!(
                ahead_ms,
                believed_after_ms = CLOCK_STEP_HELD_MS,
                "the clock has stepped forward: until it has stayed there for a day, retention and the expiry of \
                 producers go by the time that has passed; set it right if it is wrong"
            );
            self.step.set(Some(Step { noticed: now, ahead_ms }));
            return expected_ms;
        };
        if now.saturating_sub(step.noticed) < HELD {
            return expected_ms;
        }
        tracing::warn!(ahead_ms, "the clock has stayed where its step put it, and is believed");
        self.step.set(None);
        self.anchor.set(Some((now, wall_ms)));
        wall_ms
    }
}

impl Storage {
    /// The time by which records and producers grow old, in ms since 1970. See the module.
    pub(super) fn steady_ms(&self) -> i64 {
        self.steady_ms_at(self.runtime.wall_clock_ms())
    }

    /// The same for whoever has looked at the wall clock, which shows `wall_ms`.
    pub(super) fn steady_ms_at(&self, wall_ms: i64) -> i64 {
        self.steady_clock.at(self.runtime.now(), wall_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START_MS: i64 = 1_700_000_000_000;
    const HOUR_MS: i64 = 3_600_000;

    /// A clock that was looked at every minute for so many, with the wall clock ahead by `ahead_ms`.
    fn look(clock: &SteadyClock, minutes: std::ops::Range<u64>, ahead_ms: i64) -> i64 {
        let at =
            |minute: u64| (Duration::from_secs(60 * minute), START_MS + minute as i64 * 60_000 + ahead_ms);
        minutes.map(at).map(|(now, wall_ms)| clock.at(now, wall_ms)).last().expect("not empty")
    }

    fn true_ms(minute: i64) -> i64 {
        START_MS + minute * 60_000
    }

    #[test]
    fn a_step_forward_is_believed_when_it_has_lasted() {
        let clock = SteadyClock::default();
        assert_eq!(look(&clock, 0..10, 0), true_ms(9));
        let year_ms = 365 * 24 * HOUR_MS;
        assert_eq!(look(&clock, 10..11, year_ms), true_ms(10));
        let held_minutes = CLOCK_STEP_HELD_MS / 60_000;
        assert_eq!(look(&clock, 11..10 + held_minutes, year_ms), true_ms(9 + held_minutes as i64));
        let believed = 10 + held_minutes;
        assert_eq!(look(&clock, believed..believed + 2, year_ms), true_ms(believed as i64 + 1) + year_ms);
    }

    #[test]
    fn a_step_that_is_taken_back_leaves_nothing_behind() {
        let clock = SteadyClock::default();
        look(&clock, 0..10, 0);
        look(&clock, 10..20, 50 * HOUR_MS);
        assert_eq!(look(&clock, 20..21, 0), true_ms(20));
        // The next one counts from its own beginning.
        let late = 21 + CLOCK_STEP_HELD_MS / 60_000;
        assert_eq!(look(&clock, late..late + 1, 50 * HOUR_MS), true_ms(late as i64));
    }

    #[test]
    fn a_step_that_grows_is_another() {
        let clock = SteadyClock::default();
        look(&clock, 0..1, 0);
        look(&clock, 1..2, 50 * HOUR_MS);
        let late = 1 + CLOCK_STEP_HELD_MS / 60_000;
        assert_eq!(look(&clock, late..late + 1, 99 * HOUR_MS), true_ms(late as i64));
    }

    #[test]
    fn a_step_back_is_followed() {
        let clock = SteadyClock::default();
        look(&clock, 0..10, 0);
        assert_eq!(look(&clock, 10..20, -50 * HOUR_MS), true_ms(19) - 50 * HOUR_MS);
        assert_eq!(
            look(&clock, 20..21, -49 * HOUR_MS),
            true_ms(20) - 50 * HOUR_MS,
            "forward again is a step"
        );
    }

    #[test]
    fn clocks_at_the_ends_of_time_do_not_overflow() {
        let clock = SteadyClock::default();
        for wall_ms in [i64::MIN, i64::MAX, 0, i64::MAX, i64::MIN] {
            clock.at(Duration::MAX, wall_ms);
        }
    }
}
