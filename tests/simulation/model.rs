//! What the log must be: a plain list of batches per partition.
//!
//! After a crash the log is a prefix of what was appended that holds at least everything acknowledged. What the
//! crash took is then gone from the model too, and must never come back.

use corelane::base::ids::{Offset, PartitionId};
use corelane::cluster::TopicSettings;
use corelane::protocol::batch::{BatchHeader, HEADER_BYTES};

/// A batch as it must be stored.
pub struct StoredBatch {
    pub base_offset: Offset,
    pub last_offset: Offset,
    pub bytes: Vec<u8>,
}

/// One partition.
pub struct PartitionModel {
    pub id: PartitionId,
    pub name: String,
    pub batches: Vec<StoredBatch>,
    /// Records below this offset were acknowledged.
    pub acknowledged_end: Offset,
    /// The log start that was confirmed, and one that may have been reached.
    pub log_start: Offset,
    pub log_start_attempt: Offset,
    /// Whether logs are cut here; then no idempotent producer uses the partition.
    pub is_cut: bool,
    /// The topic's settings: they survive the crash.
    pub settings: TopicSettings,
}

impl PartitionModel {
    pub fn new(id: PartitionId, name: String, is_cut: bool, settings: TopicSettings) -> Self {
        PartitionModel {
            id,
            name,
            batches: Vec::new(),
            acknowledged_end: 0,
            log_start: 0,
            log_start_attempt: 0,
            is_cut,
            settings,
        }
    }

    pub fn end(&self) -> Offset {
        self.batches.last().map_or(0, |batch| batch.last_offset + 1)
    }

    /// A batch was accepted at an offset in a term.
    pub fn append(&mut self, header: &BatchHeader, batch: &[u8], base_offset: Offset, leader_epoch: i32) {
        assert_eq!(base_offset, self.end(), "offsets are contiguous");
        let stored = header.placed_at(base_offset, leader_epoch);
        let mut bytes = stored.encode().to_vec();
        bytes.extend_from_slice(&batch[HEADER_BYTES..]);
        self.batches.push(StoredBatch { base_offset, last_offset: stored.last_offset(), bytes });
    }

    /// Everything up to `last_offset` was acknowledged.
    pub fn acknowledge(&mut self, last_offset: Offset) {
        assert!(last_offset < self.end(), "what is acknowledged was accepted");
        self.acknowledged_end = self.acknowledged_end.max(last_offset + 1);
    }

    /// The log may be cut at `offset` from now on.
    pub fn begin_cut(&mut self, offset: Offset) {
        self.acknowledged_end = self.acknowledged_end.min(offset);
    }

    /// The log ends at `end`.
    pub fn cut(&mut self, end: Offset) {
        self.batches.retain(|batch| batch.base_offset < end);
        assert_eq!(self.end(), end, "a log ends at a batch boundary");
    }

    /// The log was found to end at `end` after a crash.
    pub fn recovered(&mut self, log_start: Offset, end: Offset) {
        assert!(
            end >= self.acknowledged_end,
            "partition {}: acknowledged up to {}, recovered up to {end}",
            self.name,
            self.acknowledged_end
        );
        assert!(
            end <= self.end(),
            "partition {}: {end} records recovered, {} appended",
            self.name,
            self.end()
        );
        let starts = self.log_start..=self.log_start_attempt;
        assert!(starts.contains(&log_start), "log start {log_start} is not in {starts:?}");
        self.cut(end);
        self.acknowledged_end = end;
        (self.log_start, self.log_start_attempt) = (log_start, log_start);
    }

    /// The log start may come to be at `offset` from now on.
    pub fn begin_log_start(&mut self, offset: Offset) {
        self.log_start_attempt = self.log_start_attempt.max(offset);
    }

    /// The log start was confirmed to be at `offset`, or beyond.
    pub fn confirm_log_start(&mut self, offset: Offset) {
        assert!(
            offset <= self.log_start_attempt,
            "partition {}: the log starts at {offset}, it may start at {}",
            self.name,
            self.log_start_attempt
        );
        self.log_start = self.log_start.max(offset);
    }

    /// How far retention may move the log start, which is at `log_start`, durably or not: as much must stay as it
    /// is told to keep, and everything behind what is young enough.
    pub fn retention_limit(&self, log_start: Offset, now_ms: i64) -> Offset {
        let mut limit = log_start;
        if let Some(bytes) = self.settings.retention_bytes {
            let mut kept = 0;
            let enough = |batch: &&StoredBatch| {
                kept += batch.bytes.len() as u64;
                kept >= bytes
            };
            let first = self.batches.iter().rev().find(enough).map(|batch| batch.base_offset);
            limit = limit.max(if bytes == 0 { self.end() } else { first.unwrap_or(0) });
        }
        if let Some(age_ms) = self.settings.retention_ms {
            let is_young = |batch: &&StoredBatch| {
                let header = BatchHeader::parse(&batch.bytes).expect("stored whole");
                batch.last_offset >= limit && now_ms - header.max_timestamp <= age_ms
            };
            let first = self.batches.iter().find(is_young).map(|batch| batch.base_offset);
            limit = limit.max(first.unwrap_or(self.end()));
        }
        limit
    }

    /// The batch that holds an offset.
    pub fn batch_at(&self, offset: Offset) -> Option<&StoredBatch> {
        let at = self.batches.partition_point(|batch| batch.last_offset < offset);
        self.batches.get(at)
    }

    /// The first batch with a record as late as `timestamp` that can be read.
    pub fn batch_for_time(&self, timestamp: i64) -> Option<&StoredBatch> {
        let is_late = |batch: &StoredBatch| {
            BatchHeader::parse(&batch.bytes).expect("stored whole").max_timestamp >= timestamp
        };
        self.batches.iter().find(|batch| batch.last_offset >= self.log_start && is_late(batch))
    }

    /// Bytes from the batch that holds `offset` on, at least `length` unless the log ends.
    pub fn bytes_from(&self, offset: Offset, length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let at = self.batches.partition_point(|batch| batch.last_offset < offset);
        for batch in &self.batches[at..] {
            if bytes.len() >= length {
                break;
            }
            bytes.extend_from_slice(&batch.bytes);
        }
        bytes
    }
}
