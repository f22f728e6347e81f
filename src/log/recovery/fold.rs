//! Folds the journal into what each partition's log is to be, before any segment is touched. Pure.
//!
//! For each partition the fold keeps the segments' ends and an overlay of bytes by segment and position, in
//! journal order. Entries that the checkpoint reflects already only contribute bytes; later ones also move
//! the log's end. A later entry wins over an earlier one at the same position: after a truncation the log
//! grew again from there.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::base::ids::{Offset, PartitionId};
use crate::base::limits::BLOCK_BYTES;
use crate::log::LogError;
use crate::log::checkpoint::PartitionRecord;
use crate::log::journal::entry::{Entry, EntryKind};
use crate::log::journal::extent;
use crate::log::journal::writer::JournalPosition;
use crate::log::segment::{NewBatch, Segment, SegmentRecord};
use crate::protocol::batch::{BatchHeader, Batches};

/// What replay does to a partition's pure state, in order.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum StateChange {
    /// A batch was appended.
    Append(BatchHeader),
    /// The log was cut so that it ends at the offset.
    Truncate(Offset),
    /// The log start moved to the offset.
    LogStart(Offset),
}

/// Bytes of a segment that the journal holds.
struct Patch {
    segment_base: Offset,
    position: u64,
    bytes: Bytes,
    /// Where a batch surely begins at or behind `position`, and that batch's offset.
    boundary: (u64, Offset),
    /// The journal group that holds them.
    sequence: u64,
}

/// One partition while the journal is folded.
pub struct PartitionFold {
    id: PartitionId,
    as_of: JournalPosition,
    /// What the checkpoint does not know counts as appended at this time.
    now_ms: i64,
    segments: VecDeque<SegmentRecord>,
    patches: Vec<Patch>,
    changes: Vec<StateChange>,
    /// What is known to be lost.
    damage: Option<LogError>,
    /// Whether an entry did not fit: the log ends before it.
    is_stopped: bool,
}

impl PartitionFold {
    /// From what the checkpoint says. What it does not know counts as appended at `now_ms`, in ms since 1970.
    pub fn from_record(record: &PartitionRecord, now_ms: i64) -> Self {
        PartitionFold {
            id: record.id(),
            as_of: record.as_of(),
            now_ms,
            segments: record.segments.iter().cloned().collect(),
            patches: Vec::new(),
            changes: Vec::new(),
            damage: record.damage.as_ref().map(|damage| damage.error(record.id())),
            is_stopped: false,
        }
    }

    /// A partition that is younger than the checkpoint.
    pub fn new(id: PartitionId, now_ms: i64) -> Self {
        PartitionFold {
            id,
            as_of: JournalPosition::default(),
            now_ms,
            segments: VecDeque::new(),
            patches: Vec::new(),
            changes: Vec::new(),
            damage: None,
            is_stopped: false,
        }
    }

    fn damaged(&self, offset: Offset, what: impl Into<String>) -> LogError {
        LogError::DamagedPartition { partition: self.id, offset, what: what.into() }
    }

    /// What is lost of the partition, as far as its checkpoint and the entries so far tell. To be asked once, before the
    /// fold is finished.
    pub fn take_damage(&mut self) -> Option<LogError> {
        self.damage.take()
    }

    /// Takes the next entry in journal order as a start does. The first that does not fit ends the log: what is appended
    /// behind it cannot be placed. What was taken away since must not come back, though, where it is before that end.
    pub fn take(&mut self, at: JournalPosition, entry: &Entry, payload: Option<&Bytes>) {
        if self.is_stopped {
            self.take_away(at, entry, payload);
        } else if let Err(error) = self.apply(at, entry, payload) {
            self.is_stopped = true;
            // Where the partition is marked already, the mark names the first offset that is lost.
            self.damage.get_or_insert(error);
        }
    }

    fn take_away(&mut self, at: JournalPosition, entry: &Entry, payload: Option<&Bytes>) {
        let Some(end) = self.segments.back().map(|last| last.next_offset) else { return };
        match entry.kind {
            EntryKind::LogStart => self.changes.push(StateChange::LogStart(entry.base_offset.min(end))),
            EntryKind::Truncate if entry.base_offset < end => {
                // It may cut where only what is lost was: then nothing of what is whole is behind it.
                let _ = self.truncate(at, entry, payload, true);
            }
            _ => {}
        }
    }

    /// Takes the next entry in journal order; `payload` is `None` where it is damaged. Bytes that a segment or
    /// another entry holds as well are not missed.
    pub fn apply(
        &mut self,
        at: JournalPosition,
        entry: &Entry,
        payload: Option<&Bytes>,
    ) -> Result<(), LogError> {
        let is_new = at >= self.as_of;
        match entry.kind {
            EntryKind::Append => {
                if is_new {
                    let rotten = || self.damaged(entry.base_offset, "its bytes in the journal are rotten");
                    self.append(entry, payload.ok_or_else(rotten)?)?;
                }
                self.patch(at, entry, payload, (entry.position, entry.base_offset));
            }
            EntryKind::Extent => self.extent(at, entry, payload, is_new)?,
            EntryKind::Carry => {
                self.patch(at, entry, payload, (entry.first_batch_position, entry.base_offset));
            }
            EntryKind::Truncate => self.truncate(at, entry, payload, is_new)?,
            EntryKind::LogStart if is_new => self.changes.push(StateChange::LogStart(entry.base_offset)),
            EntryKind::LogStart => {}
        }
        Ok(())
    }

