//! The log of one shard: journal, checkpoint, segments, recovery.

pub mod checkpoint;
pub mod compaction;
pub mod error;
pub mod extent;
pub mod journal;
pub mod partition_log;
pub mod read;
pub mod recovery;
mod retention;
pub mod run;
pub mod segment;
pub mod snapshot;
pub mod walk;

pub use error::{LogError, is_no_space};
pub use retention::Retention;
