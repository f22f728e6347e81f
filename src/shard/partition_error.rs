//! Why an operation on a partition failed, wherever on the node the partition is.

use super::commits::Uncommitted;
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
    /// Fewer replicas are in sync than `min.insync.replicas` asks for. Nothing was appended.
    #[error("fewer replicas are in sync than min.insync.replicas asks for")]
    NotEnoughReplicas,
    /// The batch was appended, and whether it is kept is unknown.
    #[error(transparent)]
    NotCommitted(#[from] Uncommitted),
    /// The node has not heard from the controller for so long that another one may lead by now.
    #[error("this node may not lead the partition any more: it has lost touch with the controller")]
    LeaseRanOut,
    /// The shard that owns the partition is stopping.
    #[error("the shard is stopping")]
    Stopping,
}
