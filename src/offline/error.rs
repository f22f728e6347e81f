//! Why a tool could not do its work; what it finds is no error.

use std::io;
use std::path::{Path, PathBuf};

use crate::base::ids::{Offset, ShardId};
use crate::control::NodeFileError;
use crate::log::LogError;
use crate::startup::Problem;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// A broker runs on it, or it cannot be opened.
    #[error(transparent)]
    Directory(#[from] Problem),
    /// node.json cannot be used.
    #[error(transparent)]
    NodeFile(#[from] NodeFileError),
    /// It is no data directory, or an empty one.
    #[error("{} is no data directory: it holds no node.json of a broker that has served", path.display())]
    NoData {
        /// The directory.
        path: PathBuf,
    },
    /// The disk refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// The disk's answer.
        source: io::Error,
    },
    /// The log's files cannot be read at all.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Others would cut their copies to what a repair leaves.
    #[error(
        "this node is one of a cluster, where its copies count as whole: what a repair gives up here can be cut from the \
         other nodes' copies too. Where the partitions have copies on other nodes, empty the data and journal \
         directories instead and start: the node comes back as a new one and is sent everything. Where they have not, \
         give --in-cluster"
    )]
    InCluster,
    /// Nothing is known of such a partition.
    #[error("there is no partition {0}: name it TOPIC-PARTITION, as `corelane log stat` does")]
    UnknownPartition(String),
    /// Several topics had the name.
    #[error("there are several partitions {name}: name one with its topic id, as {}", candidates.join(" or "))]
    AmbiguousPartition {
        /// The name.
        name: String,
        /// Names that are not ambiguous.
        candidates: Vec<String>,
    },
    /// The journal is broken, so that it is not known what the partition's end is.
    #[error(
        "the journal of shard {shard} lacks group {sequence}, which was durable: repair it first, with --journal"
    )]
    JournalBroken {
        /// The shard.
        shard: ShardId,
        /// The group.
        sequence: u64,
    },
    /// Journal files that would be overwritten are of another data directory.
    #[error(
        "{}: journal files in it were made for another data directory, and a repair would overwrite them: check \
         --journal-dir, or move them away first", path.display()
    )]
    ForeignFiles {
        /// The journal's directory.
        path: PathBuf,
    },
    /// There is nothing to repair.
    #[error("nothing to repair: {0}")]
    NothingToRepair(String),
    /// A log cannot be made to end there.
    #[error("{partition} cannot be cut at {offset}: {why}")]
    CannotCut {
        /// The partition.
        partition: String,
        /// Where.
        offset: Offset,
        /// Why not, and what could be done instead.
        why: String,
    },
    /// The state that a checkpoint keeps contradicts itself.
    #[error("the state of {partition} cannot be kept: {why}")]
    State {
        /// The partition.
        partition: String,
        /// Why.
        why: String,
    },
}

impl OfflineError {
    /// For `map_err`: the disk's answer with the path that it is about.
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> OfflineError + '_ {
        move |source| OfflineError::Io { path: path.to_owned(), source }
    }
}
