//! What the main thread waits for, and what it tells the shards.

use std::net::SocketAddr;
use std::sync::Arc;

use super::addresses::ShardAddresses;
use super::error::ServeError;
use crate::base::ids::ShardId;
use crate::shard::Endpoints;

/// News for the main thread.
#[derive(Debug)]
pub enum Event {
    /// The process was told to stop.
    Signal(Signal),
    /// A shard has come this far.
    Reached(ShardId, Stage),
    /// A shard cannot go on: the reason, unless its thread says it when it is joined.
    Ended(ShardId, Option<ServeError>),
}

/// How far a shard has come.
#[derive(Debug)]
pub enum Stage {
    /// Its storage is open. Some of its files' partitions belong to other shards, or none.
    Opened {
        /// Whether there are any.
        has_misplaced: bool,
    },
    /// It listens: its own address for each listener, none in node mode.
    Bound(Vec<Option<SocketAddr>>),
    /// It serves.
    Serving,
    /// It has no connections any more.
    Drained,
    /// Its storage is stopped; the reason if that was not clean.
    Stopped(Result<(), String>),
}

/// Orders to a shard, in this order. A shard whose orders end ends without stopping its storage.
#[derive(Clone, Debug)]
pub enum Order {
    /// Bind these, one for each listener.
    Bind(Vec<ShardAddresses>),
    /// Serve; this is where clients reach the node.
    Serve(Arc<Endpoints>),
    /// Answer what is in flight, and end all connections.
    Drain,
    /// Stop the storage.
    Stop,
}

/// A signal that asks for a stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// SIGTERM
    Terminate,
    /// SIGINT
    Interrupt,
}

impl Signal {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Terminate => "SIGTERM",
            Signal::Interrupt => "SIGINT",
        }
    }
}
