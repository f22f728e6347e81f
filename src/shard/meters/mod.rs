//! What a shard counts, and how others are told. Counters are plain cells of the shard's own thread; who wants to know
//! asks through the mailbox and is given a copy.

mod compaction;
mod connections;
mod groups;
mod pauses;
mod probe;
mod report;
mod requests;
mod storage;

pub use connections::{ConnectionEnd, ConnectionMeters};
pub(super) use groups::GroupHostMeters;
pub use groups::GroupReport;
pub use pauses::{PauseReason, Pauses};
pub use probe::{Probe, ShardGone};
pub use report::ShardReport;
pub use requests::{RequestMeters, Stage};
pub(super) use storage::StorageMeters;
