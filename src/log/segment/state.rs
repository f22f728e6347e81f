//! One segment: how far it is filled, written back and synced, and which journal files still hold bytes that
//! it does not. Pure; the shard does the I/O and reports back.

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use rkyv::{Archive, Deserialize, Serialize};

use super::index::{OffsetRow, ReadStart, SparseIndex, StartOffset, TimeRow};
use super::memory::SegmentMemory;
use super::path::SegmentName;
use crate::base::buffer::AlignedBuf;
use crate::base::ids::Offset;
use crate::base::limits::{BLOCK_BYTES, SEGMENT_ALLOCATION_BYTES_MAX, SEGMENT_ALLOCATION_BYTES_MIN};
use crate::protocol::batch::BatchHeader;

/// What a checkpoint keeps of a segment.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct SegmentRecord {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Offset behind the last record.
    pub next_offset: i64,
    /// Length of the record batches, in bytes.
    pub end_position: u64,
    /// Up to here the file is durable; whole blocks unless sealed.
    pub synced: u64,
    /// The largest timestamp and the batch that has it; see [`Segment::largest`].
    pub largest: TimeRow,
    /// See [`SegmentClock`].
    pub clock: SegmentClock,
    /// The sparse index; empty once sealed, when it is in files.
    pub index: SparseIndex,
    /// Whether the file is complete.
    pub sealed: bool,
    /// See [`Segment::was_cut`].
    pub was_cut: bool,
    /// See [`Segment::generation`]. Kept beside the record (checkpoint/format.rs), since most segments have none.
    #[rkyv(with = rkyv::with::Skip)]
    pub generation: u32,
}

/// When a segment was filled. Wall clock, in ms since 1970.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SegmentClock {
    /// The largest timestamp of its first batch: a client's.
    pub first_timestamp: i64,
    /// When the first batch was appended; after a crash, perhaps when it was recovered.
    pub first_append_ms: i64,
    /// The same of the last batch.
    pub last_append_ms: i64,
}

impl SegmentRecord {
    /// What its files are called by.
    pub fn name(&self) -> SegmentName {
        SegmentName { base: self.base_offset, generation: self.generation }
    }

    /// What is needed to read its file.
    pub fn shape(&self) -> SegmentShape {
        SegmentShape { name: self.name(), next_offset: self.next_offset, end_position: self.end_position }
    }

    /// As [`Segment::note_batch`].
    pub fn note_batch(&mut self, batch: &NewBatch) {
        note_batch(
            End {
                next_offset: &mut self.next_offset,
                end_position: &mut self.end_position,
                largest: &mut self.largest,
                clock: &mut self.clock,
                index: Some(&mut self.index),
            },
            batch,
        );
    }

    /// The log was cut here: what is said of the segment's end, and how far the file counts, goes back.
    pub fn truncate(&mut self, next_offset: Offset, position: u64) {
        self.next_offset = next_offset;
        self.end_position = position;
        self.sealed = false;
        self.was_cut = true;
        self.synced = self.synced.min(position - position % BLOCK_BYTES as u64);
        self.index.truncate(next_offset, position);
        self.largest = cut_largest(self.largest, next_offset, position);
    }
}

/// What an append changes of a segment besides the bytes.
struct End<'a> {
    next_offset: &'a mut Offset,
    end_position: &'a mut u64,
    largest: &'a mut TimeRow,
    clock: &'a mut SegmentClock,
    index: Option<&'a mut SparseIndex>,
}

fn note_batch(end: End<'_>, batch: &NewBatch) {
    assert_eq!(batch.base_offset, *end.next_offset, "batches are contiguous");
    if *end.end_position == 0 {
        end.clock.first_timestamp = batch.max_timestamp;
        end.clock.first_append_ms = batch.now_ms;
    }
    end.clock.last_append_ms = batch.now_ms;
    if batch.max_timestamp > end.largest.timestamp {
        *end.largest = TimeRow { timestamp: batch.max_timestamp, offset: batch.last_offset };
    }
    if let Some(index) = end.index {
        index.note(OffsetRow { last_offset: batch.last_offset, position: *end.end_position }, *end.largest);
    }
    *end.next_offset = batch.last_offset + 1;
    *end.end_position += batch.length as u64;
}

