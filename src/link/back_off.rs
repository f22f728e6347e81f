//! How long to wait before the next attempt to connect: twice as long each time up to a bound, half of it by chance, so
//! that the peers of a node that comes back do not all come at once.

use crate::base::limits::{LINK_BACK_OFF_MAX_MS, LINK_BACK_OFF_MIN_MS};

/// Milliseconds to wait after this number of attempts in a row that have failed, at least one. `random` is any number.
pub fn back_off_ms(attempts: u32, random: u64) -> u64 {
    let doublings = attempts.saturating_sub(1).min(16);
    jittered((LINK_BACK_OFF_MIN_MS << doublings).min(LINK_BACK_OFF_MAX_MS), random)
}

/// Between half of `ms` and all of it.
pub(super) fn jittered(ms: u64, random: u64) -> u64 {
    let half = ms / 2;
    ms - half + random % (half + 1)
}
