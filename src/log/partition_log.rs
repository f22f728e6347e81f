//! A partition's segments. Pure: says what has to be written and read, the shard does it and reports back.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::segment::index::ReadStart;
use super::segment::{NewBatch, SealPlan, Segment, SegmentLease, SegmentName, SegmentShape};
use crate::base::ids::Offset;
use crate::base::limits::BLOCK_BYTES;

/// When a segment is left for the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Roll {
    /// Length that it may have, in bytes (`segment.bytes`).
    pub segment_bytes: u64,
    /// Time that it may span, in ms (`segment.ms`).
    pub segment_ms: i64,
}

/// Where a batch goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AppendPlace {
    /// Base offset of the segment; the batch's own offset if it begins a new one.
    pub segment_base: Offset,
    /// Position in the segment, in bytes.
    pub position: u64,
}

/// Space that must exist on disk before a batch may be journaled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpaceNeed {
    /// The segment.
    pub segment_base: Offset,
    /// Whether its file has to be made.
    pub is_new: bool,
    /// The length that its file needs.
    pub length: u64,
}

/// Bytes that can be written back now.
pub struct WriteBack {
    /// The segment.
    pub segment_base: Offset,
    /// Where; a whole block.
    pub position: u64,
    /// Whole blocks.
    pub bytes: Bytes,
}

/// What a carry entry must repeat of a segment.
pub struct CarryPlan {
    /// The segment.
    pub segment_base: Offset,
    /// Position of the first byte.
    pub position: u64,
    /// The bytes.
    pub bytes: Vec<Bytes>,
    /// Position of the first whole batch among them; their end if there is none.
    pub first_batch_position: u64,
    /// Offset of that batch, or the one behind the last.
    pub first_batch_offset: Offset,
    /// Offset of the last record.
    pub last_offset: Offset,
}

/// How a read is answered.
pub enum ReadPlan {
    /// Nothing between the offset and the bound.
    Empty,
    /// Everything is in memory: whole batches, the first of which holds the offset.
    Memory(Vec<Bytes>),
    /// It begins on disk.
    Cold(ColdRead),
}

/// A read that begins on disk.
pub struct ColdRead {
    /// The segment.
    pub segment: SegmentShape,
    /// A batch at or before the one that holds the offset; `None` if the index has to be loaded.
    pub from: Option<ReadStart>,
    /// The offset.
    pub offset: Offset,
    /// Bytes before this position are on disk.
    pub disk_end: u64,
    /// Bytes behind `disk_end` that may be read, in order.
    pub behind: Vec<Bytes>,
    /// Keeps the file as it is while it is read.
    pub lease: SegmentLease,
}

/// A partition's log.
pub struct PartitionLog {
    directory: PathBuf,
    roll: Roll,
    /// The last one is being filled.
    pub(super) segments: VecDeque<Segment>,
    /// Offset of the next record while there is no segment.
    pub(super) start_offset: Offset,
    /// Compaction has seen all records below this offset.
    pub(super) compacted_to: Offset,
    /// How often the log's end was cut.
    pub(super) cuts: u64,
}