/// What is known of the largest timestamp after a cut: it is not larger than before.
fn cut_largest(largest: TimeRow, next_offset: Offset, position: u64) -> TimeRow {
    match position {
        0 => TimeRow { timestamp: i64::MIN, offset: next_offset },
        _ => TimeRow { offset: largest.offset.min(next_offset - 1), ..largest },
    }
}

/// The journal's file that holds bytes of the segment up to a position, or an earlier one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pin {
    /// Number of the journal file.
    pub journal_file: u64,
    /// End of the bytes, in the segment.
    pub end_position: u64,
}

/// A batch behind the last one of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewBatch {
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Offset of the last record.
    pub last_offset: Offset,
    /// The largest timestamp, in ms since 1970.
    pub max_timestamp: i64,
    /// Length in bytes.
    pub length: usize,
    /// The wall clock, in ms since 1970.
    pub now_ms: i64,
}

impl NewBatch {
    /// A stored batch by its header, at some time.
    pub fn of(header: &BatchHeader, now_ms: i64) -> Self {
        NewBatch {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.largest_record_timestamp(),
            length: header.total_bytes(),
            now_ms,
        }
    }
}

/// What is needed to read a segment's file, as it was at some moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentShape {
    /// What its files are called by.
    pub name: SegmentName,
    /// Offset behind the last record.
    pub next_offset: Offset,
    /// Length of the record batches, in bytes.
    pub end_position: u64,
}

impl SegmentShape {
    /// Whether a batch with this header may stand where a batch is expected. Where compaction has taken batches away
    /// it may come later than expected, but not behind the segment's end.
    pub fn admits(&self, expected: StartOffset, header: &BatchHeader) -> bool {
        match expected {
            StartOffset::First(offset) if self.may_have_holes() => {
                header.base_offset >= offset && header.last_offset() < self.next_offset
            }
            _ => expected.is_of(header),
        }
    }

    /// Whether whole batches that end here are all of the segment.
    pub fn ends_at(&self, reached: ReadStart) -> bool {
        let offset = reached.offset.value();
        let is_last = offset == self.next_offset || (self.may_have_holes() && offset < self.next_offset);
        is_last && reached.position == self.end_position
    }

    /// Whether offsets may be missing between its batches, and before and behind them.
    pub fn may_have_holes(&self) -> bool {
        self.name.generation > 0
    }
}

/// Shared by a segment and those who read its file, so that the file is left alone until they are done.
#[derive(Clone, Default)]
pub struct SegmentLease(Rc<()>);

impl SegmentLease {
    /// Whether anybody else holds it.
    pub fn is_shared(&self) -> bool {
        Rc::strong_count(&self.0) > 1
    }
}

/// The last, unaligned bytes of a segment that nobody will append to any more.
pub struct SealPlan {
    /// Where they go; a whole block.
    pub position: u64,
    /// Padded with zeros to a whole block; `None` if the segment ends at a whole block.
    pub bytes: Option<Bytes>,
    /// The length to cut the file to.
    pub end_position: u64,
}

/// A segment.
pub struct Segment {
    /// Offset of the first record; the first record's may be larger where compaction has written the segment.
    pub base_offset: Offset,
    /// How often compaction has written anew what stands at the base offset; 0 for a segment that was filled.
    pub generation: u32,
    /// Offset behind the last record.
    pub next_offset: Offset,
    /// Length of the record batches, in bytes.
    pub end_position: u64,
    /// The largest timestamp (`i64::MIN` while empty) and the last offset of the first batch that has it. Exact
    /// until the segment is cut; after that the batch may be one that is gone, and the timestamp too large.
    pub largest: TimeRow,
    /// When it was filled.
    pub clock: SegmentClock,
    /// Whether its end was ever cut: then its index has to be built anew when it is sealed.
    pub was_cut: bool,
    /// Up to here bytes were written to the file; whole blocks unless sealed.
    pub written: u64,
    /// Up to here they are durable there.
    pub synced: u64,
    /// Up to here the file has space; unknown counts as 0.
    pub allocated: u64,
    /// Whether the file is complete and cut to its length.
    pub sealed: bool,
    /// Whether the next batch begins a new segment, however short this one is.
    pub closed: bool,
    /// The sparse index, while it is in memory.
    pub index: Option<SparseIndex>,
    /// The bytes that are in memory.
    pub memory: SegmentMemory,
    /// Held by those who read the file.
    pub lease: SegmentLease,
    pins: VecDeque<Pin>,
}

