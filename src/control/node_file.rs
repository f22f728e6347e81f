//! DATA_DIR/node.json: which node's data this is.
//!
//! ```json
//! {"format_version":1,"cluster_id":"Zr1dV0QnS1KvGkOe2o8i4A","node_id":1,
//!  "disk_id":"2f0e5d0c-3a54-4c6e-9b1e-0d3f9f1c2a77","boot_count":3,"layout":{"generation":0,"shards":2}}
//! ```
//!
//! The boot count is 0 until the directory has been made whole: only then may anything in it be missing. Each
//! start counts it up before it tells anybody of the new incarnation.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::files;
use crate::base::ids::{NodeId, ShardId};
use crate::base::limits::NODE_FILE_BYTES_MAX;
use crate::cluster::{DiskId, KafkaUuid};
use crate::log::recovery::ShardPaths;

const NODE_FILE: &str = "node.json";
/// The version of the data directory as a whole.
pub const NODE_FORMAT_VERSION: u32 = 1;

/// How a node's partitions are spread over the shards' files on its disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Layout {
    /// Counts the layouts; 0 as long as no files were made.
    pub generation: u32,
    /// Number of shards that own files.
    pub shards: u16,
}

impl Layout {
    /// The name of the directory of a generation's files, below the data directory and below the journals'.
    pub fn directory_name(generation: u32) -> String {
        format!("layout-{generation}")
    }

    /// The places of one shard's files.
    pub fn paths(self, data_directory: &Path, journal_directory: &Path, shard: ShardId) -> ShardPaths {
        let below = PathBuf::from(Self::directory_name(self.generation)).join(format!("shard-{shard}"));
        ShardPaths {
            directory: data_directory.join(&below),
            journal_directory: journal_directory.join(below).join("journal"),
        }
    }

    /// The layout that comes after this one.
    pub fn next(self, shards: u16) -> Self {
        Layout { generation: self.generation + 1, shards }
    }
}

/// What a node among others remembers of its present start, and of its first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InCluster {
    /// Whether the directory began as that of a node that joins others, which have the metadata.
    pub joins: bool,
    /// A random id of this start.
    pub start: Uuid,
    /// Whether the controller has registered it. If not, the next start says the same again.
    pub registered: bool,
}

/// The content of node.json.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeFile {
    /// [`NODE_FORMAT_VERSION`] of the software that wrote it.
    pub format_version: u32,
    /// The cluster that the node belongs to.
    pub cluster_id: KafkaUuid,
    /// The node.
    pub node_id: NodeId,
    /// This data directory.
    pub disk_id: DiskId,
    /// How often the node has started with it.
    pub boot_count: u64,
    /// How the files are laid out.
    pub layout: Layout,
    /// What a node on its own does not have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_cluster: Option<InCluster>,
}

/// The part of node.json that every version can read.
#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

/// Why node.json cannot be used.
#[derive(Error, Debug)]
pub enum NodeFileError {
    /// It cannot be read or written.
    #[error("cannot read or write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not what was written.
    #[error("{} is damaged ({detail}): restore it from a backup of this data directory", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// Other software wrote it.
    #[error(
        "{} has format {found}, and this corelane reads {NODE_FORMAT_VERSION}: start the version that wrote it, \
         or a later one",
        path.display()
    )]
    OtherFormat {
        /// The file.
        path: PathBuf,
        /// The format it says it has.
        found: u32,
    },
    /// It belongs to another node.
    #[error(
        "{} belongs to node {found}: start with --node-id {found}, or with another --data-dir for node \
         {configured}",
        path.display()
    )]
    OtherNode {
        /// The file.
        path: PathBuf,
        /// The node it belongs to.
        found: NodeId,
        /// The node that was configured.
        configured: NodeId,
    },
}

impl NodeFileError {
    /// Whether the disk had no room for it.
    pub fn is_no_space(&self) -> bool {
        matches!(self, NodeFileError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
    }
}

impl NodeFile {
    /// Reads the file of `dir`, which must be `node`'s; `None` if there is none.
    pub fn read(dir: &Path, node: NodeId) -> Result<Option<Self>, NodeFileError> {
        match Self::read_any(dir)? {
            Some(file) if file.node_id != node => {
                let path = dir.join(NODE_FILE);
                Err(NodeFileError::OtherNode { path, found: file.node_id, configured: node })
            }
            file => Ok(file),
        }
    }

    /// Reads the file of `dir`, whichever node's it is; `None` if there is none.
    pub fn read_any(dir: &Path) -> Result<Option<Self>, NodeFileError> {
        let path = dir.join(NODE_FILE);
        let content = files::read(&path, NODE_FILE_BYTES_MAX);
        let content = match content.map_err(|source| NodeFileError::Io { path: path.clone(), source })? {
            Some(content) => content,
            None => return Ok(None),
        };
        let damaged = |detail: String| NodeFileError::Damaged { path: path.clone(), detail };
        if content.len() as u64 > NODE_FILE_BYTES_MAX {
            return Err(damaged(format!("longer than {NODE_FILE_BYTES_MAX} bytes")));
        }
        let parse_error = |error: serde_json::Error| damaged(error.to_string());
        let Version { format_version } = serde_json::from_slice(&content).map_err(parse_error)?;
        if format_version != NODE_FORMAT_VERSION {
            return Err(NodeFileError::OtherFormat { path, found: format_version });
        }
        let file: NodeFile = serde_json::from_slice(&content).map_err(parse_error)?;
        if file.layout.shards == 0 {
            return Err(damaged("a layout without shards".to_owned()));
        }
        Ok(Some(file))
    }

    /// Writes the file, durably and at once.
    pub fn write(&self, dir: &Path) -> Result<(), NodeFileError> {
        let path = dir.join(NODE_FILE);
        let mut content = serde_json::to_vec(self).expect("plain data");
        content.push(b'\n');
        files::replace(&path, &content).map_err(|source| NodeFileError::Io { path, source })
    }
}
