//! Which records belong to the output, and when it is complete.

use std::collections::BTreeMap;

/// How far each partition is read.
#[derive(Default, Debug)]
pub struct Extent {
    partitions: BTreeMap<i32, Part>,
    has_share: bool,
}

#[derive(Debug)]
struct Part {
    from: i64,
    /// None goes on for ever.
    end: Option<i64>,
    is_done: bool,
}

impl Extent {
    /// All partitions that are ours for now have been added: without any, there is nothing to read.
    pub fn settle(&mut self) {
        self.has_share = true;
    }

    /// A partition is ours, from an offset to before another.
    pub fn add(&mut self, partition: i32, from: i64, end: Option<i64>) {
        let is_done = end.is_some_and(|end| from >= end);
        self.partitions.insert(partition, Part { from, end, is_done });
    }

    /// A partition is no longer ours; a new share will come.
    pub fn remove(&mut self, partition: i32) {
        self.partitions.remove(&partition);
        self.has_share = false;
    }

    /// Whether a record that came belongs to the output.
    pub fn takes(&mut self, partition: i32, offset: i64) -> bool {
        let Some(part) = self.partitions.get_mut(&partition) else { return false };
        let is_within = offset >= part.from && part.end.is_none_or(|end| offset < end);
        part.is_done |= part.end.is_some_and(|end| offset >= end - 1);
        is_within
    }

    /// Everything that is there was read. Where records are missing before the end (compacted, or of a transaction
    /// that was aborted), no record tells so.
    pub fn caught_up(&mut self, partition: i32) {
        if let Some(part) = self.partitions.get_mut(&partition) {
            part.is_done |= part.end.is_some();
        }
    }

    /// Whether nothing more of the partition belongs to the output, whatever still comes of it.
    pub fn is_done(&self, partition: i32) -> bool {
        self.partitions.get(&partition).is_some_and(|part| part.is_done)
    }

    /// The partitions of which something is still to come; none if it is not known yet which are ours.
    pub fn awaited(&self) -> Option<Vec<i32>> {
        let parts = self.partitions.iter().filter(|(_, part)| !part.is_done);
        self.has_share.then(|| parts.map(|(partition, _)| *partition).collect())
    }

    /// Whether nothing more belongs to the output.
    pub fn is_complete(&self) -> bool {
        self.has_share && self.partitions.values().all(|part| part.is_done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_complete_at_what_was_the_end() {
        let mut extent = Extent::default();
        assert!(!extent.is_complete());
        extent.add(0, 5, Some(7));
        extent.add(1, 3, Some(3));
        extent.settle();
        assert!(!extent.is_complete());
        assert!(!extent.takes(0, 4), "asked for offset 5, and the reader begins earlier");
        assert!(extent.takes(0, 5) && !extent.is_complete());
        assert!(extent.takes(0, 6) && extent.is_complete());
        assert!(!extent.takes(0, 7) && !extent.takes(1, 3) && !extent.takes(2, 0));
        assert!(extent.is_complete());
    }

    #[test]
    fn gaps_before_the_end() {
        let mut extent = Extent::default();
        extent.add(0, 0, Some(10));
        extent.add(1, 0, Some(10));
        extent.settle();
        assert_eq!(extent.awaited(), Some(vec![0, 1]));
        assert!(extent.takes(0, 4) && !extent.takes(0, 12));
        assert_eq!(extent.awaited(), Some(vec![1]));
        assert!(extent.is_done(0) && !extent.is_done(1));
        assert!(!extent.is_complete());
        extent.caught_up(1);
        assert!(extent.is_complete());
    }

    #[test]
    fn following_never_completes() {
        let mut extent = Extent::default();
        extent.add(0, 2, None);
        extent.settle();
        extent.caught_up(0);
        assert!(extent.takes(0, 1000) && !extent.takes(0, 1) && !extent.is_complete());
    }

    #[test]
    fn between_two_shares_it_waits() {
        let mut extent = Extent::default();
        extent.add(0, 0, Some(1));
        extent.settle();
        assert!(extent.takes(0, 0) && extent.is_complete());
        extent.remove(0);
        assert!(!extent.is_complete() && !extent.takes(0, 0));
        assert_eq!(extent.awaited(), None);
        extent.settle();
        assert!(extent.is_complete(), "others have all partitions");
    }
}