impl Segment {
    /// An empty segment.
    pub fn new(base_offset: Offset) -> Self {
        Segment {
            base_offset,
            generation: 0,
            next_offset: base_offset,
            end_position: 0,
            largest: TimeRow { timestamp: i64::MIN, offset: base_offset },
            clock: SegmentClock::default(),
            was_cut: false,
            written: 0,
            synced: 0,
            allocated: 0,
            sealed: false,
            closed: false,
            index: Some(SparseIndex::default()),
            memory: SegmentMemory::default(),
            lease: SegmentLease::default(),
            pins: VecDeque::new(),
        }
    }

    /// The segment that a checkpoint describes, without the bytes behind `synced`.
    pub fn restore(record: SegmentRecord) -> Self {
        Segment {
            generation: record.generation,
            next_offset: record.next_offset,
            end_position: record.end_position,
            largest: record.largest,
            clock: record.clock,
            was_cut: record.was_cut,
            written: record.synced,
            synced: record.synced,
            sealed: record.sealed,
            index: (!record.sealed).then_some(record.index),
            memory: SegmentMemory::starting_at(record.synced),
            ..Segment::new(record.base_offset)
        }
    }

    /// What a checkpoint keeps.
    pub fn record(&self) -> SegmentRecord {
        let index = if self.sealed { None } else { self.index.as_ref() };
        SegmentRecord {
            base_offset: self.base_offset,
            next_offset: self.next_offset,
            end_position: self.end_position,
            synced: self.synced,
            largest: self.largest,
            clock: self.clock,
            index: index.cloned().unwrap_or_default(),
            sealed: self.sealed,
            was_cut: self.was_cut,
            generation: self.generation,
        }
    }

    /// What its files are called by.
    pub fn name(&self) -> SegmentName {
        SegmentName { base: self.base_offset, generation: self.generation }
    }

    /// What is needed to read its file now.
    pub fn shape(&self) -> SegmentShape {
        SegmentShape { name: self.name(), next_offset: self.next_offset, end_position: self.end_position }
    }

    /// Leaves out offsets behind the last batch, whose records compaction has taken away.
    pub fn skip_to(&mut self, offset: Offset) {
        assert!(offset >= self.next_offset, "offsets only grow");
        self.next_offset = offset;
    }

    /// Whether a batch may be appended as far as compaction is concerned. What it wrote is left as it is, so that only
    /// there offsets are missing; but for a segment that was cut to nothing.
    pub fn may_grow(&self) -> bool {
        self.generation == 0 || self.next_offset == self.base_offset
    }

    /// Notes a batch that begins at the end of the segment: index, offsets, times. The bytes follow.
    pub fn note_batch(&mut self, batch: &NewBatch) {
        note_batch(
            End {
                next_offset: &mut self.next_offset,
                end_position: &mut self.end_position,
                largest: &mut self.largest,
                clock: &mut self.clock,
                index: self.index.as_mut(),
            },
            batch,
        );
    }

    /// The time that the segment would span with one more batch, in ms: as Kafka has it, by clients' timestamps
    /// where they are known, so that old records which are copied do not all end up in one segment.
    pub fn age_with(&self, batch: &NewBatch) -> i64 {
        match (self.end_position, self.clock.first_timestamp) {
            (0, _) => 0,
            (_, 0..) => batch.max_timestamp.saturating_sub(self.clock.first_timestamp),
            _ => batch.now_ms.saturating_sub(self.clock.first_append_ms),
        }
    }

    /// Notes that the journal holds the bytes up to the segment's end in `journal_file` or later.
    pub fn pin(&mut self, journal_file: u64) {
        match self.pins.back_mut() {
            Some(pin) if pin.journal_file == journal_file => pin.end_position = self.end_position,
            _ => self.pins.push_back(Pin { journal_file, end_position: self.end_position }),
        }
    }