    fn append(&mut self, entry: &Entry, payload: &Bytes) -> Result<(), LogError> {
        self.begin_append(entry)?;
        let mut batches = Batches::new(payload);
        for batch in &mut batches {
            let batch = batch.map_err(|error| self.damaged(entry.base_offset, error.to_string()))?;
            self.note_batch(batch.batch.header())?;
        }
        if batches.position() != payload.len() {
            return Err(self.damaged(entry.base_offset, "the journal ends inside a batch"));
        }
        Ok(())
    }

    /// The segment is durable up to the batch's last whole block: what the journal holds of it before that is not
    /// needed any more.
    fn extent(
        &mut self,
        at: JournalPosition,
        entry: &Entry,
        payload: Option<&Bytes>,
        is_new: bool,
    ) -> Result<(), LogError> {
        let extent = match payload.map(|payload| extent::decode(entry, payload)) {
            Some(Ok(extent)) => extent,
            Some(Err(what)) => return Err(self.damaged(entry.base_offset, what)),
            None if is_new => {
                return Err(self.damaged(entry.base_offset, "its entry in the journal is rotten"));
            }
            None => return Ok(()),
        };
        let durable_to = extent.durable_to();
        if is_new {
            self.begin_append(entry)?;
            self.note_batch(&extent.header)?;
            let last = self.segments.back_mut().expect("the append is in it");
            last.synced = last.synced.max(durable_to);
        }
        let tail = Entry { position: durable_to, ..*entry };
        self.patch(at, &tail, Some(&extent.tail), (extent.end_position, entry.last_offset + 1));
        Ok(())
    }

    /// Where the entry's batches belong is where the log ends.
    fn begin_append(&mut self, entry: &Entry) -> Result<(), LogError> {
        let offset = entry.base_offset;
        let continues = self.segments.back().is_some_and(|last| last.base_offset == entry.segment_base);
        if !continues {
            let follows = self.segments.back().is_none_or(|last| last.next_offset == entry.segment_base);
            if !follows || entry.position != 0 || entry.segment_base != offset {
                return Err(
                    self.damaged(offset, "the journal begins a segment that does not follow the last one")
                );
            }
            self.segments.push_back(Segment::new(entry.segment_base).record());
        }
        let last = self.segments.back().expect("just made");
        if last.end_position != entry.position || last.next_offset != offset {
            let what = format!("the log ends at {}, the journal goes on elsewhere", last.next_offset);
            return Err(self.damaged(offset, what));
        }
        Ok(())
    }

    fn note_batch(&mut self, header: &BatchHeader) -> Result<(), LogError> {
        let last = self.segments.back_mut().expect("an append is in a segment");
        if header.base_offset != last.next_offset {
            let offset = last.next_offset;
            return Err(self.damaged(offset, "batches are not contiguous"));
        }
        last.note_batch(&NewBatch::of(header, self.now_ms));
        self.changes.push(StateChange::Append(*header));
        Ok(())
    }

    fn patch(
        &mut self,
        at: JournalPosition,
        entry: &Entry,
        payload: Option<&Bytes>,
        boundary: (u64, Offset),
    ) {
        let Some(payload) = payload else { return };
        self.patches.push(Patch {
            segment_base: entry.segment_base,
            position: entry.position,
            bytes: payload.clone(),
            boundary,
            sequence: at.sequence,
        });
    }

    /// Bytes behind the cut are void, whenever they were written; what stays of the cut block is repeated in
    /// the entry.
    fn truncate(
        &mut self,
        at: JournalPosition,
        entry: &Entry,
        payload: Option<&Bytes>,
        is_new: bool,
    ) -> Result<(), LogError> {
        let (base, cut) = (entry.segment_base, entry.position);
        // What the journal holds of the segments that compaction has put one in the place of is not of that one, which
        // was complete. This entry repeats what it needs.
        let is_compacted =
            self.segments.iter().any(|segment| segment.base_offset == base && segment.generation > 0);
        self.patches.retain_mut(|patch| {
            if patch.segment_base == base && patch.position < cut && !is_compacted {
                patch.bytes.truncate((cut - patch.position) as usize);
                // The log may grow again from the cut, with its batches elsewhere.
                patch.boundary = patch.boundary.min((cut, entry.base_offset));
                return true;
            }
            patch.segment_base < base
        });
        if is_new {
            while self.segments.back().is_some_and(|last| last.base_offset > base) {
                self.segments.pop_back();
            }
            let last = self.segments.back_mut().filter(|last| last.base_offset == base);
            let Some(last) = last else {
                return Err(self.damaged(entry.base_offset, "the journal cuts a segment that does not exist"));
            };
            last.truncate(entry.base_offset, cut);
            self.changes.push(StateChange::Truncate(entry.base_offset));
        }
        let block_start = cut - cut % BLOCK_BYTES as u64;
        let repeated = Entry { position: block_start, ..*entry };
        self.patch(at, &repeated, payload, (cut, entry.base_offset));
        Ok(())
    }

