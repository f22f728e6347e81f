//! Consumer groups: who is a member, who has which share, and how far each group has come. Pure: requests, records
//! and time come in as values, answers and records to append go out as values; nothing here waits, or knows where the
//! log is.
//!
//! A group's life (Kafka's classic protocol; KIP-62, KIP-345, KIP-394, KIP-429):
//!
//! ```text
//!            a member joins                all have joined, or time is up
//! Empty ---------------------> PreparingRebalance --------------------> CompletingRebalance
//!   ^                            |        ^  ^                            |          |
//!   |          all have left     |        |  |   somebody comes, goes,    |          | the leader's assignment
//!   +----------------------------+        |  +--- or is silent -----------+          v is durable
//!                                         +------------------------------------- Stable
//! ```
//!
//! Members never see a share that is not durable, so no two members ever have the same partition in one generation: a
//! generation that is made again after a crash is one of which nobody got a share.

mod commits;
#[allow(clippy::module_inception, reason = "the coordinator itself, among what belongs to it")]
mod coordinator;
mod events;
mod expire;
mod group;
mod join;
mod load;
mod manage;
mod member;
mod meters;
mod offsets;
mod partitions;
mod protocols;
mod rebalance;
mod settings;
mod step;
mod subscription;
mod sync;
#[cfg(test)]
mod tests;

pub use coordinator::{Coordinator, NamedOffset};
pub use events::{
    AppendFailure, AppendId, Commit, Effect, FetchedOffset, Joining, ListFilter, Listing, Moment, NewOffset,
    Request, Response, Ticket,
};
pub use group::State;
pub use meters::{Census, Forgetting, GroupMeters};
pub use settings::Settings;