    /// Replaces all pins: a carry entry in `journal_file` repeats everything behind `synced`.
    pub fn repin(&mut self, journal_file: u64) {
        self.pins.clear();
        if self.synced < self.end_position {
            self.pin(journal_file);
        }
    }

    /// The oldest journal file that is still needed.
    pub fn oldest_pin(&self) -> Option<u64> {
        self.pins.front().map(|pin| pin.journal_file)
    }

    /// Bytes that are not written back and for which journal files before `journal_file` are needed.
    pub fn unwritten_before(&self, journal_file: u64) -> u64 {
        let needed = self.pins.iter().rfind(|pin| pin.journal_file < journal_file);
        needed.map_or(0, |pin| pin.end_position.saturating_sub(self.written))
    }

    /// The file is durable up to `position`: the journal's copies before it are no longer needed.
    pub fn note_synced(&mut self, position: u64) {
        assert!(position <= self.written && position >= self.synced);
        self.synced = position;
        while self.pins.front().is_some_and(|pin| pin.end_position <= position) {
            self.pins.pop_front();
        }
    }

    /// Bytes in whole blocks that are not written back.
    pub fn dirty_bytes(&self) -> u64 {
        (self.end_position - self.end_position % BLOCK_BYTES as u64).saturating_sub(self.written)
    }

    /// Position behind the last batch below `offset`, which must be a batch boundary in memory or the end.
    pub fn position_of(&self, offset: Offset) -> u64 {
        if offset >= self.next_offset {
            return self.end_position;
        }
        self.memory.batch_at(offset).map_or(self.memory.start(), |(place, _)| place.position)
    }

    /// Up to where the file must have space before `end_position` may be reached: doubling steps, so that
    /// quiet partitions take little and busy ones ask rarely.
    pub fn allocation_for(&self, end_position: u64, segment_bytes: u64) -> Option<u64> {
        if end_position <= self.allocated {
            return None;
        }
        let step = end_position.clamp(SEGMENT_ALLOCATION_BYTES_MIN, SEGMENT_ALLOCATION_BYTES_MAX);
        let wanted = (end_position + step).min(segment_bytes.max(end_position));
        Some(wanted.next_multiple_of(BLOCK_BYTES as u64))
    }

    /// What remains to be written when the segment is complete and all its whole blocks are written.
    pub fn seal_plan(&self) -> SealPlan {
        assert!(self.end_position - self.written < BLOCK_BYTES as u64);
        let bytes = (self.written < self.end_position).then(|| {
            let mut last = AlignedBuf::with_capacity(BLOCK_BYTES);
            for piece in self.memory.slice(self.written..self.end_position) {
                last.append(&piece);
            }
            last.pad_to_block();
            last.view(0..BLOCK_BYTES)
        });
        SealPlan { position: self.written, bytes, end_position: self.end_position }
    }

    /// The file is complete and durable.
    pub fn note_sealed(&mut self) {
        self.written = self.end_position;
        self.note_synced(self.end_position);
        self.allocated = self.end_position;
        self.sealed = true;
        assert!(self.pins.is_empty());
    }

    /// Cuts the segment at a batch boundary. The block that the cut goes through counts as not written: the
    /// caller journals what stays of it before anything is written there again.
    pub fn truncate(&mut self, next_offset: Offset, position: u64, kept_block: &[u8], journal_file: u64) {
        assert!(position <= self.end_position && next_offset <= self.next_offset);
        let block_start = position - position % BLOCK_BYTES as u64;
        assert_eq!(kept_block.len() as u64, position - block_start.min(position));
        self.next_offset = next_offset;
        self.end_position = position;
        (self.sealed, self.closed, self.was_cut) = (false, false, true);
        self.index.get_or_insert_default().truncate(next_offset, position);
        self.largest = cut_largest(self.largest, next_offset, position);
        self.memory.truncate(position, block_start, kept_block);
        self.written = self.written.min(block_start);
        self.synced = self.synced.min(block_start);
        for pin in &mut self.pins {
            pin.end_position = pin.end_position.min(position);
        }
        self.pin(journal_file);
        let synced = self.synced;
        self.pins.retain(|pin| pin.end_position > synced);
    }
}
