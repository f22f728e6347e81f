//! Reports of changes: partitions mark what somebody fetches of them, and who fetches looks at what is marked.
//!
//! A watch lasts as long as its request or session, so a partition that has something new costs its watchers one
//! look at it, however many other partitions they watch. Marks coalesce: a slot that is marked is not marked again
//! before it was taken, so nobody waits and nothing grows. Partitions of other shards mark across threads.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, Weak};

use tokio::sync::Notify;

use super::partitions::{Offsets, Slot};
use crate::base::ids::PartitionId;

/// A partition to watch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watched {
    /// Its number where it is fetched.
    pub slot: Slot,
    /// The partition.
    pub id: PartitionId,
    /// What was seen of it: it is marked at once if it has other offsets already.
    pub seen: Offsets,
}

/// See the module.
#[derive(Default)]
pub struct Watch {
    marks: Mutex<Marks>,
    marked: Notify,
}

#[derive(Default)]
struct Marks {
    /// All slots that are watched, and whether each is marked.
    slots: HashMap<Slot, bool>,
    marked: Vec<Slot>,
}

impl Watch {
    /// Takes reports on a slot from now on.
    pub fn add(&self, slot: Slot) {
        self.marks().slots.entry(slot).or_insert(false);
    }

    /// Takes no more reports on a slot.
    pub fn remove(&self, slot: Slot) {
        self.marks().slots.remove(&slot);
    }

    /// The partition in a slot has something new. `false` if that is of no interest any more.
    pub fn mark(&self, slot: Slot) -> bool {
        let is_first = {
            let mut marks = self.marks();
            match marks.slots.get_mut(&slot) {
                None => return false,
                Some(is_marked) if *is_marked => return true,
                Some(is_marked) => *is_marked = true,
            }
            marks.marked.push(slot);
            marks.marked.len() == 1
        };
        if is_first {
            self.marked.notify_waiters();
        }
        true
    }

    /// The slots that were marked since the last time, in order.
    pub fn take(&self) -> Vec<Slot> {
        let mut marks = self.marks();
        let marked = std::mem::take(&mut marks.marked);
        for slot in &marked {
            if let Some(is_marked) = marks.slots.get_mut(slot) {
                *is_marked = false;
            }
        }
        marked
    }

    /// Completes when something is marked.
    pub async fn marked(&self) {
        loop {
            let marked = self.marked.notified();
            if !self.marks().marked.is_empty() {
                return;
            }
            marked.await;
        }
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().expect("nothing panics while it marks")
    }
}

/// Those who watch a partition.
#[derive(Default)]
pub struct Watchers(Vec<(Weak<Watch>, Slot)>);

impl Watchers {
    /// Adds a watcher, or gives one that is there another slot. Those that are gone are dropped.
    pub fn add(&mut self, watch: &Weak<Watch>, slot: Slot) {
        self.0.retain(|(other, _)| other.strong_count() > 0 && !other.ptr_eq(watch));
        self.0.push((Weak::clone(watch), slot));
    }

    /// Tells all of a change. Those that do not care any more are dropped.
    pub fn tell(&mut self) {
        self.0.retain(|(watch, slot)| watch.upgrade().is_some_and(|watch| watch.mark(*slot)));
    }

    /// How many there are, those that are gone without having been noticed among them.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn marks_coalesce_and_wake() {
        let watch = Watch::default();
        assert!(!watch.mark(1), "not watched");
        watch.add(1);
        watch.add(2);
        let mut marked = Box::pin(watch.marked());
        assert!(marked.as_mut().now_or_never().is_none());
        assert!([2, 1, 2].map(|slot| watch.mark(slot)).iter().all(|is_watched| *is_watched));
        assert!(marked.now_or_never().is_some());
        assert_eq!((watch.take(), watch.take()), (vec![2, 1], vec![]));
        assert!(watch.mark(2) && watch.marked().now_or_never().is_some());
        watch.remove(2);
        assert!(!watch.mark(2));
    }

    #[test]
    fn partitions_do_not_collect_watchers_that_are_gone() {
        let mut watchers = Watchers::default();
        let (first, second) = (Arc::new(Watch::default()), Arc::new(Watch::default()));
        first.add(1);
        second.add(1);
        for _ in 0..10 {
            watchers.add(&Arc::downgrade(&first), 1);
            watchers.add(&Arc::downgrade(&second), 1);
        }
        assert_eq!(watchers.len(), 2);
        drop(first);
        watchers.tell();
        assert_eq!((watchers.len(), second.take()), (1, vec![1]));
        second.remove(1);
        watchers.tell();
        assert_eq!(watchers.len(), 0);
    }
}
