//! What the log must be: a plain list of batches per partition.
//!
//! After a crash the log is a prefix of what was appended that holds at least everything acknowledged. What the
//! crash took is then gone from the model too, and must never come back.

use std::collections::BTreeMap;

use corelane::base::ids::{Offset, PartitionId};
use corelane::base::limits::PRODUCER_DUPLICATE_WINDOW;
use corelane::cluster::TopicSettings;
use corelane::log::snapshot::{EpochStart, ProducedBatch, StateSnapshot};
use corelane::protocol::batch::{BatchHeader, HEADER_BYTES};

use super::compacted::Keyed;

/// A batch as it must be stored.
pub struct StoredBatch {
    pub base_offset: Offset,
    pub last_offset: Offset,
    pub bytes: Vec<u8>,
}

impl StoredBatch {
    pub fn header(&self) -> BatchHeader {
        BatchHeader::parse(&self.bytes).expect("stored whole")
    }
}

/// One partition.
pub struct PartitionModel {
    pub id: PartitionId,
    pub name: String,
    pub batches: Vec<StoredBatch>,
    /// Records below this offset were acknowledged.
    pub acknowledged_end: Offset,
    /// Where the log is being cut.
    cut_at: Option<Offset>,
    /// The log start that was confirmed, and one that may have been reached.
    pub log_start: Offset,
    pub log_start_attempt: Offset,
    /// Whether logs are cut here; then no producer is sure of its batches.
    pub is_cut: bool,
    /// The topic's settings: they survive the crash.
    pub settings: TopicSettings,
    /// What was sent, if it is compacted.
    pub keyed: Option<Keyed>,
}

impl PartitionModel {
    pub fn new(id: PartitionId, name: String, is_cut: bool, settings: TopicSettings) -> Self {
        PartitionModel {
            id,
            name,
            batches: Vec::new(),
            acknowledged_end: 0,
            cut_at: None,
            log_start: 0,
            log_start_attempt: 0,
            is_cut,
            settings,
            keyed: settings.cleanup.compact.then(Keyed::default),
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
        if let Some(keyed) = &mut self.keyed {
            keyed.append(&bytes);
        }
        self.batches.push(StoredBatch { base_offset, last_offset: stored.last_offset(), bytes });
    }

    /// Everything up to `last_offset` was acknowledged.
    pub fn acknowledge(&mut self, last_offset: Offset) {
        assert!(last_offset < self.end(), "what is acknowledged was accepted");
        // Who was answered while the log was being cut has no claim on what is behind the cut.
        let end = self.cut_at.map_or(last_offset + 1, |cut| cut.min(last_offset + 1));
        self.acknowledged_end = self.acknowledged_end.max(end);
    }

    /// The log may be cut at `offset` from now on.
    pub fn begin_cut(&mut self, offset: Offset) {
        self.acknowledged_end = self.acknowledged_end.min(offset);
        self.cut_at = Some(offset);
    }

    /// The log was not cut after all.
    pub fn give_up_cut(&mut self) {
        self.cut_at = None;
    }

    /// The log ends at `end`.
    pub fn cut(&mut self, end: Offset) {
        self.cut_at = None;
        self.batches.retain(|batch| batch.base_offset < end);
        if let Some(keyed) = &mut self.keyed {
            keyed.cut(end);
        }
        assert_eq!(self.end(), end, "a log ends at a batch boundary");
    }

    /// The batches of each producer, in order, also those that the log no longer starts with.
    fn produced(&self) -> BTreeMap<i64, Vec<ProducedBatch>> {
        let mut produced: BTreeMap<i64, Vec<ProducedBatch>> = BTreeMap::new();
        for header in self.batches.iter().map(StoredBatch::header).filter(BatchHeader::has_producer_id) {
            produced.entry(header.producer_id).or_default().push(ProducedBatch {
                producer_epoch: header.producer_epoch,
                base_sequence: header.base_sequence,
                last_sequence: header.last_sequence(),
                base_offset: header.base_offset,
                last_offset: header.last_offset(),
                max_timestamp: header.max_timestamp,
            });
        }
        produced
    }

    /// The sequence number that comes next for a producer of which the log may have lost batches.
    pub fn next_sequence(&self, producer_id: i64) -> i32 {
        let headers = self.batches.iter().rev().map(StoredBatch::header);
        let last = headers.into_iter().find(|header| header.producer_id == producer_id);
        last.map_or(0, |header| header.last_sequence() + 1)
    }

    /// The terms of the records that can be read, each where its first one is.
    fn terms(&self, log_start: Offset) -> Vec<EpochStart> {
        let mut terms: Vec<EpochStart> = Vec::new();
        for header in self.batches.iter().map(StoredBatch::header) {
            let leader_epoch = header.partition_leader_epoch;
            let is_new = terms.last().is_none_or(|last| last.leader_epoch != leader_epoch);
            if header.last_offset() >= log_start && is_new {
                terms.push(EpochStart { leader_epoch, start_offset: header.base_offset.max(log_start) });
            }
        }
        terms
    }

    /// What is known beside the records agrees with them: of each producer its newest batches and no others, and
    /// the terms.
    pub fn check_state(&self, state: &StateSnapshot) {
        let produced = self.produced();
        for known in &state.producers {
            let expected = produced.get(&known.producer_id).map_or(&[][..], |batches| batches);
            assert!(
                !known.batches.is_empty() && expected.ends_with(&known.batches),
                "partition {}: producer {} sent {:?}, known are {:?}",
                self.name,
                known.producer_id,
                expected.last(),
                known.batches.last()
            );
        }
        for (producer_id, expected) in produced.iter().filter(|_| !self.is_cut) {
            let known = state.producers.iter().find(|known| known.producer_id == *producer_id);
            assert!(
                known.is_some_and(|it| it.batches.len() >= expected.len().min(PRODUCER_DUPLICATE_WINDOW)),
                "partition {}: producer {producer_id} is forgotten: {known:?}",
                self.name
            );
        }
        // A term without records is known only until the next one begins.
        let mut terms = state.epochs.clone();
        terms.retain(|term| term.start_offset < state.log_end_offset);
        assert_eq!(terms, self.terms(state.log_start_offset), "partition {}: terms", self.name);
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
                batch.last_offset >= limit && now_ms - batch.header().max_timestamp <= age_ms
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
        let is_late = |batch: &StoredBatch| batch.header().max_timestamp >= timestamp;
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
