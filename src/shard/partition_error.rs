//! Why an operation on a partition failed, wherever on the node the partition is.

use super::error::StorageError;
use crate::partition::{LeaderEpochError, OffsetNotAvailable};

/// A refused operation on a partition. Crosses from shard to shard.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PartitionError {
    /// The metadata knows no such partition.
    #[error("no such partition")]
    Unknown,
    /// Another node leads the partition, or no shard of this one has opened it yet.
    #[error("this node does not lead the partition")]
    NotLeader,
    /// The request is of another term.
    #[error(transparent)]
    LeaderEpoch(#[from] LeaderEpochError),
    /// The leader does not know yet what is committed.
    #[error(transparent)]
    OffsetNotAvailable(#[from] OffsetNotAvailable),
    /// The shard's storage refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The batch was appended, and then the partition went out of service: whether it is kept is unknown.
    #[error("the partition went out of service before the records were durable")]
    NotCommitted,
    /// The shard that owns the partition is stopping.
    #[error("the shard is stopping")]
    Stopping,
}
