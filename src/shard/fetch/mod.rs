//! What a shard knows of those who fetch: the partitions of a request or a session and which of them want a look,
//! the sessions, and who is told when a partition has something new.

mod cache;
#[cfg(test)]
mod model_tests;
mod partitions;
mod sessions;
mod watch;

pub use cache::{SessionError, SessionId};
pub use partitions::{FetchPartitions, Finding, Offsets, Slot, TopicKey, Wanted};
pub use sessions::{FetchSessions, OpenFetch, SessionRequest};
pub use watch::{Watch, Watched, Watchers};
