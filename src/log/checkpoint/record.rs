//! What a checkpoint keeps of one partition.

use rkyv::{Archive, Deserialize, Serialize};

use super::damage::DamageRecord;
use crate::base::ids::{PartitionId, TopicId};
use crate::log::journal::writer::JournalPosition;
use crate::log::segment::SegmentRecord;
use crate::log::snapshot::StateSnapshot;

/// A partition at one moment of the journal. Entries before that moment are reflected in it; of these only the
/// bytes that are not in segments yet are needed from the journal.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct PartitionRecord {
    topic_id: [u8; 16],
    index: i32,
    as_of_sequence: u64,
    as_of_entries: u64,
    /// Offsets, epochs, producers.
    pub state: StateSnapshot,
    /// Segments, oldest first.
    pub segments: Vec<SegmentRecord>,
    /// Compaction has seen all records below this offset. Kept beside the record, as the segments' generations.
    #[rkyv(with = rkyv::with::Skip)]
    pub compacted_to: i64,
    /// Records behind these are lost. Kept beside the record, as the above.
    #[rkyv(with = rkyv::with::Skip)]
    pub damage: Option<DamageRecord>,
}

impl PartitionRecord {
    /// A partition as it was at `as_of`.
    pub fn new(
        id: PartitionId,
        as_of: JournalPosition,
        state: StateSnapshot,
        segments: Vec<SegmentRecord>,
    ) -> Self {
        PartitionRecord {
            topic_id: id.topic.to_bytes(),
            index: id.index,
            as_of_sequence: as_of.sequence,
            as_of_entries: as_of.entries,
            state,
            segments,
            compacted_to: 0,
            damage: None,
        }
    }

    /// The partition.
    pub fn id(&self) -> PartitionId {
        PartitionId { topic: TopicId::from_bytes(self.topic_id), index: self.index }
    }

    /// The same with how far compaction has come.
    pub fn compacted_to(self, offset: i64) -> Self {
        PartitionRecord { compacted_to: offset, ..self }
    }

    /// The same with what is known to be lost, if anything.
    pub fn damaged(self, damage: Option<DamageRecord>) -> Self {
        PartitionRecord { damage, ..self }
    }

    /// The moment.
    pub fn as_of(&self) -> JournalPosition {
        JournalPosition { sequence: self.as_of_sequence, entries: self.as_of_entries }
    }
}
