//! The groups whose partitions of `__consumer_offsets` this shard leads: the coordinator decides, and its host here
//! brings it requests, time and records, and does what it wants done.

mod append;
mod ask;
mod follow;
mod host;
mod load;
mod settings;

pub use ask::OFFSETS_TOPIC;
pub(super) use host::Groups;
pub(super) use settings::group_settings;
