//! Why the shard refused to store or to read.

use crate::base::ids::Offset;
use crate::partition::{AppendError, FetchError};

/// An operating error of a shard's storage. Cheap to clone: one failure is told to many.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StorageError {
    /// The shard's writer failed; nothing more is accepted.
    #[error("the shard's writer is out of service: {0}")]
    OutOfService(std::sync::Arc<str>),
    /// The partition was deleted.
    #[error("the partition was deleted")]
    Deleted,
    /// The partition's data is damaged.
    #[error("the partition is offline: {0}")]
    Damaged(std::sync::Arc<str>),
    /// What is on disk is not what was written, at the place that was asked for; the rest serves.
    #[error("corrupt: {0}")]
    Corrupt(std::sync::Arc<str>),
    /// The disk has no room, or so little that produce is refused; what is stored is served.
    #[error("{0}")]
    DiskFull(std::sync::Arc<str>),
    /// The disk refused to read, or something that changed nothing.
    #[error("disk: {0}")]
    Disk(std::sync::Arc<str>),
    /// The partition refused the batch.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A batch of so many bytes is longer than a group of the journal.
    #[error("a batch of {0} bytes does not fit the journal")]
    TooLarge(usize),
    /// The offset cannot be read.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The log cannot be cut or moved there.
    #[error("offset {0} is outside of the log")]
    OutsideLog(Offset),
}

impl StorageError {
    pub(super) fn disk(error: &dyn std::fmt::Display) -> Self {
        StorageError::Disk(error.to_string().into())
    }
}
