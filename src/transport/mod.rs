//! The quorum's messages between nodes, over TCP and on Tokio: this node's cluster port, and a connection to each of the
//! other voters. Each direction has its own connection, opened by whoever speaks; only control's questions are answered on
//! the connection that they came by. All decisions are [`crate::link`]'s.

mod accept;
mod caller;
mod cluster_links;
mod control_frames;
mod dial;
mod greet;
mod lane;
mod links;
mod quorum_frames;
mod warnings;

pub use caller::{CallError, Caller, CallerSettings};
pub use cluster_links::{ClusterLinks, Question};
pub use greet::{GreetError, read_answer};
pub use links::{Arrival, LinkPeer, LinkSettings, QuorumLinks, Sent};
