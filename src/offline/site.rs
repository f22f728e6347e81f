//! A data directory that no broker uses: whose it is, where its shards' files are, and what its partitions are called.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::error::OfflineError;
use crate::base::ids::{PartitionId, ShardId};
use crate::control::NodeFile;
use crate::log::LogError;
use crate::log::recovery::ShardPaths;
use crate::log::segment::path;
use crate::runtime::Runtime;
use crate::startup::{DirectoryLock, claim, hold};

/// What is to be done with a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Looked at: nothing is changed, and others may look too.
    Read,
    /// Changed.
    Write,
}

/// A data directory, kept from brokers until dropped.
pub struct DataDirectory {
    data: PathBuf,
    /// What node.json says.
    pub node: NodeFile,
    shards: Vec<(ShardId, ShardPaths)>,
    _locks: Vec<DirectoryLock>,
}

impl DataDirectory {
    /// Locks `data` and `journal`, where the journals are, and reads node.json.
    pub fn open(data: &Path, journal: &Path, access: Access) -> Result<Self, OfflineError> {
        let no_data = || OfflineError::NoData { path: data.to_owned() };
        // Before anything is locked: a lock for writing would make the directory.
        let node = NodeFile::read_any(data)?.filter(|node| node.layout.generation > 0).ok_or_else(no_data)?;
        let mut directories = vec![("data.dir", data)];
        if journal != data {
            directories.push(("journal.dir", journal));
        }
        let mut locks = Vec::new();
        for (key, directory) in directories {
            match access {
                Access::Read => locks.extend(hold(key, directory)?),
                Access::Write => locks.push(claim(key, directory)?),
            }
        }
        // A broker that has just stopped may have laid the files out anew.
        let node = NodeFile::read_any(data)?.unwrap_or(node);
        let shards = (0..node.layout.shards).map(ShardId);
        let shards = shards.map(|shard| (shard, node.layout.paths(data, journal, shard))).collect();
        Ok(DataDirectory { data: data.to_owned(), node, shards, _locks: locks })
    }

    /// The directory as it is seen through a runtime.
    pub async fn site(&self, runtime: Rc<dyn Runtime>) -> Result<Site, OfflineError> {
        let disk_id = *self.node.disk_id.0.as_bytes();
        let site = Site::new(runtime, self.data.clone(), disk_id, self.shards.clone()).await?;
        Ok(Site { in_cluster: self.node.in_cluster.is_some(), ..site })
    }
}

/// Where everything is.
pub struct Site {
    /// The door to the disk.
    pub runtime: Rc<dyn Runtime>,
    /// The data directory.
    pub data: PathBuf,
    /// Its identity.
    pub disk_id: [u8; 16],
    /// The shards whose files count.
    pub shards: Vec<(ShardId, ShardPaths)>,
    /// Length of a journal that is made anew, in bytes, where no file that is left tells the one that it had.
    pub journal_bytes: Option<u64>,
    /// Whether the node has others beside it, which count its copies as whole.
    pub in_cluster: bool,
    directories: BTreeMap<PartitionId, PathBuf>,
}

impl Site {
    /// Lists the partitions' directories.
    pub async fn new(
        runtime: Rc<dyn Runtime>,
        data: PathBuf,
        disk_id: [u8; 16],
        shards: Vec<(ShardId, ShardPaths)>,
    ) -> Result<Self, OfflineError> {
        let topics = path::topics_directory(&data);
        let listed = runtime.list_dir(&topics).await.map_err(LogError::io(&topics))?;
        let directories =
            listed.into_iter().filter_map(|directory| Some((path::partition_of(&directory)?, directory)));
        let directories = directories.collect();
        Ok(Site { runtime, data, disk_id, shards, journal_bytes: None, in_cluster: false, directories })
    }

    /// A partition's directory; `None` for one that was deleted.
    pub fn directory(&self, id: PartitionId) -> Option<&Path> {
        self.directories.get(&id).map(PathBuf::as_path)
    }

    /// The partitions that have a directory.
    pub fn partitions(&self) -> impl Iterator<Item = PartitionId> {
        self.directories.keys().copied()
    }

    /// A partition's name: TOPIC-PARTITION where its directory tells, or else with the topic's id alone.
    pub fn name(&self, id: PartitionId) -> String {
        self.full_name(id).map_or_else(|| id.to_string(), |name| short(&name).to_owned())
    }

    /// With the topic's id behind it.
    fn full_name(&self, id: PartitionId) -> Option<String> {
        Some(self.directory(id)?.file_name()?.to_str()?.to_owned())
    }

    /// The partition that is called so.
    pub fn find(&self, name: &str) -> Result<PartitionId, OfflineError> {
        let is_meant = |id: &PartitionId| {
            let full_name = self.full_name(*id).unwrap_or_default();
            full_name == name || short(&full_name) == name || id.to_string() == name
        };
        let found: Vec<PartitionId> = self.partitions().filter(is_meant).collect();
        match found[..] {
            [id] => Ok(id),
            [] => Err(OfflineError::UnknownPartition(name.to_owned())),
            _ => {
                let candidates = found.iter().filter_map(|id| self.full_name(*id)).collect();
                Err(OfflineError::AmbiguousPartition { name: name.to_owned(), candidates })
            }
        }
    }
}

fn short(full_name: &str) -> &str {
    full_name.rsplit_once('.').map_or(full_name, |(name, _)| name)
}
