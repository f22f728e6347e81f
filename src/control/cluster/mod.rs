//! Control of a node among others. Every node has a member of the metadata quorum, which votes or only follows; who
//! leads the quorum is the active controller, and decides for all.
//!
//! Pure: `seek` (whose cluster is it), `route` (who is asked), `active` (what is decided), `voters` (who votes),
//! `knowledge` (what the node knows), `work` (what waits for the quorum), `peers`, `session_clock`. On Tokio: `join` (the start),
//! `driver` (the loop), `member` (the store), `asker` and `presence` (what the node says), `addresses`.

mod active;
mod addresses;
mod asker;
mod driver;
mod join;
mod knowledge;
mod member;
mod message;
mod peers;
mod presence;
mod route;
mod seek;
mod session_clock;
mod voters;
mod work;

pub use join::{ClusterConfig, ForShards};
pub(super) use join::{Joined, Setup, run};
