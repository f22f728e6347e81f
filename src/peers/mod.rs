//! Sockets between peer shards. For each peer shard that follows something of this one, this one opens two connections
//! there and keeps them up; those that others open come in by the cluster port, from control's thread. What goes over them
//! is for [`crate::shard::Replication`] to say.

mod carry;
mod connections;
mod dial;
mod greet;
#[cfg(test)]
mod tests;

pub use connections::{PeerAddresses, Peers};
