//! Who leads and who counts: the decisions on a partition's copies. A decision is a pure function of a draft.

mod alter_partition;
mod elect_leaders;
mod settle;

pub use alter_partition::{
    AlterPartition, AlterPartitionError, AlterPartitions, InSyncReplica, alter_partitions,
};
pub use elect_leaders::{Election, ElectionError, elect_leaders};
pub(super) use settle::settle_copies_of;
