//! A line of those who wait for room: whoever comes first is served first. Without it the short batches that come
//! would take each bit of room that is made, and a long one would wait for ever.

use std::cell::Cell;

use tokio::sync::{Mutex, MutexGuard};

/// See the module.
#[derive(Default)]
pub(super) struct Line {
    front: Mutex<()>,
    standing: Cell<usize>,
}

/// The front of the line; whoever holds it is the only one to take room. The next one gets it when it is dropped.
pub(super) struct Front<'a> {
    _place: Place<'a>,
    _front: MutexGuard<'a, ()>,
}

/// Somebody in the line, also at its front.
struct Place<'a>(&'a Line);

impl Line {
    /// How many stand in line, the one at the front among them.
    pub(super) fn len(&self) -> usize {
        self.standing.get()
    }

    /// Waits for the front, behind all who stand there. Dropping the future leaves the line.
    pub(super) async fn front(&self) -> Front<'_> {
        self.standing.set(self.standing.get() + 1);
        let place = Place(self);
        Front { _front: self.front.lock().await, _place: place }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.standing.set(self.0.standing.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn who_comes_first_is_at_the_front_first_and_who_leaves_is_passed_over() {
        let line = Line::default();
        let first = line.front().now_or_never().expect("nobody is there");
        let mut second = Box::pin(line.front());
        let mut third = Box::pin(line.front());
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        assert_eq!(line.len(), 3);
        drop(second);
        assert_eq!(line.len(), 2);
        drop(first);
        let third = third.now_or_never().expect("the second has left");
        assert!(line.front().now_or_never().is_none());
        drop(third);
        assert_eq!(line.len(), 0);
        assert!(line.front().now_or_never().is_some());
    }
}
