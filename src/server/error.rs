//! Why a broker ended other than by a signal.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use thiserror::Error;

use super::layout::LayoutError;
use crate::base::ids::ShardId;
use crate::config::address::HostPort;
use crate::control::StartError;
use crate::log::LogError;

/// Why a broker did not start, or did not stop cleanly.
#[derive(Debug, Error)]
pub enum ServeError {
    /// node.json or the metadata do not allow it.
    #[error(transparent)]
    Control(#[from] StartError),
    /// The shards' files could not be laid out.
    #[error("the shards' files cannot be made: {0}")]
    Layout(#[from] LayoutError),
    /// A file or directory beside the shards' own cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A thread or its executor could not be had.
    #[error("cannot start {what}: {source}")]
    Thread {
        /// Which thread.
        what: String,
        /// What the system says.
        source: io::Error,
    },
    /// A shard's files cannot be recovered.
    #[error("shard {shard}: {source}")]
    Storage {
        /// The shard.
        shard: ShardId,
        /// What is wrong.
        source: LogError,
    },
    /// A shard's journal was made for shorter batches.
    #[error(
        "shard {shard}: its journal was made for batches of up to {fitting} bytes, and `message.max.bytes` is \
         {configured}: set it to {fitting} or less. A change of the number of shards makes new journals, of the \
         present `journal.bytes`"
    )]
    BatchesTooLong {
        /// The shard.
        shard: ShardId,
        /// `message.max.bytes`
        configured: usize,
        /// The longest batch that fits.
        fitting: u64,
    },
    /// Partitions are in files of shards that do not own them, even after they were moved.
    #[error(
        "partitions are not where they were moved to; this is a defect of Corelane: keep the directory and \
         report it"
    )]
    Misplaced,
    /// An address cannot be listened on.
    #[error(
        "listener `{listener}`: {source}; stop what listens there, or move with --listen or --shard-ports"
    )]
    Listen {
        /// The listener's name.
        listener: String,
        /// The address that was tried.
        address: SocketAddr,
        /// What the system says, with the address.
        source: io::Error,
    },
    /// The admin port cannot be listened on.
    #[error("the admin port {bind}: {source}; move it with --admin, or open none with `--admin none`")]
    Admin {
        /// Where it was to be.
        bind: HostPort,
        /// What the system says.
        source: io::Error,
    },
    /// A host to listen on has no address.
    #[error("listener `{listener}`: {host} does not resolve: {source}")]
    HostUnknown {
        /// The listener's name.
        listener: String,
        /// Its host.
        host: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// A shard ended although nobody had told it to.
    #[error("{shard_name} ended by itself")]
    ShardEnded {
        /// The shard's thread.
        shard_name: String,
    },
    /// The broker stopped, but a shard could not write everything back. Nothing acknowledged is lost: it is in
    /// the journal.
    #[error("shard {shard} did not stop cleanly: {reason}; what it acknowledged is in its journal")]
    UncleanStop {
        /// The shard.
        shard: ShardId,
        /// Why.
        reason: String,
    },
}
