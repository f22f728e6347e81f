//! What a checkpoint keeps of a partition's pure state (docs/journal-format.md). Plain records: the
//! partition layer makes them and is restored from them.

use rkyv::{Archive, Deserialize, Serialize};

/// The start of a leader's term in the log (KIP-101).
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochStart {
    /// The term.
    pub leader_epoch: i32,
    /// Offset of the term's first record.
    pub start_offset: i64,
}

/// A batch that an idempotent producer has appended.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducedBatch {
    /// The producer's epoch at the time: a truncation may take the producer back to it.
    pub producer_epoch: i16,
    /// Sequence number of the batch's first record.
    pub base_sequence: i32,
    /// Sequence number of the batch's last record; below `base_sequence` where it wrapped.
    pub last_sequence: i32,
    /// Offset of the batch's first record.
    pub base_offset: i64,
    /// Offset of the batch's last record.
    pub last_offset: i64,
    /// The batch's largest timestamp, in ms since 1970.
    pub max_timestamp: i64,
}

/// What is known of one idempotent producer.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct ProducerSnapshot {
    /// The producer's id.
    pub producer_id: i64,
    /// The producer's newest epoch.
    pub producer_epoch: i16,
    /// Wall clock of the last append, in ms since 1970, for expiry.
    pub last_update_ms: i64,
    /// The newest batches, oldest first.
    pub batches: Vec<ProducedBatch>,
}

/// A partition's pure state at one position of the journal.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct StateSnapshot {
    /// The first offset that may be read.
    pub log_start_offset: i64,
    /// The offset that the next record gets.
    pub log_end_offset: i64,
    /// The offset below which records are committed.
    pub high_watermark: i64,
    /// The terms that the log holds, oldest first.
    pub epochs: Vec<EpochStart>,
    /// Idempotent producers, in no order.
    pub producers: Vec<ProducerSnapshot>,
}
