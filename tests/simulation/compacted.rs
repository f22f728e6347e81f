//! What a compacted partition must still be: every record that is read was sent, where it was sent and in its order; of
//! one that is missing a later record with its key was sent; and where a key was deleted, nothing of it comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use corelane::base::ids::Offset;
use corelane::protocol::batch::{BatchHeader, Batches};

use super::compaction::{Seen, records_of};
use super::model::PartitionModel;

/// The records that were sent to a compacted partition and have survived.
#[derive(Default)]
pub struct Keyed {
    records: BTreeMap<Offset, Seen>,
    /// The last offset of each key.
    last: BTreeMap<Option<Vec<u8>>, Offset>,
}

impl Keyed {
    /// A batch was appended, with its offsets.
    pub fn append(&mut self, batch: &[u8]) {
        for (offset, seen) in records_of(batch) {
            self.last.insert(seen.key.clone(), offset);
            self.records.insert(offset, seen);
        }
    }

    /// The log ends at `end`.
    pub fn cut(&mut self, end: Offset) {
        if !self.records.split_off(&end).is_empty() {
            let all = self.records.iter().map(|(offset, seen)| (seen.key.clone(), *offset));
            self.last = all.collect();
        }
    }

    /// Whether compaction may have taken a record.
    fn may_be_gone(&self, offset: Offset, forgets: bool) -> bool {
        let seen = &self.records[&offset];
        self.last[&seen.key] > offset || (forgets && seen.is_tombstone)
    }
}

/// What a stretch of a log has.
#[derive(Default)]
pub struct Stretch {
    /// The batches that are left.
    pub headers: Vec<BatchHeader>,
    /// The records that are left.
    pub offsets: BTreeSet<Offset>,
}

impl PartitionModel {
    /// Checks the bytes of whole batches that stand at and behind `offset`; returns the offset behind them. Nothing is
    /// left up to the log's `end` if there are none.
    pub fn check_compacted(
        &self,
        offset: Offset,
        end: Offset,
        bytes: &[u8],
        stretch: &mut Stretch,
    ) -> Offset {
        let name = &self.name;
        let mut next = offset;
        let mut batches = Batches::new(bytes).check_crc();
        for batch in &mut batches {
            let batch = batch.expect("whole").batch;
            let (header, last_offset) = (*batch.header(), batch.header().last_offset());
            assert!(last_offset >= next, "{name}: {last_offset} is before {next}");
            let sent = self.batch_at(header.base_offset).expect("sent").header();
            assert_eq!(identity_of(&header), identity_of(&sent), "{name}: another batch");
            let found: BTreeMap<Offset, Seen> = records_of(batch.bytes()).into_iter().collect();
            for (offset, seen) in &found {
                assert!(self.keyed().records.get(offset) == Some(seen), "{name}: another record at {offset}");
            }
            stretch.offsets.extend(found.keys());
            self.check_missing(next..last_offset + 1, &stretch.offsets);
            stretch.headers.push(header);
            next = last_offset + 1;
        }
        assert_eq!(batches.position(), bytes.len(), "whole batches only");
        if bytes.is_empty() {
            self.check_missing(offset..end, &stretch.offsets);
            next = end;
        }
        next
    }

    fn check_missing(&self, range: Range<Offset>, found: &BTreeSet<Offset>) {
        let forgets = self.settings.delete_retention_ms == 0;
        for (offset, _) in self.keyed().records.range(range) {
            let is_below = *offset < self.log_start_attempt;
            assert!(
                is_below || found.contains(offset) || self.keyed().may_be_gone(*offset, forgets),
                "{}: the record at {offset} is missing",
                self.name
            );
        }
    }

    /// Of keys that were deleted, and whose tombstone is gone already, nothing is there. `found` is the whole log, and
    /// may begin with records of the log start's batch that nobody sees.
    pub fn check_deleted(&self, log_start: Offset, found: &Stretch) {
        let keyed = self.keyed();
        for offset in found.offsets.range(log_start..) {
            let last = keyed.last[&keyed.records[offset].key];
            let is_deleted = keyed.records[&last].is_tombstone;
            assert!(
                !is_deleted || found.offsets.contains(&last),
                "{}: the record at {offset} was deleted at {last}",
                self.name
            );
        }
    }

    /// Whether compaction has taken records there. `found` is what is left.
    pub fn is_shorter(&self, range: Range<Offset>, found: &Stretch) -> bool {
        self.keyed().records.range(range.clone()).count() > found.offsets.range(range).count()
    }

    fn keyed(&self) -> &Keyed {
        self.keyed.as_ref().expect("it is compacted")
    }
}

/// What compaction leaves of a batch's header.
fn identity_of(header: &BatchHeader) -> (Offset, Offset, i32, i64, i16, i32) {
    (
        header.base_offset,
        header.last_offset(),
        header.partition_leader_epoch,
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
    )
}
