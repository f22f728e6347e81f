//! Appending as leader.

use super::producers::{ProducerError, Verdict};
use super::state::{Partition, ReplayError};
use crate::base::ids::{LeaderEpoch, Offset};
use crate::protocol::batch::BatchHeader;

/// What becomes of a produced batch. Either way the producer is answered once `last_offset` is durable and
/// committed: a duplicate's original may still be on its way to the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendDecision {
    /// It is in the log now: its bytes must follow in the same step, under this offset and leader epoch.
    Append {
        /// Offset of its first record.
        base_offset: Offset,
        /// Offset of its last record.
        last_offset: Offset,
        /// The term to store in its header.
        leader_epoch: LeaderEpoch,
    },
    /// The log has it already, at these offsets.
    Duplicate {
        /// Offset of the original's first record.
        base_offset: Offset,
        /// Offset of the original's last record.
        last_offset: Offset,
        /// The original's largest timestamp as it is stored, in ms since 1970.
        max_timestamp: i64,
    },
}

/// Why a produced batch is refused.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendError {
    /// NOT_LEADER_OR_FOLLOWER.
    #[error("this node does not lead the partition")]
    NotLeader,
    /// Transactions are not supported yet: INVALID_TXN_STATE.
    #[error("transactional batches are not supported")]
    Transactional,
    /// The producer's epoch or sequence.
    #[error(transparent)]
    Producer(#[from] ProducerError),
    /// There are no offsets left: UNKNOWN_SERVER_ERROR.
    #[error("the log has reached the largest offset")]
    OffsetsExhausted,
}

impl Partition {
    /// Decides on a batch that [`validate`](crate::protocol::batch::validate) let through. With `Append` the log's
    /// end and the producers have moved already: the caller enqueues the bytes with no await and no fallible call
    /// between. An error changes nothing.
    pub fn append(&mut self, header: &BatchHeader, now_ms: i64) -> Result<AppendDecision, AppendError> {
        let leader_epoch = self.leader_epoch().ok_or(AppendError::NotLeader)?;
        if header.attributes.is_transactional() {
            return Err(AppendError::Transactional);
        }
        if let Verdict::Duplicate(original) = self.producers.check(header)? {
            return Ok(AppendDecision::Duplicate {
                base_offset: original.base_offset,
                last_offset: original.last_offset,
                max_timestamp: original.max_timestamp,
            });
        }
        let base_offset = self.progress.log_end();
        let stored = header.placed_at(base_offset, leader_epoch);
        let last_offset = stored.last_offset();
        let log_end = last_offset.checked_add(1).ok_or(AppendError::OffsetsExhausted)?;

        let latest = self.epochs.latest().map(|latest| latest.leader_epoch);
        assert_eq!(
            latest,
            Some(leader_epoch),
            "the term was entered when it began, and leaders are not truncated"
        );
        self.producers.record(&stored, now_ms);
        self.progress.append_to(log_end);
        Ok(AppendDecision::Append { base_offset, last_offset, leader_epoch })
    }

    /// Whether [`Partition::append`] would take the batch into the log now, neither refuse it nor recognise it.
    pub fn would_append(&self, header: &BatchHeader) -> bool {
        self.leader_epoch().is_some()
            && !header.attributes.is_transactional()
            && matches!(self.producers.check(header), Ok(Verdict::New))
    }

    /// Records below `end_offset` are durable on this node. As leader, says how far the high watermark moved by it,
    /// if it did. Reports of less than is known change nothing.
    pub fn on_durable(&mut self, end_offset: Offset) -> Option<Offset> {
        self.progress.sync_to(end_offset);
        // With other replicas it takes their word too, which somebody else hears.
        self.leadership.filter(|leadership| leadership.is_alone).and_then(|_| self.progress.commit())
    }

    /// Takes a batch of the leader's into the log, with the offset and the term that it has there. With `Ok` the
    /// log's end and the producers have moved already, as with [`Partition::append`]; an error changes nothing.
    pub fn append_followed(&mut self, header: &BatchHeader, now_ms: i64) -> Result<(), ReplayError> {
        assert!(self.leadership.is_none(), "a leader appends what producers send");
        let log_end = self.check_next(header)?;
        self.epochs.assign(header.partition_leader_epoch, header.base_offset)?;
        self.producers.record(header, now_ms);
        self.progress.append_to(log_end);
        Ok(())
    }
}
