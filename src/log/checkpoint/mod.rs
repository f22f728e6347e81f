//! Checkpoints: everything that replay needs and that the journal no longer holds.

mod compaction;
mod damage;
mod file;
mod format;
mod record;

pub use damage::DamageRecord;
pub use file::{Checkpoint, CheckpointState, make_other, path, read, read_state, write};
pub use format::{BodyBuilder, CheckpointHeader};
pub use record::PartitionRecord;
