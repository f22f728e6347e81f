//! Where in the log each leader's term starts (KIP-101, KIP-279). Replicas whose logs went different ways find by it
//! the last offset that they have in common; consumers find by it that what they read was truncated.

use crate::base::ids::{LeaderEpoch, Offset};
use crate::base::limits::EPOCHS_PER_PARTITION_MAX;
use crate::log::snapshot::EpochStart;

/// A term that would start before, or be older than, the latest.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
#[error("leader epoch {leader_epoch} at offset {start_offset} goes back behind {latest:?}")]
pub struct EpochWentBack {
    /// The refused term.
    pub leader_epoch: LeaderEpoch,
    /// Its refused start.
    pub start_offset: Offset,
    /// The latest term, if there is one.
    pub latest: Option<EpochStart>,
}

/// Where a term ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochEnd {
    /// The newest term with records that is not newer than the one asked for; that one if none is known.
    pub leader_epoch: LeaderEpoch,
    /// The offset after its last record.
    pub end_offset: Offset,
}

/// The terms that the log holds. Both epochs and starts grow strictly: a term without records leaves no trace once
/// the next one starts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EpochHistory {
    starts: Vec<EpochStart>,
}

impl EpochHistory {
    /// The terms that a checkpoint kept.
    pub fn restore(starts: &[EpochStart]) -> Result<Self, EpochWentBack> {
        let mut history = EpochHistory::default();
        for &EpochStart { leader_epoch, start_offset } in starts {
            if history.latest().is_some_and(|latest| latest.leader_epoch == leader_epoch) {
                return Err(EpochWentBack { leader_epoch, start_offset, latest: history.latest() });
            }
            history.assign(leader_epoch, start_offset)?;
        }
        Ok(history)
    }

    /// The terms, oldest first.
    pub fn starts(&self) -> &[EpochStart] {
        &self.starts
    }

    /// The newest term.
    pub fn latest(&self) -> Option<EpochStart> {
        self.starts.last().copied()
    }

    /// Records at `start_offset` and beyond are of `leader_epoch`. Nothing changes where that is known already.
    pub fn assign(&mut self, leader_epoch: LeaderEpoch, start_offset: Offset) -> Result<(), EpochWentBack> {
        let start = EpochStart { leader_epoch, start_offset };
        match self.starts.last_mut() {
            _ if leader_epoch < 0 || start_offset < 0 => {
                return Err(EpochWentBack { leader_epoch, start_offset, latest: self.latest() });
            }
            Some(latest) if leader_epoch < latest.leader_epoch || start_offset < latest.start_offset => {
                return Err(EpochWentBack { leader_epoch, start_offset, latest: self.latest() });
            }
            Some(latest) if leader_epoch == latest.leader_epoch => {}
            Some(latest) if start_offset == latest.start_offset => *latest = start,
            _ => {
                if self.starts.len() == EPOCHS_PER_PARTITION_MAX {
                    self.starts.remove(0);
                }
                self.starts.push(start);
            }
        }
        Ok(())
    }

    /// Where `leader_epoch` ended, as Kafka answers it; none where it is newer than all known ones.
    pub fn end_offset_for(&self, leader_epoch: LeaderEpoch, log_end: Offset) -> Option<EpochEnd> {
        if leader_epoch < 0 {
            return None;
        }
        let newer = self.starts.partition_point(|start| start.leader_epoch <= leader_epoch);
        match (newer.checked_sub(1).map(|at| self.starts[at]), self.starts.get(newer)) {
            // The latest term goes on.
            (Some(floor), None) if floor.leader_epoch == leader_epoch => {
                Some(EpochEnd { leader_epoch, end_offset: log_end })
            }
            (_, None) => None,
            (Some(floor), Some(next)) => {
                Some(EpochEnd { leader_epoch: floor.leader_epoch, end_offset: next.start_offset })
            }
            // Its records are gone from the start of the log.
            (None, Some(next)) => Some(EpochEnd { leader_epoch, end_offset: next.start_offset }),
        }
    }

