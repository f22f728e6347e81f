//! One shard without a workload, for tests that set one scene.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use corelane::base::ids::{Offset, PartitionId, TopicId};
use corelane::base::limits::BLOCK_BYTES;
use corelane::cluster::TopicSettings;
use corelane::log::LogError;
use corelane::log::journal::ring::RingShape;
use corelane::log::recovery::{self, ShardPaths};
use corelane::protocol::batch::{BatchBuilder, BatchHeader, Batches};
use corelane::runtime::sim::SimWorld;
use corelane::runtime::{OpenMode, Runtime};
use corelane::shard::{
    CompactionConfig, PartitionSpec, ProducersConfig, Replica, Storage, StorageConfig, StorageError,
};

/// Kafka's settings of a topic, but for the length of segments.
pub fn topic_settings(segment_bytes: u64) -> TopicSettings {
    let segment_bytes = u32::try_from(segment_bytes).expect("a segment's length");
    TopicSettings { segment_bytes, ..TopicSettings::default() }
}

pub const DISK_ID: [u8; 16] = [0xd1; 16];

/// A small ring of small files.
pub const SMALL: RingShape = RingShape {
    file_count: 3,
    file_bytes: 64 * BLOCK_BYTES as u64,
    group_bytes_max: 16 * BLOCK_BYTES as u64,
};

pub fn paths() -> ShardPaths {
    ShardPaths {
        directory: PathBuf::from("/data/shard-0"),
        journal_directory: PathBuf::from("/data/shard-0/journal"),
    }
}

pub fn id(index: i32) -> PartitionId {
    PartitionId { topic: TopicId::from_bytes([7; 16]), index }
}

/// See the module.
pub struct Node {
    pub world: SimWorld,
    pub runtime: Rc<dyn Runtime>,
    pub config: StorageConfig,
    pub partitions: i32,
    boots: std::cell::Cell<i32>,
}

impl Node {
    pub fn new(seed: u64, shape: RingShape, partitions: i32) -> Self {
        let node = Node::uncreated(seed, partitions);
        node.world.block_on(node.create(shape)).expect("no crash").expect("created");
        node
    }

    /// A machine on which the shard's files are still to be made.
    pub fn uncreated(seed: u64, partitions: i32) -> Self {
        let world = SimWorld::new(seed);
        let config = StorageConfig {
            data_directory: PathBuf::from("/data"),
            shard_directory: paths().directory,
            group_bytes: 4 * BLOCK_BYTES,
            segment_bytes: 24 * BLOCK_BYTES as u64,
            dirty_bytes_max: 48 * BLOCK_BYTES as u64,
            tail_bytes_max: 24 * BLOCK_BYTES,
            cold_bytes_max: 64 * BLOCK_BYTES,
            open_segments_max: 64,
            retention_check_interval: Duration::from_secs(300),
            reclaim_step_bytes: 10 * BLOCK_BYTES as u64,
            compaction: CompactionConfig::default(),
            producers: ProducersConfig::default(),
            extent_bytes_min: 3 * BLOCK_BYTES,
            disk_free_bytes_min: 0,
        };
        Node { runtime: world.runtime(), world, config, partitions, boots: std::cell::Cell::new(0) }
    }

    pub async fn create(&self, shape: RingShape) -> Result<(), LogError> {
        self.runtime.create_dir("/data".as_ref()).await.expect("created");
        self.runtime.sync_dir("/".as_ref()).await.expect("synced");
        recovery::create(&self.runtime, &paths(), DISK_ID, shape).await
    }

    pub fn run<T>(&self, scene: impl Future<Output = T>) -> T {
        self.world.block_on(scene).expect("no crash is armed")
    }

    /// Recovers the shard; nothing maintains it yet.
    pub async fn open(&self) -> Result<Rc<Storage>, LogError> {
        self.boots.set(self.boots.get() + 1);
        let spec = |index| PartitionSpec {
            id: id(index),
            topic_name: "t".to_owned(),
            leader_epoch: self.boots.get() * 1_000,
            settings: topic_settings(self.config.segment_bytes),
        };
        let specs: Vec<_> = (0..self.partitions).map(spec).collect();
        Storage::open(Rc::clone(&self.runtime), self.config.clone(), &paths(), DISK_ID, &specs).await
    }

    pub async fn boot(&self) -> Rc<Storage> {
        let storage = self.open().await.unwrap_or_else(|error| panic!("recovery failed: {error}"));
        self.runtime.spawn(Box::pin(Rc::clone(&storage).maintain()));
        self.runtime.spawn(Box::pin(Rc::clone(&storage).reclaim()));
        self.runtime.spawn(Box::pin(Rc::clone(&storage).keep_retention()));
        storage
    }

    /// Generation and path of the newest checkpoint.
    pub async fn newest_checkpoint(&self) -> (u64, PathBuf) {
        let mut newest = (0, PathBuf::new());
        for path in self.runtime.list_dir(&paths().directory).await.expect("listed") {
            if path.file_stem().is_some_and(|name| name == "checkpoint") {
                let bytes = self.bytes_of(&path).await;
                // One that was made and not written yet.
                if bytes.len() < BLOCK_BYTES {
                    continue;
                }
                let generation = u64::from_le_bytes(bytes[8..16].try_into().expect("8 bytes"));
                newest = newest.max((generation, path));
            }
        }
        newest
    }

    pub async fn bytes_of(&self, path: &Path) -> Vec<u8> {
        let file = self.runtime.open(path, OpenMode::Read).await.expect("exists");
        let length = file.length().await.expect("known") as usize;
        if length == 0 {
            return Vec::new();
        }
        file.read_at(0, length.next_multiple_of(BLOCK_BYTES)).await.expect("read").as_slice().to_vec()
    }
}

/// A batch with one record of this many bytes, all the same.
pub fn batch_of(fill: u8, length: usize) -> Vec<u8> {
    BatchBuilder::new().record(i64::from(fill), None, Some(&vec![fill; length])).build()
}

/// Appends without waiting for durability.
pub async fn append(storage: &Storage, replica: &Rc<Replica>, batch: &[u8]) -> Result<Offset, StorageError> {
    let header = BatchHeader::parse(batch).expect("built here");
    storage.append(replica, &header, batch).await.map(|appended| appended.last_offset)
}

/// Appends and waits for the acknowledgement.
pub async fn produce(storage: &Storage, replica: &Rc<Replica>, batch: &[u8]) -> Result<Offset, StorageError> {
    let last_offset = append(storage, replica, batch).await?;
    match replica.commit_waiter(last_offset) {
        Some(committed) => match committed.await {
            Ok(()) => Ok(last_offset),
            Err(_) => Err(storage.check_in_service().expect_err("or it is committed")),
        },
        None => Ok(last_offset),
    }
}

/// The last byte of every record in the log; panics where something cannot be read.
pub async fn fills(storage: &Storage, replica: &Rc<Replica>) -> Vec<u8> {
    let (mut offset, end) = {
        let state = replica.state.borrow();
        (state.progress().log_start(), state.progress().high_watermark())
    };
    let mut fills = Vec::new();
    while offset < end {
        let bytes = storage.read(replica, offset, 50_000).await.expect("read").concat();
        for batch in Batches::new(&bytes).check_crc() {
            let batch = batch.expect("whole").batch;
            offset = batch.header().last_offset() + 1;
            // A record ends with its number of headers, after its value.
            fills.push(batch.bytes()[batch.bytes().len() - 2]);
        }
    }
    fills
}
