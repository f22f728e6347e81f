//! What a checkpoint keeps of a partition of which acknowledged records were lost in the journal: a frame of its own
//! behind the partition's, which hardly any partition has. The partition's record is of what was whole; without this mark
//! a start would take it for everything that there was.

use rkyv::{Archive, Deserialize, Serialize};

use crate::base::ids::PartitionId;
use crate::log::LogError;

/// The mark of a partition of which records are lost.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct DamageRecord {
    /// The first offset in doubt.
    pub offset: i64,
    /// What was wrong, in words.
    pub what: String,
}

impl DamageRecord {
    /// The mark of a partition that an error is about.
    pub fn of(error: &LogError) -> Self {
        match error {
            LogError::DamagedPartition { offset, what, .. } => {
                DamageRecord { offset: *offset, what: what.clone() }
            }
            other => DamageRecord { offset: 0, what: other.to_string() },
        }
    }

    /// What a start says of the partition.
    pub fn error(&self, partition: PartitionId) -> LogError {
        LogError::DamagedPartition { partition, offset: self.offset, what: self.what.clone() }
    }
}