    /// The segments as far as the entries so far say.
    pub fn segments(&self) -> &VecDeque<SegmentRecord> {
        &self.segments
    }

    /// The bytes behind what a segment's file is known to hold, up to the first hole: what the journal has of it.
    pub fn journaled(&self, segment: &SegmentRecord) -> Vec<u8> {
        let (from, end) = (segment.synced, segment.end_position);
        if segment.sealed || from >= end {
            return Vec::new();
        }
        let patches: Vec<&Patch> =
            self.patches.iter().filter(|patch| patch.segment_base == segment.base_offset).collect();
        let (mut bytes, reached) = overlay(&patches, from, end);
        bytes.truncate((reached - from) as usize);
        bytes
    }

    /// The partition's segments with everything in memory that their files do not hold, pinned to the journal
    /// files that hold it, and the changes of its state.
    pub fn finish(
        mut self,
        file_of_sequence: &dyn Fn(u64) -> u64,
    ) -> Result<(VecDeque<Segment>, Vec<StateChange>), LogError> {
        let records = std::mem::take(&mut self.segments);
        let mut segments = VecDeque::with_capacity(records.len());
        for record in records {
            let mut segment = Segment::restore(record);
            if !segment.sealed {
                self.restore_bytes(&mut segment, file_of_sequence)?;
            }
            segments.push_back(segment);
        }
        Ok((segments, self.changes))
    }

    fn restore_bytes(
        &self,
        segment: &mut Segment,
        file_of_sequence: &dyn Fn(u64) -> u64,
    ) -> Result<(), LogError> {
        let (from, end) = (segment.synced, segment.end_position);
        let patches: Vec<&Patch> = self
            .patches
            .iter()
            .filter(|patch| patch.segment_base == segment.base_offset)
            .filter(|patch| patch.position < end && patch.position + patch.bytes.len() as u64 > from)
            .collect();
        let bytes = self.overlay(&patches, from, end)?;
        let boundary = patches
            .iter()
            .map(|patch| patch.boundary)
            .filter(|&(position, _)| from <= position && position <= end)
            .min()
            .unwrap_or((end, segment.next_offset));
        let (partial, whole) = bytes.split_at((boundary.0 - from) as usize);
        segment.memory.append_bytes(partial);
        let (mut position, mut next_offset) = boundary;
        for batch in Batches::new(whole) {
            let batch = batch.map_err(|error| self.damaged(next_offset, error.to_string()))?.batch;
            if batch.header().base_offset != next_offset {
                return Err(self.damaged(next_offset, "batches are not contiguous"));
            }
            segment.memory.begin_batch(next_offset);
            segment.memory.append_bytes(batch.bytes());
            position += batch.bytes().len() as u64;
            next_offset = batch.header().last_offset() + 1;
        }
        if (position, next_offset) != (end, segment.next_offset) {
            return Err(self.damaged(next_offset, "the log ends inside a batch"));
        }
        if let Some(oldest) = patches.iter().map(|patch| patch.sequence).min() {
            segment.pin(file_of_sequence(oldest));
        }
        Ok(())
    }

    /// The bytes from `from` to `end`, which the patches must cover without a hole.
    fn overlay(&self, patches: &[&Patch], from: u64, end: u64) -> Result<Vec<u8>, LogError> {
        let (bytes, reached) = overlay(patches, from, end);
        if reached < end {
            let what = format!("neither segment nor journal holds byte {reached} of {end}");
            return Err(self.damaged(self.segments.back().map_or(0, |last| last.base_offset), what));
        }
        Ok(bytes)
    }
}

/// The patches' bytes from `from` to `end`, and up to where they have no hole.
fn overlay(patches: &[&Patch], from: u64, end: u64) -> (Vec<u8>, u64) {
    let mut bytes = vec![0; (end - from) as usize];
    let mut covered: Vec<(u64, u64)> = Vec::new();
    for patch in patches {
        let start = patch.position.max(from);
        let stop = (patch.position + patch.bytes.len() as u64).min(end);
        if start < stop {
            let source = &patch.bytes[(start - patch.position) as usize..(stop - patch.position) as usize];
            bytes[(start - from) as usize..(stop - from) as usize].copy_from_slice(source);
            covered.push((start, stop));
        }
    }
    covered.sort_unstable();
    let mut reached = from;
    for (start, stop) in covered {
        if start > reached {
            break;
        }
        reached = reached.max(stop);
    }
    (bytes, reached)
}
