//! Which records of a batch stay, and what becomes of the batch. In steps: a batch may unpack to megabytes.

use std::collections::HashMap;

use super::key_map::KeyMap;
use crate::base::ids::Offset;
use crate::protocol::batch::{
    Attributes, BadRecord, BatchHeader, Compression, NO_TIMESTAMP, RecordWalk, StoredRecord, TimestampType,
};

/// How far the keys of a batch's records are noted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Noted {
    /// There are more.
    Some,
    /// All are.
    All,
    /// The map has no room for that of the record at this offset.
    Full(Offset),
}

/// Notes the keys of a batch's records.
pub struct KeyNotes<'a> {
    base_offset: Offset,
    walk: RecordWalk<'a>,
}

impl<'a> KeyNotes<'a> {
    /// Of these unpacked records.
    pub fn new(header: &BatchHeader, records: &'a [u8]) -> Self {
        KeyNotes { base_offset: header.base_offset, walk: RecordWalk::new(records, header) }
    }

    /// Notes the keys of records at `from` or later in the next `step_bytes`.
    pub fn step(&mut self, keys: &mut KeyMap, from: Offset, step_bytes: usize) -> Result<Noted, BadRecord> {
        let enough = self.walk.left_bytes().saturating_sub(step_bytes);
        while let Some(record) = self.walk.next() {
            let record = record?;
            let offset = self.base_offset + i64::from(record.offset_delta);
            if let Some(key) = record.key
                && offset >= from
                && !keys.note(key, offset)
            {
                return Ok(Noted::Full(offset));
            }
            if self.walk.left_bytes() < enough {
                return Ok(Noted::Some);
            }
        }
        Ok(Noted::All)
    }
}

/// What decides whether a record stays.
pub struct Rules<'a> {
    /// The last offsets of the keys of dirty records.
    pub keys: &'a KeyMap,
    /// Records from this offset on are not in `keys`, and stay.
    pub end: Offset,
    /// The wall clock, in ms since 1970.
    pub now_ms: i64,
    /// `delete.retention.ms`: how long a tombstone stays after the pass that has first seen it.
    pub delete_retention_ms: i64,
    /// The last offset of each idempotent producer's last batch, which tells its last sequence number.
    pub last_offsets: &'a HashMap<i64, Offset>,
}

impl Rules<'_> {
    /// Whether a batch stays as it is, whatever it holds.
    pub fn leave(&self, header: &BatchHeader) -> bool {
        header.base_offset >= self.end
            || header.attributes.is_control()
            || header.attributes.is_transactional()
    }

    fn keep_record(&self, header: &BatchHeader, record: &StoredRecord<'_>) -> bool {
        let offset = header.base_offset + i64::from(record.offset_delta);
        if offset >= self.end {
            return true;
        }
        // Kafka, too, lets records without a key go that an uncompacted topic has left.
        let Some(key) = record.key else { return false };
        let is_last = self.keys.last_offset(key).is_none_or(|last| offset >= last);
        is_last
            && (!record.is_tombstone
                || header.delete_horizon_ms().is_none_or(|horizon| self.now_ms < horizon))
    }

    /// Whether the batch stays although none of its records does.
    fn keep_empty(&self, header: &BatchHeader) -> bool {
        let is_last_of_producer = header.has_producer_id()
            && self.last_offsets.get(&header.producer_id) == Some(&header.last_offset());
        is_last_of_producer || header.last_offset() + 1 == self.end
    }
}

/// What becomes of a batch.
#[derive(Debug)]
pub enum Sifted {
    /// It stays as it is.
    Keep,
    /// Nothing of it stays.
    Drop,
    /// Its header stays, without records.
    Empty(BatchHeader),
    /// Some of its records stay, or it gets a delete horizon.
    Rewrite(Rewrite),
}

/// A batch that is written anew.
#[derive(Debug)]
pub struct Rewrite {
    /// Its header, but for length and CRC.
    pub header: BatchHeader,
    /// Its records, unpacked.
    pub records: Vec<u8>,
    /// What has to be added to the timestamp delta of each of them first, if anything.
    pub shift: Option<i64>,
}

