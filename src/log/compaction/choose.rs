//! Which part of a log can be compacted, whether it pays, and what is written together.

use crate::base::ids::Offset;
use crate::log::partition_log::PartitionLog;
use crate::log::segment::{Segment, SegmentName, SegmentShape};

/// When a topic wants its logs compacted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Readiness {
    /// `min.cleanable.dirty.ratio` in millionths: a pass pays if more than this part of the log is dirty.
    pub dirty_millionths_min: u32,
    /// `min.compaction.lag.ms`: records younger than this are left alone.
    pub lag_ms_min: i64,
    /// `max.compaction.lag.ms`: dirty records older than this are reason enough for a pass.
    pub lag_ms_max: i64,
}

/// How much of a log compaction has not seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dirt {
    /// The first offset that it has not seen.
    pub from: Offset,
    /// The offset up to which it may go now.
    pub end: Offset,
    /// Bytes of segments that it has seen.
    pub clean_bytes: u64,
    /// Bytes of segments that it may see now and has not.
    pub dirty_bytes: u64,
    /// Whether there are records that have waited for too long.
    pub is_overdue: bool,
}

impl Dirt {
    /// The dirty part, in millionths.
    pub fn millionths(&self) -> u32 {
        let all = u128::from(self.clean_bytes + self.dirty_bytes).max(1);
        (u128::from(self.dirty_bytes) * 1_000_000 / all) as u32
    }

    /// Whether a pass pays.
    pub fn is_due(&self, readiness: &Readiness) -> bool {
        self.dirty_bytes > 0 && (self.is_overdue || self.millionths() > readiness.dirty_millionths_min)
    }
}

/// Neighbours that become one segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// The segments, oldest first; at least one.
    pub inputs: Vec<SegmentShape>,
    /// What they become.
    pub output: SegmentName,
}

impl Group {
    /// Offset behind the last record.
    pub fn next_offset(&self) -> Offset {
        self.inputs.last().expect("not empty").next_offset
    }

    /// Length of all inputs, in bytes.
    pub fn bytes(&self) -> u64 {
        self.inputs.iter().map(|input| input.end_position).sum()
    }

    fn of(inputs: Vec<SegmentShape>) -> Self {
        let generation = inputs.iter().map(|input| input.name.generation).max().expect("not empty") + 1;
        let output = SegmentName { base: inputs[0].name.base, generation };
        Group { inputs, output }
    }
}

impl PartitionLog {
    /// How much of the log is dirty, as Kafka reckons it. Only segments that are complete and below `high_watermark`
    /// can be compacted.
    pub fn dirt(
        &self,
        readiness: &Readiness,
        log_start: Offset,
        high_watermark: Offset,
        now_ms: i64,
    ) -> Dirt {
        let from = self.compacted_to.max(log_start);
        let mut dirt = Dirt { from, end: from, ..Dirt::default() };
        let mut earliest = i64::MAX;
        let complete = |segment: &&Segment| segment.sealed && segment.next_offset <= high_watermark;
        for segment in self.segments.iter().take_while(complete) {
            if segment.next_offset <= from {
                dirt.clean_bytes += segment.end_position;
                continue;
            }
            let is_young = now_ms.saturating_sub(segment.latest_ms()) < readiness.lag_ms_min;
            if readiness.lag_ms_min > 0 && is_young {
                break;
            }
            dirt.dirty_bytes += segment.end_position;
            dirt.end = segment.next_offset;
            earliest =
                earliest.min(Some(segment.clock.first_timestamp).filter(|it| *it > 0).unwrap_or(i64::MAX));
        }
        dirt.is_overdue = earliest != i64::MAX && now_ms.saturating_sub(earliest) > readiness.lag_ms_max;
        dirt
    }

    /// The segments that begin below `end`, in groups whose lengths fit a segment and whose offsets fit its index.
    pub fn compaction_groups(&self, end: Offset, segment_bytes: u64) -> Vec<Group> {
        let mut groups: Vec<Vec<SegmentShape>> = Vec::new();
        let (mut bytes, mut base) = (0, 0);
        for segment in self.segments.iter().take_while(|segment| segment.base_offset < end && segment.sealed)
        {
            let fits = bytes + segment.end_position <= segment_bytes
                && segment.next_offset - 1 - base <= i64::from(i32::MAX);
            match groups.last_mut().filter(|_| fits) {
                Some(group) => group.push(segment.shape()),
                None => {
                    (bytes, base) = (0, segment.base_offset);
                    groups.push(vec![segment.shape()]);
                }
            }
            bytes += segment.end_position;
        }
        groups.into_iter().map(Group::of).collect()
    }

    /// Offset below which compaction has seen all records.
    pub fn compacted_to(&self) -> Offset {
        self.compacted_to
    }

    /// Compaction has seen all records below `offset`, by what a checkpoint says or since a pass has ended.
    pub fn set_compacted_to(&mut self, offset: Offset) {
        self.compacted_to = offset.min(self.next_offset());
    }

    /// How often the log's end was cut: what was planned before a cut may no longer hold.
    pub fn cuts(&self) -> u64 {
        self.cuts
    }

    /// Puts a segment in the place of a group; the segments that it replaces, or the segment itself if the log is no
    /// longer what the group was made of. `cuts` is what [`PartitionLog::cuts`] was then.
    pub fn replace(
        &mut self,
        group: &Group,
        cuts: u64,
        segment: Segment,
    ) -> Result<Vec<Segment>, Box<Segment>> {
        let first = self.segments.partition_point(|it| it.base_offset < group.output.base);
        let behind = first + group.inputs.len();
        let is_there = self.cuts == cuts
            && behind <= self.segments.len()
            && self.segments.range(first..behind).map(Segment::shape).eq(group.inputs.iter().copied());
        if !is_there {
            return Err(Box::new(segment));
        }
        assert_eq!(segment.next_offset, group.next_offset(), "segments follow each other without a gap");
        let replaced = self.segments.drain(first..behind).collect();
        self.segments.insert(first, segment);
        Ok(replaced)
    }
}
