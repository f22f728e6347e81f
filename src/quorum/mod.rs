//! The metadata quorum: Raft over TiKV's `raft` crate, as a pure state machine. Events go in (a tick, a peer's message,
//! a proposal, "that is durable"), effects come out (what to make durable, what to send, what was committed). Pure but
//! for [`QuorumStore`]: no clock, no randomness, no network.
//!
//! What is replicated is a map from text to bytes ([`State`]); its image is small enough to be kept in memory.

mod archive;
mod command;
mod convert;
mod frame;
mod guard;
mod members;
mod memory_log;
mod message;
mod node;
mod proposals;
mod reads;
mod ready;
mod session;
mod settings;
mod snapshot_receive;
mod snapshot_send;
mod state;
mod store;
mod stored;
#[cfg(test)]
mod tests;
mod timeouts;

pub use command::Change;
pub use frame::{Address, FRAME_HEADER_BYTES, FrameError, FrameHeader, decode_frame, encode_frame};
pub use members::{MemberChange, Members, RaftId};
pub use message::{Body, Chunk, Entry, EntryKind, Message};
pub use node::{Effect, Node, ProposalId, ReadId, Rejection, Role, Status};
pub use session::{Incoming, Outgoing, StaleFrame};
pub use settings::Settings;
pub use state::State;
pub use store::{QuorumStore, QuorumStoreError};
pub use stored::{Head, IndexedEntry, Persist, Stored};
