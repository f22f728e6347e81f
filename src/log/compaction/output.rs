//! The segment that a group becomes, as its batches are written.

use super::choose::Group;
use crate::log::partition_log::PartitionLog;
use crate::log::segment::index::SparseIndex;
use crate::log::segment::memory::SegmentMemory;
use crate::log::segment::{NewBatch, Segment, SegmentClock};
use crate::protocol::batch::BatchHeader;

/// See the module.
pub struct Output {
    segment: Segment,
    clock: SegmentClock,
}

impl Output {
    /// Nothing is written yet. `None` if the log no longer has the group's segments.
    pub fn begin(log: &mut PartitionLog, group: &Group) -> Option<Self> {
        let last = log.segment_mut(group.inputs.last()?.name.base)?.clock;
        let first = log.segment_mut(group.output.base)?.clock;
        let mut segment = Segment::new(group.output.base);
        segment.generation = group.output.generation;
        let clock = SegmentClock { last_append_ms: last.last_append_ms, ..first };
        Some(Output { segment, clock })
    }

    /// A batch is written behind the ones before.
    pub fn note(&mut self, header: &BatchHeader) {
        self.segment.skip_to(header.base_offset);
        self.segment.note_batch(&NewBatch::of(header, 0));
    }

    /// Length of what is written, in bytes.
    pub fn end_position(&self) -> u64 {
        self.segment.end_position
    }

    /// The index's two files.
    pub fn encode_index(&self) -> (Vec<u8>, Vec<u8>) {
        let index = self.segment.index.as_ref().expect("new segments have one");
        SparseIndex::encode(index, self.segment.base_offset, self.segment.largest)
    }

    /// The segment, all of which is durable on disk.
    pub fn finish(self, group: &Group) -> Segment {
        let Output { mut segment, clock } = self;
        segment.skip_to(group.next_offset());
        segment.clock = clock;
        segment.written = segment.end_position;
        segment.memory = SegmentMemory::starting_at(segment.end_position);
        segment.note_sealed();
        segment.index = None;
        segment
    }
}
