//! One core's world: its partitions, its journal, who waits for them.

mod append;
mod append_followed;
mod budget;
mod checkpointer;
mod cold_cache;
mod cold_read;
mod commits;
mod compactor;
mod compactor_output;
mod compactor_pace;
mod compactor_pass;
mod corruption;
mod endpoints;
mod error;
mod extent;
mod fetch;
mod file_cache;
mod follow;
mod groups;
mod hand_off;
mod index_cache;
mod inspect;
mod latest;
mod lease;
mod line;
mod log_start;
mod lost_records;
mod mailbox;
mod metadata;
mod meters;
mod open;
mod pace;
mod partition_error;
mod partition_ops;
mod pending_append;
mod phase;
mod producer_ids;
mod producers;
mod read;
mod reclaim;
mod replica;
mod replication;
mod retention;
mod scrub;
mod serve;
#[allow(clippy::module_inception, reason = "the shard itself, among what belongs to it")]
mod shard;
mod space;
mod stalls;
mod steady_clock;
mod stop;
mod storage;
mod tasks;
#[cfg(any(test, feature = "test-support"))]
pub mod testing;
mod truncate;
mod watching;
mod write_back;

pub use append::Appended;
pub use budget::{Budget, Charge};
pub use commits::{CommitWaiter, Uncommitted};
pub use compactor::CompactionConfig;
pub use compactor_pass::{PassEnd, PassError};
pub use endpoints::{AdvertisedListener, Endpoints, ListenerIndex};
pub use error::StorageError;
pub use fetch::{
    FetchPartitions, FetchSessions, Finding, Offsets, OpenFetch, SessionError, SessionId, SessionRequest,
    Slot, TopicKey, Wanted, Watch, Watched,
};
pub use follow::{configured_defaults, partition_specs};
pub use groups::OFFSETS_TOPIC;
pub use hand_off::HandOffError;
pub use inspect::LogSizes;
pub use lease::Lease;
pub use mailbox::{Mailbox, MailboxSender, mailbox};
pub use metadata::{Answer, Metadata, MetadataUnavailable};
pub use meters::{
    ConnectionEnd, ConnectionMeters, PauseReason, Pauses, Probe, RequestMeters, ShardGone, ShardReport, Stage,
};
pub use open::{PartitionSpec, restored_state};
pub use partition_error::PartitionError;
pub use partition_ops::{Accepted, Acks, DeleteUpTo, LookUp, LookUpOutcome, ReadOutcome, ReadRequest};
pub use pending_append::PendingAppend;
pub use phase::{Phase, Phases};
pub use producers::ProducersConfig;
pub use replica::Replica;
pub use replication::{Identity, Link, LinkEnd, OutFrame, Replication, ReplicationReport, Side};
pub use scrub::ScrubMeters;
pub use shard::{Counters, Shard, ShardBudgets, ShardParts};
pub use storage::{Storage, StorageConfig};
pub use tasks::Tasks;