/// See the module.
pub struct Sift<'a> {
    header: BatchHeader,
    rules: &'a Rules<'a>,
    walk: RecordWalk<'a>,
    kept: Vec<u8>,
    kept_count: i32,
    kept_tombstone: bool,
    largest_delta: i64,
}

impl<'a> Sift<'a> {
    /// Of these unpacked records.
    pub fn new(header: &BatchHeader, records: &'a [u8], rules: &'a Rules<'a>) -> Self {
        Sift {
            header: *header,
            rules,
            walk: RecordWalk::new(records, header),
            kept: Vec::new(),
            kept_count: 0,
            kept_tombstone: false,
            largest_delta: i64::MIN,
        }
    }

    /// Sifts the records that begin in the next `step_bytes`. `false` when all are.
    pub fn step(&mut self, step_bytes: usize) -> Result<bool, BadRecord> {
        let enough = self.walk.left_bytes().saturating_sub(step_bytes);
        while let Some(record) = self.walk.next() {
            let record = record?;
            if self.rules.keep_record(&self.header, &record) {
                self.kept.extend_from_slice(record.bytes);
                self.kept_count += 1;
                self.kept_tombstone |= record.is_tombstone;
                self.largest_delta = self.largest_delta.max(record.timestamp_delta);
            }
            if self.walk.left_bytes() < enough {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What becomes of the batch, all of whose records are sifted.
    pub fn finish(self) -> Sifted {
        let (header, rules) = (self.header, self.rules);
        let is_whole = self.kept_count == header.record_count;
        if self.kept_count == 0 {
            return match (rules.keep_empty(&header), is_whole) {
                (false, _) => Sifted::Drop,
                (true, true) => Sifted::Keep,
                (true, false) => Sifted::Empty(emptied(header)),
            };
        }
        let new_horizon = (self.kept_tombstone && header.delete_horizon_ms().is_none())
            .then(|| rules.now_ms.saturating_add(rules.delete_retention_ms));
        if is_whole && new_horizon.is_none() {
            return Sifted::Keep;
        }
        let mut kept = BatchHeader { record_count: self.kept_count, ..header };
        if header.attributes.timestamp_type() == TimestampType::CreateTime {
            kept.max_timestamp = header.base_timestamp.wrapping_add(self.largest_delta);
        }
        let shift = new_horizon.map(|horizon| {
            kept.attributes.0 |= Attributes::DELETE_HORIZON;
            kept.base_timestamp = horizon;
            header.base_timestamp.wrapping_sub(horizon)
        });
        Sifted::Rewrite(Rewrite { header: kept, records: self.kept, shift })
    }
}

/// The header of a batch without records, as Kafka writes it: whose it was, its offsets and its largest timestamp.
fn emptied(header: BatchHeader) -> BatchHeader {
    let attributes = header.attributes.with_compression(Compression::None);
    let attributes = Attributes(attributes.0 & !Attributes::DELETE_HORIZON);
    BatchHeader { attributes, base_timestamp: NO_TIMESTAMP, record_count: 0, ..header }
        .with_records_of(0)
        .with_crc_over(&[])
}

/// Writes records again with other timestamp deltas: the base that they count from has moved.
pub struct Rebase<'a> {
    walk: RecordWalk<'a>,
    shift: i64,
    rebased: Vec<u8>,
}

impl<'a> Rebase<'a> {
    /// Of these unpacked records, which were walked over before.
    pub fn new(header: &BatchHeader, records: &'a [u8], shift: i64) -> Self {
        let rebased = Vec::with_capacity(records.len());
        Rebase { walk: RecordWalk::new(records, header), shift, rebased }
    }

    /// Writes those that begin in the next `step_bytes`. `false` when all are written.
    pub fn step(&mut self, step_bytes: usize) -> Result<bool, BadRecord> {
        let enough = self.walk.left_bytes().saturating_sub(step_bytes);
        while let Some(record) = self.walk.next() {
            let record = record?;
            // Clients add base and delta the same way.
            record.put_at(record.timestamp_delta.wrapping_add(self.shift), &mut self.rebased);
            if self.walk.left_bytes() < enough {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The records.
    pub fn finish(self) -> Vec<u8> {
        self.rebased
    }
}
