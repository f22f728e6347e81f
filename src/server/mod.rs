//! The assembly of a broker, its ordered start and stop.
//!
//! Start: node.json and metadata (`control`), the layout of the shards' files (`prepare`, `layout`), a thread for
//! each shard (`shards`, `shard_thread`) which opens its storage, binds its addresses (`addresses`) and serves.
//! Every step of all shards ends before the next begins; what fails anywhere ends everything.

mod addresses;
mod admin;
mod error;
mod events;
mod ground;
mod layout;
#[cfg(test)]
mod layout_tests;
mod metadata;
mod prepare;
mod run;
mod shard_thread;
mod shards;
mod signals;

pub use error::ServeError;
pub use layout::{Assigned, Ground, LayoutError};
pub use run::run;

/// Runs a command that does one thing, and is no broker, on the runtime that a broker has.
pub use crate::runtime::glommio::run_here as run_command;
