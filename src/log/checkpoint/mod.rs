//! Checkpoints: everything that replay needs and that the journal no longer holds.

mod compaction;
mod file;
mod format;
mod record;

pub use file::{Checkpoint, make_other, read, write};
pub use format::{BodyBuilder, CheckpointHeader};
pub use record::PartitionRecord;