    /// The term of the record at `offset`; none before the first known one.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let later = self.starts.partition_point(|start| start.start_offset <= offset);
        later.checked_sub(1).map(|at| self.starts[at].leader_epoch)
    }

    /// The log ends at `offset` now.
    pub fn truncate_from_end(&mut self, offset: Offset) {
        self.starts.retain(|start| start.start_offset < offset);
    }

    /// The log starts at `offset` now: the term that holds it starts there.
    pub fn truncate_from_start(&mut self, offset: Offset) {
        let later = self.starts.partition_point(|start| start.start_offset <= offset);
        if let Some(holder) = later.checked_sub(1) {
            self.starts.drain(..holder);
            self.starts[0].start_offset = offset;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(starts: &[(i32, i64)]) -> EpochHistory {
        let mut history = EpochHistory::default();
        for &(leader_epoch, start_offset) in starts {
            history.assign(leader_epoch, start_offset).unwrap();
        }
        history
    }

    fn starts(history: &EpochHistory) -> Vec<(i32, i64)> {
        history.starts().iter().map(|start| (start.leader_epoch, start.start_offset)).collect()
    }

    #[test]
    fn terms_without_records_leave_no_trace() {
        assert_eq!(
            starts(&history(&[(0, 0), (1, 10), (2, 10), (3, 10), (3, 25), (4, 30)])),
            [(0, 0), (3, 10), (4, 30)]
        );
    }

    #[test]
    fn going_backwards_is_refused() {
        let mut history = history(&[(3, 10), (5, 20)]);
        for (leader_epoch, start_offset) in [(4, 20), (4, 30), (5, 19), (6, 19), (-1, 30)] {
            let error = history.assign(leader_epoch, start_offset).unwrap_err();
            assert_eq!(error.latest, Some(EpochStart { leader_epoch: 5, start_offset: 20 }));
        }
        assert_eq!(starts(&history), [(3, 10), (5, 20)]);
        assert!(EpochHistory::default().assign(-1, 0).is_err());

        let twice = [EpochStart { leader_epoch: 3, start_offset: 10 }; 2];
        assert!(EpochHistory::restore(&twice).is_err());
    }

    #[test]
    fn ends_are_answered_as_kafka_does() {
        let history = history(&[(2, 10), (4, 20), (7, 35)]);
        let end = |leader_epoch| {
            history.end_offset_for(leader_epoch, 50).map(|end| (end.leader_epoch, end.end_offset))
        };
        assert_eq!(end(7), Some((7, 50)), "the latest term ends where the log does");
        assert_eq!(end(8), None, "unknown yet");
        assert_eq!(end(4), Some((4, 35)));
        assert_eq!(end(5), Some((4, 35)), "a term without records ended with the one before it");
        assert_eq!(end(1), Some((1, 10)), "its records are gone");
        assert_eq!(end(-1), None);
        assert_eq!(EpochHistory::default().end_offset_for(0, 50), None);
    }

    #[test]
    fn both_ends_can_be_cut() {
        let full = [(2, 10), (4, 20), (7, 35)];
        for (offset, left) in [(36, 3), (35, 2), (21, 2), (20, 1), (11, 1), (10, 0), (0, 0)] {
            let mut history = history(&full);
            history.truncate_from_end(offset);
            assert_eq!(starts(&history), full[..left], "cut at {offset}");
        }
        let cases: [(i64, &[(i32, i64)]); 6] = [
            (5, &full),
            (10, &full),
            (15, &[(2, 15), (4, 20), (7, 35)]),
            (20, &full[1..]),
            (34, &[(4, 34), (7, 35)]),
            (99, &[(7, 99)]),
        ];
        for (offset, left) in cases {
            let mut history = history(&full);
            history.truncate_from_start(offset);
            assert_eq!(starts(&history), left, "starts at {offset}");
        }
    }

    #[test]
    fn a_records_term_is_found() {
        let history = history(&[(2, 10), (4, 20)]);
        let found = [9, 10, 19, 20, 99].map(|offset| history.epoch_at(offset));
        assert_eq!(found, [None, Some(2), Some(2), Some(4), Some(4)]);
    }

    #[test]
    fn the_oldest_terms_are_forgotten() {
        let mut history = EpochHistory::default();
        for term in 0..EPOCHS_PER_PARTITION_MAX as i32 + 3 {
            history.assign(term, i64::from(term) * 10).unwrap();
        }
        assert_eq!(history.starts().len(), EPOCHS_PER_PARTITION_MAX);
        assert_eq!(history.end_offset_for(1, i64::MAX), Some(EpochEnd { leader_epoch: 1, end_offset: 30 }));
    }
}
