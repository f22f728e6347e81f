//! How far a log is appended, synced and committed.
//!
//! ```text
//!   log_start <= high_watermark <= durable_end <= log_end
//!       |  readable    |  synced here   |  in flight |
//! ```
//!
//! Consumers read below the high watermark only. The high watermark never goes back but by a truncation.

use crate::base::ids::Offset;

/// The four offsets of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    log_start: Offset,
    high_watermark: Offset,
    durable_end: Offset,
    log_end: Offset,
}

impl Progress {
    /// A log as recovery finds it: all of it is synced. None where the offsets contradict each other.
    pub fn recovered(log_start: Offset, high_watermark: Offset, log_end: Offset) -> Option<Self> {
        let progress = Progress { log_start, high_watermark, durable_end: log_end, log_end };
        progress.is_ordered().then_some(progress)
    }

    /// The first offset that may be read.
    pub fn log_start(&self) -> Offset {
        self.log_start
    }

    /// The offset below which records are committed and may be read.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// The offset below which records are synced on this node.
    pub fn durable_end(&self) -> Offset {
        self.durable_end
    }

    /// The offset that the next record gets.
    pub fn log_end(&self) -> Offset {
        self.log_end
    }

    /// Records were appended up to `log_end`.
    pub fn append_to(&mut self, log_end: Offset) {
        assert!(log_end > self.log_end);
        self.log_end = log_end;
    }

    /// Records below `end` are synced on this node. Reports of less than is known change nothing.
    pub fn sync_to(&mut self, end: Offset) {
        self.durable_end = self.durable_end.max(end);
        assert!(self.is_ordered(), "synced to {end}: {self:?}");
    }

    /// Moves a leader's high watermark to where all in-sync replicas have synced; says so where it moved.
    pub fn commit(&mut self) -> Option<Offset> {
        let committed = self.in_sync_end();
        if committed <= self.high_watermark {
            return None;
        }
        self.high_watermark = committed;
        assert!(self.is_ordered(), "committed to {committed}: {self:?}");
        Some(committed)
    }

    /// The least synced end among the in-sync replicas. Followers' ends belong here; a node of its own has none.
    fn in_sync_end(&self) -> Offset {
        self.durable_end
    }

    /// Records below `offset`, which lies within the log, are known to be committed.
    pub fn learn_high_watermark(&mut self, offset: Offset) {
        self.high_watermark = self.high_watermark.max(offset);
        assert!(self.is_ordered(), "committed to {offset}: {self:?}");
    }

    /// The log ends at `log_end`, which lies within it. Takes the high watermark along: what is gone cannot be read.
    pub fn truncate_to(&mut self, log_end: Offset) {
        assert!(log_end <= self.log_end);
        self.log_end = log_end;
        self.durable_end = self.durable_end.min(log_end);
        self.high_watermark = self.high_watermark.min(log_end);
        assert!(self.is_ordered(), "truncated to {log_end}: {self:?}");
    }

    /// The log starts at `log_start`, which is committed.
    pub fn start_at(&mut self, log_start: Offset) {
        assert!(log_start >= self.log_start);
        self.log_start = log_start;
        assert!(self.is_ordered(), "starts at {log_start}: {self:?}");
    }

    fn is_ordered(&self) -> bool {
        0 <= self.log_start
            && self.log_start <= self.high_watermark
            && self.high_watermark <= self.durable_end
            && self.durable_end <= self.log_end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_high_watermark_follows_what_is_synced() {
        let mut progress = Progress::default();
        progress.append_to(10);
        assert_eq!(progress.commit(), None);
        progress.sync_to(4);
        assert_eq!((progress.commit(), progress.commit()), (Some(4), None));
        progress.sync_to(3);
        assert_eq!((progress.durable_end(), progress.commit()), (4, None));
        progress.truncate_to(2);
        assert_eq!((progress.high_watermark(), progress.durable_end(), progress.log_end()), (2, 2, 2));
    }

    #[test]
    fn contradictions_are_not_taken_from_disk() {
        assert!(Progress::recovered(5, 7, 9).is_some());
        for (log_start, high_watermark, log_end) in [(-1, 7, 9), (8, 7, 9), (5, 10, 9), (10, 10, 9)] {
            assert_eq!(Progress::recovered(log_start, high_watermark, log_end), None);
        }
    }

    #[test]
    #[should_panic(expected = "synced to 1")]
    fn what_was_not_appended_cannot_be_synced() {
        Progress::default().sync_to(1);
    }
}
