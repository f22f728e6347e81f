//! Where the shards' files are, and how one set of shards takes the place of another.
//!
//! ```text
//! DATA_DIR/layout-G/shard-N/checkpoint.{0,1}
//! JOURNAL_DIR/layout-G/shard-N/journal/NNNN.journal
//! ```
//! The generation G that counts is the one in node.json. Another number of shards, or partitions that belong
//! elsewhere, make a complete new layout beside the old one; writing its generation to node.json is the
//! switch, and only then the old one goes. So a crash at any point leaves the one or the other.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use futures_util::future::try_join_all;

use crate::base::ids::{PartitionId, ShardId};
use crate::base::limits::SHARDS_BUILT_AT_ONCE;
use crate::base::planted::{Bug, is_planted};
use crate::control::Layout;
use crate::log::LogError;
use crate::log::journal::ring::RingShape;
use crate::log::recovery::{self, Parcel, ShardPaths};
use crate::runtime::Runtime;
use crate::shard::{HandOffError, PartitionSpec, Storage, StorageConfig};

/// The generation that a directory's name says it is of.
fn generation_of(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_prefix("layout-")?.parse().ok()
}

/// Everything that layouts are made of, whatever their generation.
#[derive(Clone, Debug)]
pub struct Ground {
    /// `data.dir`
    pub data_directory: PathBuf,
    /// `journal.dir`
    pub journal_directory: PathBuf,
    /// The data directory's identity.
    pub disk_id: [u8; 16],
    /// The shape of journals that are made.
    pub shape: RingShape,
    /// Bounds of the shards' storages; its directory of the shard is set here.
    pub storage: StorageConfig,
}

/// A partition and the shard to which the metadata gives it.
#[derive(Clone, Debug)]
pub struct Assigned {
    /// The shard.
    pub shard: ShardId,
    /// The partition.
    pub spec: PartitionSpec,
}

/// Why a layout could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LayoutError {
    /// The partitions could not be moved, or files not be made.
    #[error(transparent)]
    HandOff(#[from] HandOffError),
    /// Files could not be made.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Two shards know one partition.
    #[error(
        "partition {partition} is in the files of two shards; this is a defect of Corelane: keep the directory \
         and report it"
    )]
    PartitionTwice {
        /// The partition.
        partition: PartitionId,
    },
}

impl Ground {
    /// The places of one shard's files.
    pub fn paths(&self, layout: Layout, shard: ShardId) -> ShardPaths {
        layout.paths(&self.data_directory, &self.journal_directory, shard)
    }

    /// The configuration of one shard's storage.
    pub fn storage_of(&self, layout: Layout, shard: ShardId) -> StorageConfig {
        let shard_directory = self.paths(layout, shard).directory;
        StorageConfig { shard_directory, ..self.storage.clone() }
    }

    /// Makes an empty layout, durably. What an unfinished attempt left of it is replaced.
    pub async fn create(&self, runtime: &Rc<dyn Runtime>, layout: Layout) -> Result<(), LayoutError> {
        self.remove(runtime, layout.generation).await?;
        let shards: Vec<ShardId> = (0..layout.shards).map(ShardId).collect();
        for shards in shards.chunks(SHARDS_BUILT_AT_ONCE) {
            let created = shards.iter().map(|&shard| async move {
                recovery::create(runtime, &self.paths(layout, shard), self.disk_id, self.shape).await
            });
            try_join_all(created).await?;
        }
        for root in self.roots() {
            for directory in [root.join(Layout::directory_name(layout.generation)), root.to_owned()] {
                runtime.sync_dir(&directory).await.map_err(LogError::io(&directory))?;
            }
        }
        Ok(())
    }

    /// Makes the `new` layout with everything that the `old` one holds of `partitions`, durably. The old one is
    /// written back and otherwise as it was: as long as node.json names it, it is the one that counts.
    pub async fn rebuild(
        &self,
        runtime: &Rc<dyn Runtime>,
        old: Layout,
        new: Layout,
        partitions: &[Assigned],
    ) -> Result<(), LayoutError> {
        let parcels = self.dissolve(runtime, old, partitions).await?;
        if is_planted(Bug::DissolveEarly) {
            self.remove(runtime, old.generation).await?;
        }
        self.create(runtime, new).await?;
        let mut dealt: Vec<Vec<(PartitionSpec, Parcel)>> = (0..new.shards).map(|_| Vec::new()).collect();
        for (assigned, parcel) in parcels {
            dealt[usize::from(assigned.shard.0)].push((assigned.spec, parcel));
        }
        for (shard, parcels) in (0..new.shards).map(ShardId).zip(dealt) {
            let (config, paths) = (self.storage_of(new, shard), self.paths(new, shard));
            Storage::found(Rc::clone(runtime), config, &paths, self.disk_id, parcels).await?;
        }
        Ok(())
    }

    /// One shard after the other: recovery may take a journal's length of memory.
    async fn dissolve(
        &self,
        runtime: &Rc<dyn Runtime>,
        old: Layout,
        partitions: &[Assigned],
    ) -> Result<Vec<(Assigned, Parcel)>, LayoutError> {
        let specs: Vec<PartitionSpec> = partitions.iter().map(|assigned| assigned.spec.clone()).collect();
        let mut homeless: std::collections::HashMap<PartitionId, &Assigned> =
            partitions.iter().map(|assigned| (assigned.spec.id, assigned)).collect();
        let mut dissolved = Vec::new();
        for shard in (0..old.shards).map(ShardId) {
            let config = StorageConfig { tail_bytes_max: 0, ..self.storage_of(old, shard) };
            let paths = self.paths(old, shard);
            let parcels = Storage::dissolve(Rc::clone(runtime), config, &paths, self.disk_id, &specs).await?;
            for parcel in parcels {
                let partition = parcel.record.id();
                let assigned = homeless.remove(&partition);
                let assigned = assigned.ok_or(LayoutError::PartitionTwice { partition })?;
                dissolved.push((assigned.clone(), parcel));
            }
        }
        Ok(dissolved)
    }

    /// Removes every layout but this one, which must be in use: node.json names it and its shards were opened.
    pub async fn remove_others(&self, runtime: &Rc<dyn Runtime>, layout: Layout) -> Result<(), LogError> {
        for root in self.roots() {
            let entries = runtime.list_dir(root).await.map_err(LogError::io(root))?;
            let generations = entries.iter().filter_map(|path| generation_of(path));
            for generation in generations.filter(|&generation| generation != layout.generation) {
                self.remove(runtime, generation).await?;
            }
        }
        Ok(())
    }

    async fn remove(&self, runtime: &Rc<dyn Runtime>, generation: u32) -> Result<(), LogError> {
        let name = Layout::directory_name(generation);
        for root in self.roots() {
            let directory = root.join(&name);
            runtime.remove_dir_all(&directory).await.map_err(LogError::io(&directory))?;
        }
        Ok(())
    }

    /// The data directory, and the journals' if it is another.
    fn roots(&self) -> impl Iterator<Item = &Path> {
        let journals = (self.journal_directory != self.data_directory).then_some(&*self.journal_directory);
        std::iter::once(&*self.data_directory).chain(journals)
    }
}
