//! Operations that have begun and not ended, with the time at which they began. A disk that does not answer is found by
//! looking at the oldest of them now and then, so that no operation needs a timer of its own.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

/// Operations of one kind that are under way. To begin and to end one takes constant time, and memory only when there were
/// never so many at once.
#[derive(Default, Debug)]
pub struct Outstanding(RefCell<Slots>);

#[derive(Default, Debug)]
struct Slots {
    begun: Vec<Option<Begun>>,
    /// Numbers of the slots that are free.
    free: Vec<usize>,
}

/// What an operation is about, and since when it is under way by the runtime's clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Begun {
    /// When it began.
    pub at: Duration,
    /// The file or directory.
    pub path: Rc<Path>,
}

impl Outstanding {
    /// An operation begins; the number under which it ends.
    pub(super) fn begin(&self, begun: Begun) -> usize {
        let slots = &mut *self.0.borrow_mut();
        let slot = slots.free.pop().unwrap_or(slots.begun.len());
        match slots.begun.get_mut(slot) {
            Some(place) => *place = Some(begun),
            None => slots.begun.push(Some(begun)),
        }
        slot
    }

    /// The operation with this number has ended.
    pub(super) fn end(&self, slot: usize) {
        let slots = &mut *self.0.borrow_mut();
        slots.begun[slot].take().expect("an operation ends once");
        slots.free.push(slot);
    }

    /// How many are under way.
    pub fn count(&self) -> usize {
        let slots = self.0.borrow();
        slots.begun.len() - slots.free.len()
    }

    /// The one that began first. Looks at as many as were ever under way at once.
    pub fn oldest(&self) -> Option<Begun> {
        self.0.borrow().begun.iter().flatten().min_by_key(|begun| begun.at).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(seconds: u64) -> Begun {
        Begun { at: Duration::from_secs(seconds), path: Path::new("/file").into() }
    }

    #[test]
    fn the_oldest_is_known_in_whatever_order_they_end() {
        let outstanding = Outstanding::default();
        assert_eq!((outstanding.count(), outstanding.oldest()), (0, None));
        let [first, second, third] = [1, 2, 3].map(|seconds| outstanding.begin(begun(seconds)));
        assert_eq!((outstanding.count(), outstanding.oldest()), (3, Some(begun(1))));
        outstanding.end(second);
        assert_eq!(outstanding.oldest(), Some(begun(1)));
        outstanding.end(first);
        assert_eq!((outstanding.count(), outstanding.oldest()), (1, Some(begun(3))));
        let fourth = outstanding.begin(begun(4));
        assert!([first, second].contains(&fourth), "places are used again");
        outstanding.end(third);
        assert_eq!(outstanding.oldest(), Some(begun(4)));
        outstanding.end(fourth);
        assert_eq!((outstanding.count(), outstanding.oldest()), (0, None));
    }
}
