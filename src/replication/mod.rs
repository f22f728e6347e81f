//! Replication between peer shards: the frames that they exchange, and what the leader and the followers of a partition
//! decide. Pure and synchronous: events in, effects out; no I/O, no clock, no randomness.
//!
//! A follower that meets a leader says where its log ends ([`Resume`]). The leader compares that with its own history of
//! terms and lets it go on, cut its log, or start anew ([`Reconcile`]), as often as it takes; then it pushes. A replica
//! counts what it has synced, and nothing else.

mod body;
mod follower;
mod following;
mod frame;
mod framing;
mod in_sync;
mod leader;
mod replica;
mod session;
#[cfg(test)]
mod tests;
mod verdict;
mod window;
mod wire;

pub use body::{AnswersView, PushView, encode_answers, encode_push};
pub use follower::{Follower, FollowerEffect, FollowerError, FollowerLog, Incoming};
pub use frame::{
    ARCHIVE_ALIGN_BYTES, Address, FRAME_HEADER_BYTES, FrameError, FrameHeader, FrameKind, PeerShard, Stream,
};
pub use framing::ReplicationFrames;
pub use in_sync::{InSync, Proposal};
pub use leader::{AckError, Leader, LeaderEffect, LeaderLog, LeaderSettings};
pub use replica::Replica;
pub use session::{Session, Sessions, StaleFrame};
pub use window::NeverSent;
pub use wire::{Ack, Action, Answers, ArchivedAnswers, ArchivedPush, Entry, Mark, Push, Reconcile, Resume};
