//! A long batch on its way: to its segment first, past the journal, which is told when it is there.
//!
//! The bytes are written behind the log's end, where nobody looks, and with them the whole blocks before that were only
//! in memory and in the journal. So a segment is always durable from its start to some position, without holes. The
//! batch is in the log only once its entry is in the journal's open group ([`PartitionLog::append_extent`]); until
//! then nothing may be appended, and nothing cut.

use bytes::Bytes;

use super::journal::extent::whole_blocks;
use super::partition_log::{AppendPlace, PartitionLog};
use super::segment::NewBatch;
use super::segment::memory::SegmentMemory;

/// What has to be written for a batch, and where it will be.
pub struct ExtentPlan {
    batch: NewBatch,
    place: AppendPlace,
    /// Whole blocks of earlier batches, in order, up to where `memory` begins.
    backlog: Vec<(u64, Bytes)>,
    /// From the start of the block in which the batch begins to the batch's end.
    memory: SegmentMemory,
}

impl PartitionLog {
    /// Bytes of earlier batches that would have to be written along with one that begins at the log's end.
    pub fn extent_backlog_bytes(&self) -> u64 {
        self.segments.back().map_or(0, |segment| segment.dirty_bytes())
    }

    /// Plans a batch whose bytes are the concatenation of `parts` at the log's end. Panics unless there is space for it.
    pub fn plan_extent(&self, batch: &NewBatch, parts: &[&[u8]]) -> ExtentPlan {
        assert!(self.space_need(batch).is_none(), "space first");
        let segment = self.segments.back().expect("space was made");
        let place = AppendPlace { segment_base: segment.base_offset, position: segment.end_position };
        let start = whole_blocks(place.position);
        let before = segment.memory.slice(start..place.position);
        let memory = SegmentMemory::of_batch(start, &before, batch.base_offset, parts);
        let backlog = segment.memory.stretches(segment.written, start);
        ExtentPlan { batch: *batch, place, backlog, memory }
    }

    /// Appends the batch, all of whose [`writes`](ExtentPlan::writes) are durable and whose entry is journaled in
    /// `journal_file` or later. Panics if the log has changed since.
    pub fn append_extent(&mut self, plan: ExtentPlan, journal_file: u64) {
        let durable_to = plan.durable_to();
        let segment = self.segments.back_mut().expect("nothing was cut");
        let end = AppendPlace { segment_base: segment.base_offset, position: segment.end_position };
        assert_eq!(end, plan.place, "nothing was appended meanwhile");
        segment.memory.adopt(plan.memory);
        segment.note_batch(&plan.batch);
        assert_eq!(segment.memory.end(), segment.end_position, "memory holds the segment's end");
        segment.written = segment.written.max(durable_to);
        segment.pin(journal_file);
        segment.note_synced(durable_to.max(segment.synced));
    }
}

impl ExtentPlan {
    /// The batch.
    pub fn batch(&self) -> &NewBatch {
        &self.batch
    }

    /// Where it will be.
    pub fn place(&self) -> AppendPlace {
        self.place
    }

    /// Position up to which the segment is durable when all is written, in whole blocks.
    pub fn durable_to(&self) -> u64 {
        whole_blocks(self.memory.end())
    }

    /// What has to be written: position and whole blocks.
    pub fn writes(&self) -> Vec<(u64, Bytes)> {
        let mut writes = self.backlog.clone();
        writes.extend(self.memory.stretches(self.memory.start(), self.durable_to()));
        writes
    }

    /// The batch's bytes behind the last whole block.
    pub fn tail(&self) -> Vec<Bytes> {
        self.memory.slice(self.durable_to()..self.memory.end())
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::base::limits::BLOCK_BYTES;
    use crate::log::partition_log::{ReadPlan, Roll};

    fn batch(log: &PartitionLog, length: usize) -> NewBatch {
        let base_offset = log.next_offset();
        NewBatch { base_offset, last_offset: base_offset, max_timestamp: 0, length, now_ms: 0 }
    }

    fn give_space(log: &mut PartitionLog, batch: &NewBatch) {
        while let Some(need) = log.space_need(batch) {
            log.note_space(need);
        }
    }

    fn append(log: &mut PartitionLog, bytes: &[u8], file: &mut [u8], is_extent: bool, journal_file: u64) {
        let batch = batch(log, bytes.len());
        give_space(log, &batch);
        if !is_extent {
            return log.append(&batch, &[bytes], journal_file);
        }
        let plan = log.plan_extent(&batch, &[&bytes[..50], &bytes[50..]]);
        for (position, blocks) in plan.writes() {
            assert_eq!((position % BLOCK_BYTES as u64, blocks.len() % BLOCK_BYTES), (0, 0));
            file[position as usize..][..blocks.len()].copy_from_slice(&blocks);
        }
        log.append_extent(plan, journal_file);
    }

    proptest! {
        /// Whatever comes in whichever way: memory holds what is not in the file, the file what is said to be there.
        #[test]
        fn short_and_long_batches_make_one_log(
            batches in prop::collection::vec((any::<bool>(), 61..3 * BLOCK_BYTES, 0..4u8), 1..40),
        ) {
            let roll = Roll { segment_bytes: 1 << 30, segment_ms: i64::MAX };
            let mut log = PartitionLog::new(PathBuf::new(), roll, Default::default(), 0);
            let (mut model, mut file) = (Vec::new(), vec![0; 40 * 4 * BLOCK_BYTES]);
            for (count, &(is_long, length, act)) in batches.iter().enumerate() {
                let length = if is_long { length + 2 * BLOCK_BYTES } else { length };
                let bytes = vec![count as u8 + 1; length];
                append(&mut log, &bytes, &mut file, is_long, count as u64);
                model.extend_from_slice(&bytes);
                let segment = log.segments.back_mut().expect("there is one");
                match act {
                    // Write-back of what there is, which may be less than the newest extent has written.
                    0 => {
                        let end = whole_blocks(segment.end_position);
                        for (position, blocks) in segment.memory.stretches(segment.written, end) {
                            file[position as usize..][..blocks.len()].copy_from_slice(&blocks);
                        }
                        segment.written = end;
                        segment.note_synced(end);
                    }
                    1 => {
                        log.evict(usize::MAX);
                    }
                    2 => {
                        log.trim();
                    }
                    _ => {}
                }
                let segment = log.segments.back().expect("there is one");
                let (synced, end) = (segment.synced as usize, segment.end_position);
                prop_assert_eq!(end, model.len() as u64);
                prop_assert!(segment.memory.start() <= segment.synced);
                prop_assert_eq!(segment.memory.slice(segment.synced..end).concat(), &model[synced..]);
                prop_assert!(file[..synced] == model[..synced]);
                prop_assert!(!is_long || end - segment.synced < BLOCK_BYTES as u64);
                prop_assert_eq!(segment.oldest_pin().is_some(), segment.synced < end);
                prop_assert_eq!(log.dirty_bytes(), whole_blocks(end) - segment.written);
                let (last, next) = (log.next_offset() - 1, log.next_offset());
                if let ReadPlan::Memory(read) = log.read(last, next, 1 << 20) {
                    prop_assert_eq!(read.concat(), bytes);
                }
            }
        }
    }
}
