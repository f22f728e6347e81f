//! What readers are told.

use super::epochs::EpochEnd;
use super::state::Partition;
use crate::base::ids::{LeaderEpoch, Offset};
use crate::protocol::batch::NO_LEADER_EPOCH;

/// Why nothing can be fetched at an offset.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum FetchError {
    /// OFFSET_OUT_OF_RANGE.
    #[error("the log holds offsets {log_start} to {log_end}")]
    OffsetOutOfRange {
        /// The first offset that may be read.
        log_start: Offset,
        /// The offset that the next record gets.
        log_end: Offset,
    },
}

/// Why a request that names a leader epoch is refused (KIP-320).
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeaderEpochError {
    /// NOT_LEADER_OR_FOLLOWER.
    #[error("this node does not lead the partition")]
    NotLeader,
    /// The client knows an older leader: FENCED_LEADER_EPOCH.
    #[error("the leader epoch is {current}, the request is of {found}")]
    Fenced {
        /// The term in which this node leads.
        current: LeaderEpoch,
        /// The request's.
        found: LeaderEpoch,
    },
    /// The client knows a newer leader: UNKNOWN_LEADER_EPOCH.
    #[error("the leader epoch is {current}, the request is of {found}")]
    Unknown {
        /// The term in which this node leads.
        current: LeaderEpoch,
        /// The request's.
        found: LeaderEpoch,
    },
}

/// After an election, until the high watermark has reached the start of the term (KIP-207): OFFSET_NOT_AVAILABLE.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
#[error("the new leader does not know yet what is committed")]
pub struct OffsetNotAvailable;

impl Partition {
    /// Whether a request that believes in `current_leader_epoch` (-1 for any) may be served here.
    pub fn check_leader_epoch(&self, current_leader_epoch: LeaderEpoch) -> Result<(), LeaderEpochError> {
        let current = self.leader_epoch().ok_or(LeaderEpochError::NotLeader)?;
        match current_leader_epoch {
            NO_LEADER_EPOCH => Ok(()),
            found if found < current => Err(LeaderEpochError::Fenced { current, found }),
            found if found > current => Err(LeaderEpochError::Unknown { current, found }),
            _ => Ok(()),
        }
    }

    /// Where a fetch from `offset` ends: at the high watermark. There is nothing to read, and nothing wrong, where
    /// `offset` lies between that and the log's end.
    pub fn fetch_bound(&self, offset: Offset) -> Result<Offset, FetchError> {
        let (log_start, log_end) = (self.progress.log_start(), self.progress.log_end());
        if offset < log_start || offset > log_end {
            return Err(FetchError::OffsetOutOfRange { log_start, log_end });
        }
        Ok(self.progress.high_watermark())
    }

    /// The first offset that may be read (ListOffsets -2).
    pub fn earliest(&self) -> Offset {
        self.progress.log_start()
    }

    /// The offset after the last committed record (ListOffsets -1). Look-ups by time that find nothing below it fail
    /// in the same way.
    pub fn latest(&self) -> Result<Offset, OffsetNotAvailable> {
        let high_watermark = self.progress.high_watermark();
        match self.leadership {
            Some(leadership) if high_watermark < leadership.start_offset => Err(OffsetNotAvailable),
            _ => Ok(high_watermark),
        }
    }

    /// The term of the record at `offset`; none before the first known term.
    pub fn epoch_at(&self, offset: Offset) -> Option<LeaderEpoch> {
        self.epochs.epoch_at(offset)
    }

    /// Where a term ended (OffsetForLeaderEpoch); none where it is newer than all known ones, which is answered
    /// with epoch and offset -1.
    pub fn end_offset_for_epoch(&self, leader_epoch: LeaderEpoch) -> Option<EpochEnd> {
        self.epochs.end_offset_for(leader_epoch, self.progress.log_end())
    }
}
