//! The log of one shard: journal, checkpoint, segments, write-back, recovery.

pub mod snapshot;
