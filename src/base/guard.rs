//! Panics are caught around taking a client's bytes apart and putting its response together, and nowhere else: what
//! a client sent must not stop the broker, and a defect in code that keeps records must.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread would be caught now. A panic hook that ends the process asks this first.
pub fn is_guarded() -> bool {
    IS_GUARDED.get()
}

/// Runs pure code on a client's bytes; `None` if it panicked. The code shares no state with anything else that
/// goes on.
pub fn guarded<T>(code: impl FnOnce() -> T) -> Option<T> {
    let outer = IS_GUARDED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(code));
    IS_GUARDED.set(outer);
    outcome.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_contained_and_known_to_be() {
        assert!(!is_guarded());
        assert_eq!(guarded(is_guarded), Some(true));
        assert_eq!(guarded(|| std::panic::resume_unwind(Box::new("defect"))), None::<()>);
        assert!(!is_guarded());
    }
}
