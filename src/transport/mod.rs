//! The quorum's messages between nodes, over TCP and on Tokio: this node's cluster port, and a connection to each of the
//! other voters. Each direction has its own connection, opened by whoever speaks. All decisions are [`crate::link`]'s.

mod accept;
mod dial;
mod greet;
mod lane;
mod links;
mod quorum_frames;

pub use greet::{GreetError, read_answer};
pub use links::{Arrival, LinkPeer, LinkSettings, QuorumLinks, Sent};
