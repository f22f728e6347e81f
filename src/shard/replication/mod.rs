//! Leading and following: what a shard does with the decisions of [`crate::replication`]. It knows no sockets: whoever
//! has a connection to a peer shard begins a [`Link`], gives it the frames that arrive, and takes those that are to go.
//!
//! A leader's records go as they are journaled: when a group is on its way to the disk, each peer shard that follows some
//! of it gets one frame over the same bytes. A follower journals what comes and says what is durable.

mod answer_lane;
#[cfg(test)]
mod bench;
mod catch_up;
mod duties;
mod following;
mod group;
mod hear;
mod host;
#[cfg(test)]
mod lane_tests;
mod leading;
#[cfg(test)]
mod link_tests;
mod links;
mod meters;
mod propose;
mod push_lane;
mod role;
mod set_aside;
#[cfg(test)]
mod tests;
mod tick;

pub use host::{Identity, Replication};
pub use links::{Link, LinkEnd, OutFrame, Side};
pub use meters::ReplicationReport;
pub(in crate::shard) use role::Role;
