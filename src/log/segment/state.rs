//! One segment: how far it is filled, written back and synced, and which journal files still hold bytes that
//! it does not. Pure; the shard does the I/O and reports back.

use std::collections::VecDeque;

use bytes::Bytes;
use rkyv::{Archive, Deserialize, Serialize};

use super::index::{IndexEntry, SparseIndex};
use super::memory::SegmentMemory;
use crate::base::buffer::AlignedBuf;
use crate::base::ids::Offset;
use crate::base::limits::{BLOCK_BYTES, SEGMENT_ALLOCATION_BYTES_MAX, SEGMENT_ALLOCATION_BYTES_MIN};

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
    /// The largest timestamp, in ms since 1970; `i64::MIN` while empty.
    pub max_timestamp: i64,
    /// The sparse index; empty once sealed, when it is in files.
    pub index: Vec<IndexEntry>,
    /// Whether the file is complete.
    pub sealed: bool,
}

/// The journal's file that holds bytes of the segment up to a position, or an earlier one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pin {
    /// Number of the journal file.
    pub journal_file: u64,
    /// End of the bytes, in the segment.
    pub end_position: u64,
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
    /// Offset of the first record.
    pub base_offset: Offset,
    /// Offset behind the last record.
    pub next_offset: Offset,
    /// Length of the record batches, in bytes.
    pub end_position: u64,
    /// The largest timestamp, in ms since 1970; `i64::MIN` while empty.
    pub max_timestamp: i64,
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
    pins: VecDeque<Pin>,
}

impl Segment {
    /// An empty segment.
    pub fn new(base_offset: Offset) -> Self {
        Segment {
            base_offset,
            next_offset: base_offset,
            end_position: 0,
            max_timestamp: i64::MIN,
            written: 0,
            synced: 0,
            allocated: 0,
            sealed: false,
            closed: false,
            index: Some(SparseIndex::default()),
            memory: SegmentMemory::default(),
            pins: VecDeque::new(),
        }
    }

    /// The segment that a checkpoint describes, without the bytes behind `synced`.
    pub fn restore(record: SegmentRecord) -> Self {
        Segment {
            next_offset: record.next_offset,
            end_position: record.end_position,
            max_timestamp: record.max_timestamp,
            written: record.synced,
            synced: record.synced,
            sealed: record.sealed,
            index: (!record.sealed).then(|| SparseIndex::from_entries(record.index)),
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
            max_timestamp: self.max_timestamp,
            index: index.map_or_else(Vec::new, |index| index.entries().to_vec()),
            sealed: self.sealed,
        }
    }

    /// Notes a batch that begins at the end of the segment: index, offsets, times. The bytes follow.
    pub fn note_batch(&mut self, base_offset: Offset, last_offset: Offset, max_timestamp: i64, length: u64) {
        assert_eq!(base_offset, self.next_offset, "batches are contiguous");
        if let Some(index) = &mut self.index {
            let max_timestamp_before = self.max_timestamp;
            index.note(IndexEntry { offset: base_offset, position: self.end_position, max_timestamp_before });
        }
        self.max_timestamp = self.max_timestamp.max(max_timestamp);
        self.next_offset = last_offset + 1;
        self.end_position += length;
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

    /// The file is durable up to `position`: the journal's copies before it are no longer needed.
    pub fn note_synced(&mut self, position: u64) {
        assert!(position <= self.written && position >= self.synced);
        self.synced = position;
        while self.pins.front().is_some_and(|pin| pin.end_position <= position) {
            self.pins.pop_front();
        }
    }

    /// Bytes not written back.
    pub fn dirty_bytes(&self) -> u64 {
        self.end_position - self.written
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
        (self.sealed, self.closed) = (false, false);
        let index = self.index.get_or_insert_default();
        index.truncate(position);
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
