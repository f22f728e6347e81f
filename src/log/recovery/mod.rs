//! What a crash left becomes a log again: checkpoint and journal are read, segments are not.

mod examine;
mod fold;
mod parcel;
mod recoveries;
mod shard;

pub use examine::{Examined, ExaminedPartition, examine};
pub use fold::StateChange;
pub use parcel::Parcel;
pub use recoveries::{note as note_recovery, path as recoveries_path};
pub use shard::{DamagedPartition, RecoveredPartition, RecoveredShard, ShardPaths, create, recover};