impl PartitionLog {
    /// A log in a directory with these segments, oldest first. `start_offset` is the next offset if there are
    /// none.
    pub fn new(directory: PathBuf, roll: Roll, segments: VecDeque<Segment>, start_offset: Offset) -> Self {
        PartitionLog { directory, roll, segments, start_offset, compacted_to: 0, cuts: 0 }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Changes when segments are rolled.
    pub fn set_roll(&mut self, roll: Roll) {
        self.roll = roll;
    }

    /// The segments, oldest first.
    pub fn segments(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter()
    }

    /// The segment that is being filled, if there is one.
    pub fn last_segment(&self) -> Option<&Segment> {
        self.segments.back()
    }

    /// The segment with this base offset, if it still exists.
    pub fn segment_mut(&mut self, base_offset: Offset) -> Option<&mut Segment> {
        let at = self.segments.partition_point(|segment| segment.base_offset < base_offset);
        self.segments.get_mut(at).filter(|segment| segment.base_offset == base_offset)
    }

    /// Offset of the next record.
    pub fn next_offset(&self) -> Offset {
        self.segments.back().map_or(self.start_offset, |segment| segment.next_offset)
    }

    /// Where a batch would go now.
    pub fn place_for(&self, batch: &NewBatch) -> AppendPlace {
        match self.segments.back() {
            Some(segment) if !self.must_roll(segment, batch) => {
                AppendPlace { segment_base: segment.base_offset, position: segment.end_position }
            }
            _ => AppendPlace { segment_base: batch.base_offset, position: 0 },
        }
    }

    /// A segment is left when the batch does not fit its size or its 32-bit relative offsets, when it would come
    /// to span too much time, or when it was closed or sealed.
    fn must_roll(&self, segment: &Segment, batch: &NewBatch) -> bool {
        let full =
            segment.end_position > 0 && segment.end_position + batch.length as u64 > self.roll.segment_bytes;
        full || segment.sealed
            || !segment.may_grow()
            || segment.closed
            || batch.last_offset - segment.base_offset > i64::from(i32::MAX)
            || segment.age_with(batch) > self.roll.segment_ms
    }

    /// Whether the segment that is being filled has spanned its time although nothing more came.
    pub fn is_overdue(&self, now_ms: i64) -> bool {
        self.segments.back().is_some_and(|segment| {
            let age_ms = now_ms.saturating_sub(segment.clock.first_append_ms);
            segment.end_position > 0 && !segment.sealed && age_ms > self.roll.segment_ms
        })
    }

    /// The space that is missing on disk for a batch; `None` if it can be journaled at once.
    pub fn space_need(&self, batch: &NewBatch) -> Option<SpaceNeed> {
        let place = self.place_for(batch);
        let end = place.position + batch.length as u64;
        match self.segments.back() {
            Some(segment) if segment.base_offset == place.segment_base => {
                let length = segment.allocation_for(end, self.roll.segment_bytes)?;
                Some(SpaceNeed { segment_base: place.segment_base, is_new: false, length })
            }
            _ => {
                let length = Segment::new(place.segment_base).allocation_for(end, self.roll.segment_bytes);
                Some(SpaceNeed {
                    segment_base: place.segment_base,
                    is_new: true,
                    length: length.unwrap_or(end),
                })
            }
        }
    }

    /// The space that a [`SpaceNeed`] asked for exists. Begins the new segment if it was one.
    pub fn note_space(&mut self, need: SpaceNeed) {
        if need.is_new
            && self.next_offset() == need.segment_base
            && self.segment_mut(need.segment_base).is_none()
        {
            self.segments.push_back(Segment::new(need.segment_base));
        }
        if let Some(segment) = self.segment_mut(need.segment_base) {
            segment.allocated = segment.allocated.max(need.length);
        }
    }

    /// Appends a batch whose bytes are the concatenation of `parts`, journaled in `journal_file` or later, to
    /// the last segment. Panics unless there is space for it.
    pub fn append(&mut self, batch: &NewBatch, parts: &[&[u8]], journal_file: u64) {
        assert!(self.space_need(batch).is_none(), "space first");
        let segment = self.segments.back_mut().expect("space was made");
        segment.memory.begin_batch(batch.base_offset);
        for part in parts {
            segment.memory.append_bytes(part);
        }
        segment.note_batch(batch);
        assert_eq!(segment.memory.end(), segment.end_position, "memory holds the segment's end");
        segment.pin(journal_file);
    }

    /// Bytes that can be written back, durable or not: less than a block for each segment cannot.
    pub fn dirty_bytes(&self) -> u64 {
        self.unsealed().map(Segment::dirty_bytes).sum()
    }

    /// Bytes of memory in use.
    pub fn resident_bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.memory.resident_bytes()).sum()
    }

    /// The oldest journal file that is still needed.
    pub fn oldest_pin(&self) -> Option<u64> {
        self.unsealed().filter_map(Segment::oldest_pin).min()
    }

    /// Bytes that are not written back and for which journal files before `journal_file` are needed.
    pub fn unwritten_before(&self, journal_file: u64) -> u64 {
        self.unsealed().map(|segment| segment.unwritten_before(journal_file)).sum()
    }

    /// Segments that are not complete on disk: the last ones.
    fn unsealed(&self) -> impl Iterator<Item = &Segment> {
        let first = self.segments.partition_point(|segment| segment.sealed);
        self.segments.range(first..)
    }

    /// Whole blocks that can be written back, of records below `durable_end`: what is not durable in the
    /// journal yet may still be lost, and stays in memory.
    pub fn next_write_back(&self, durable_end: Offset) -> Option<WriteBack> {
        self.write_back_of(durable_end, |_| true)
    }

    /// The same of segments for which journal files before `journal_file` are needed, until they are not but for what
    /// is in no whole block.
    pub fn next_write_back_before(&self, durable_end: Offset, journal_file: u64) -> Option<WriteBack> {
        self.write_back_of(durable_end, |segment| segment.unwritten_before(journal_file) > 0)
    }

    fn write_back_of(&self, durable_end: Offset, is_wanted: impl Fn(&Segment) -> bool) -> Option<WriteBack> {
        self.unsealed().filter(|segment| is_wanted(segment)).find_map(|segment| {
            let end = segment.position_of(durable_end);
            let end = end - end % BLOCK_BYTES as u64;
            if segment.written >= end {
                return None;
            }
            let bytes = segment.memory.whole_blocks(segment.written, end)?;
            Some(WriteBack { segment_base: segment.base_offset, position: segment.written, bytes })
        })
    }

    /// The oldest segment that nobody appends to any more and of which only the last bytes are missing on
    /// disk; the log's last one only `with_last`.
    pub fn next_seal(&self, durable_end: Offset, with_last: bool) -> Option<(Offset, SealPlan)> {
        let segment = self.unsealed().next()?;
        let rolled = segment.base_offset != self.segments.back().expect("not empty").base_offset;
        let ready = (rolled || (segment.closed && with_last))
            && segment.next_offset <= durable_end
            && segment.end_position - segment.written < BLOCK_BYTES as u64;
        ready.then(|| (segment.base_offset, segment.seal_plan()))
    }

    /// Has the next batch begin a new segment, so that the one that is being filled can be sealed.
    pub fn close_last(&mut self) {
        if let Some(segment) = self.segments.back_mut().filter(|segment| segment.end_position > 0) {
            segment.closed = true;
        }
    }

    /// What has to be journaled again so that older journal files are no longer needed; only for the segment
    /// that is being filled.
    pub fn carry_plan(&self) -> Option<CarryPlan> {
        let segment = self.segments.back().filter(|segment| !segment.sealed)?;
        if segment.synced == segment.end_position {
            return None;
        }
        let first = segment.memory.first_batch_from(segment.synced);
        Some(CarryPlan {
            segment_base: segment.base_offset,
            position: segment.synced,
            bytes: segment.memory.slice(segment.synced..segment.end_position),
            first_batch_position: first.map_or(segment.end_position, |batch| batch.position),
            first_batch_offset: first.map_or(segment.next_offset, |batch| batch.base_offset),
            last_offset: segment.next_offset - 1,
        })
    }

    /// Whole batches from the one that holds `offset` on, up to `bound` (a batch boundary) and, but for the
    /// first, up to `max_bytes`.
    pub fn read(&self, offset: Offset, bound: Offset, max_bytes: usize) -> ReadPlan {
        let behind = self.segments.partition_point(|segment| segment.base_offset <= offset);
        let Some(segment) = behind.checked_sub(1).map(|at| &self.segments[at]) else {
            return ReadPlan::Empty;
        };
        if offset >= bound || offset >= segment.next_offset {
            return ReadPlan::Empty;
        }
        let limit = segment.position_of(bound);
        let Some((batch, batch_end)) = segment.memory.batch_at(offset) else {
            return ReadPlan::Cold(Self::cold_read(segment, offset, limit));
        };
        let wanted = limit.min(batch.position + max_bytes as u64);
        let end = segment.memory.last_batch_end(batch.position, wanted).unwrap_or(batch_end);
        ReadPlan::Memory(segment.memory.slice(batch.position..end))
    }

    fn cold_read(segment: &Segment, offset: Offset, limit: u64) -> ColdRead {
        let disk_end = segment.written.min(limit);
        // The batch that holds the offset may end in memory; what begins in memory is another read's.
        let first_in_memory = segment.memory.first_batch_from(disk_end);
        let end = first_in_memory.map_or(segment.end_position, |batch| batch.position).min(limit);
        ColdRead {
            segment: segment.shape(),
            from: segment.index.as_ref().map(|index| index.start_for_offset(segment.base_offset, offset)),
            offset,
            disk_end,
            behind: if end > disk_end { segment.memory.slice(disk_end..end) } else { Vec::new() },
            lease: segment.lease.clone(),
        }
    }

    /// The first segment that may hold a record of `timestamp` or later.
    pub fn segment_for_time(&self, timestamp: i64) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.largest.timestamp >= timestamp)
    }

    /// Lets go of memory whose bytes are durable on disk (a carry repeats all others), oldest first, until
    /// `wanted` bytes are freed; returns how many were.
    pub fn evict(&mut self, wanted: usize) -> usize {
        let mut freed = 0;
        for segment in &mut self.segments {
            while freed < wanted {
                let Some(bytes) = segment.memory.evict_before(segment.synced) else { break };
                freed += bytes;
            }
        }
        freed
    }

    /// Lets go of what is durable on disk in the chunks that are being filled; returns the bytes of memory freed.
    pub fn trim(&mut self) -> usize {
        self.segments.iter_mut().map(|segment| segment.memory.trim_before(segment.synced)).sum()
    }

    /// Where the log would be cut so that `offset` is its end, if the cut is at a batch boundary in memory
    /// or at a segment's end: segment and position.
    pub fn cut_at(&self, offset: Offset) -> Option<AppendPlace> {
        if let Some(first) = self.segments.front().filter(|first| first.base_offset == offset) {
            return Some(AppendPlace { segment_base: first.base_offset, position: 0 });
        }
        let behind = self.segments.partition_point(|segment| segment.base_offset < offset);
        let segment = &self.segments[behind.checked_sub(1)?];
        if offset == segment.next_offset {
            return Some(AppendPlace { segment_base: segment.base_offset, position: segment.end_position });
        }
        let (batch, _) = segment.memory.batch_at(offset)?;
        (batch.base_offset == offset)
            .then_some(AppendPlace { segment_base: segment.base_offset, position: batch.position })
    }

    /// Cuts the log at a place that is the end of the record before `offset`; returns the segments that no longer
    /// exist. `kept_block` are the bytes that stay of the block that is cut.
    pub fn truncate(
        &mut self,
        offset: Offset,
        place: AppendPlace,
        kept_block: &[u8],
        journal_file: u64,
    ) -> Vec<SegmentName> {
        let mut removed = Vec::new();
        while self.segments.back().is_some_and(|segment| segment.base_offset > place.segment_base) {
            removed.extend(self.segments.pop_back().map(|segment| segment.name()));
        }
        self.cuts += 1;
        self.compacted_to = self.compacted_to.min(offset);
        let segment = self.segments.back_mut().expect("the place is in a segment");
        segment.truncate(offset, place.position, kept_block, journal_file);
        removed
    }
}
