//! What a crash left becomes a log again: checkpoint and journal are read, segments are not.

mod examine;
mod fold;
mod parcel;
mod shard;

pub use examine::{Examined, ExaminedPartition, examine};
pub use fold::StateChange;
pub use parcel::Parcel;
pub use shard::{DamagedPartition, RecoveredPartition, RecoveredShard, ShardPaths, create, recover};
