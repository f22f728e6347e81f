//! How far the partitions of `__consumer_offsets` are known, and when one that could not be read is read again.

use std::collections::BTreeMap;

use crate::base::limits::{GROUP_RELOAD_PAUSE_MS, GROUP_RELOAD_PAUSE_MS_MAX};

/// How far a partition is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Knowledge {
    /// Its records are being read for the first time.
    Loading,
    /// All of them are here.
    Complete,
    /// It could not be read: what its groups have committed is not known. It may be being read again.
    Unreadable,
}

#[derive(Clone, Copy, Debug)]
struct Partition {
    knowledge: Knowledge,
    /// How often in a row it could not be read.
    failures: u32,
    /// When it is to be read again, by the moments' clock; `None` while it is.
    retry_at_ms: Option<u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Partitions(BTreeMap<i32, Partition>);

impl Partitions {
    /// How far it is known; `None` if it is none of ours.
    pub fn knowledge(&self, index: i32) -> Option<Knowledge> {
        self.0.get(&index).map(|partition| partition.knowledge)
    }

    /// Whether all of its records are here.
    pub fn is_complete(&self, index: i32) -> bool {
        self.knowledge(index) == Some(Knowledge::Complete)
    }

    /// Those that are known this far.
    pub fn count(&self, knowledge: Knowledge) -> usize {
        self.0.values().filter(|partition| partition.knowledge == knowledge).count()
    }

    /// All of ours.
    pub fn indexes(&self) -> Vec<i32> {
        self.0.keys().copied().collect()
    }

    /// It is being read.
    pub fn begin(&mut self, index: i32) {
        self.enter(index, Knowledge::Loading);
    }

    /// It was read. What is none of ours any more stays so.
    pub fn complete(&mut self, index: i32) {
        if self.0.contains_key(&index) {
            self.enter(index, Knowledge::Complete);
        }
    }

    fn enter(&mut self, index: i32, knowledge: Knowledge) {
        self.0.insert(index, Partition { knowledge, failures: 0, retry_at_ms: None });
    }

    /// It could not be read: it is read again after a pause, which doubles from failure to failure. What is none of ours
    /// any more stays so.
    pub fn fail(&mut self, index: i32, now_ms: u64) {
        let Some(partition) = self.0.get_mut(&index) else { return };
        let pause_ms = GROUP_RELOAD_PAUSE_MS << partition.failures.min(u64::BITS / 2);
        partition.retry_at_ms = Some(now_ms.saturating_add(pause_ms.min(GROUP_RELOAD_PAUSE_MS_MAX)));
        partition.failures = partition.failures.saturating_add(1);
        partition.knowledge = Knowledge::Unreadable;
    }

    /// It is none of ours any more.
    pub fn forget(&mut self, index: i32) {
        self.0.remove(&index);
    }

    /// When one is to be read again next.
    pub fn next_retry_ms(&self) -> Option<u64> {
        self.0.values().filter_map(|partition| partition.retry_at_ms).min()
    }

    /// Takes those that are to be read again now.
    pub fn take_due(&mut self, now_ms: u64) -> Vec<i32> {
        let is_due = |partition: &Partition| partition.retry_at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        let due = self.0.iter_mut().filter(|(_, partition)| is_due(partition));
        due.map(|(index, partition)| {
            partition.retry_at_ms = None;
            *index
        })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_begin_anew_after_a_success() {
        let mut partitions = Partitions::default();
        partitions.begin(3);
        let (mut now_ms, mut pauses) = (0, Vec::new());
        let mut fail_once = |partitions: &mut Partitions| {
            partitions.fail(3, now_ms);
            let due_ms = partitions.next_retry_ms().expect("it is read again");
            assert!(partitions.take_due(due_ms - 1).is_empty());
            assert_eq!(partitions.take_due(due_ms), [3]);
            assert_eq!((partitions.take_due(due_ms), partitions.next_retry_ms()), (vec![], None), "once");
            assert_eq!(partitions.knowledge(3), Some(Knowledge::Unreadable), "until it was read");
            let pause_ms = due_ms - now_ms;
            now_ms = due_ms;
            pause_ms
        };
        (0..100).for_each(|_| pauses.push(fail_once(&mut partitions)));
        let first = GROUP_RELOAD_PAUSE_MS;
        assert_eq!(pauses[..4], [first, 2 * first, 4 * first, 8 * first]);
        assert_eq!((pauses[20], pauses[99]), (GROUP_RELOAD_PAUSE_MS_MAX, GROUP_RELOAD_PAUSE_MS_MAX));
        partitions.complete(3);
        assert!(partitions.is_complete(3));
        assert_eq!(fail_once(&mut partitions), first);
    }

    #[test]
    fn what_comes_of_reading_a_partition_that_went_meanwhile_does_not_bring_it_back() {
        let mut partitions = Partitions::default();
        partitions.begin(3);
        partitions.forget(3);
        partitions.complete(3);
        partitions.fail(3, 0);
        assert_eq!((partitions.knowledge(3), partitions.next_retry_ms()), (None, None));
        assert!(partitions.indexes().is_empty());
    }
}
