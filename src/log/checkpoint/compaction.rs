//! What a checkpoint keeps of a partition that compaction has been at: a frame of its own behind the partition's, which
//! most partitions do not have.

use rkyv::{Archive, Deserialize, Serialize};

use super::record::PartitionRecord;

/// How far compaction has come in a partition.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct CompactionRecord {
    /// All records below this offset were seen.
    compacted_to: i64,
    /// The segments that it has written, by their place in the partition's record, with their generations.
    generations: Vec<(u32, u32)>,
}

impl CompactionRecord {
    /// What has to be kept of a partition, if anything.
    pub fn of(record: &PartitionRecord) -> Option<Self> {
        let written = record.segments.iter().enumerate().filter(|(_, segment)| segment.generation > 0);
        let generations: Vec<_> = written.map(|(at, segment)| (at as u32, segment.generation)).collect();
        let compacted_to = record.compacted_to;
        (compacted_to > 0 || !generations.is_empty())
            .then_some(CompactionRecord { compacted_to, generations })
    }

    /// Completes the partition's record that came before; `None` if it is not of that partition.
    pub fn complete(self, record: &mut PartitionRecord) -> Option<()> {
        record.compacted_to = self.compacted_to;
        for (at, generation) in self.generations {
            record.segments.get_mut(at as usize)?.generation = generation;
        }
        Some(())
    }
}
