//! Warnings that whoever reaches the cluster port can cause: they come no more often than somebody reads them.

use std::sync::{Mutex, PoisonError};

use crate::base::limits::LINK_REFUSAL_WARNING_MS;
use crate::runtime::tokio::Stopwatch;

#[derive(Debug, Default)]
struct Told {
    /// Since the last one.
    since: Option<Stopwatch>,
    left_out: u64,
}

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Warnings(Mutex<Told>);

impl Warnings {
    /// Whether this one is to be told; with the number of those that were left out before it.
    pub fn turn(&self) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.since.is_some_and(|since| since.elapsed_ms() < LINK_REFUSAL_WARNING_MS) {
            told.left_out += 1;
            return None;
        }
        told.since = Some(Stopwatch::start());
        Some(std::mem::take(&mut told.left_out))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::runtime::tokio::{run_in_virtual_time, sleep};

    #[test]
    fn few_are_told_and_the_rest_is_counted() {
        run_in_virtual_time(async {
            let warnings = Warnings::default();
            assert_eq!(warnings.turn(), Some(0));
            assert_eq!((warnings.turn(), warnings.turn()), (None, None));
            sleep(Duration::from_millis(LINK_REFUSAL_WARNING_MS)).await;
            assert_eq!((warnings.turn(), warnings.turn()), (Some(2), None));
        });
    }
}
