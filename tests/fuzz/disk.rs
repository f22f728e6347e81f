//! A shard's storage on the simulator's disk, with the history of all that was written: what is read back after its
//! files were damaged is held against that.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use corelane::base::buffer::AlignedBuf;
use corelane::base::ids::{Offset, PartitionId, TopicId};
use corelane::base::limits::BLOCK_BYTES;
use corelane::cluster::TopicSettings;
use corelane::log::LogError;
use corelane::log::journal::ring::RingShape;
use corelane::log::recovery::{self, ShardPaths};
use corelane::protocol::batch::{BatchHeader, HEADER_BYTES};
use corelane::runtime::sim::SimWorld;
use corelane::runtime::{OpenMode, Runtime};
use corelane::shard::{
    CompactionConfig, PartitionSpec, ProducersConfig, Replica, Storage, StorageConfig, StorageError,
};

use super::random::Random;
use super::{batches, plain};

pub const PARTITIONS: i32 = 3;
pub const DISK_ID: [u8; 16] = [0xf0; 16];
const SHAPE: RingShape = RingShape {
    file_count: 3,
    file_bytes: 64 * BLOCK_BYTES as u64,
    group_bytes_max: 16 * BLOCK_BYTES as u64,
};
/// Terms of one life: each cut of a log begins another.
const TERMS_PER_LIFE: i32 = 1000;
/// Polls after which a recovery counts as one that never ends.
const POLLS_MAX: u64 = 300_000;

/// One change of one partition's log, in the journal's order.
enum Change {
    /// A batch, as it is stored.
    Append(i32, Vec<u8>),
    /// Everything from the offset on was taken back.
    Cut(i32, Offset),
}

/// The log of each partition, batch by batch; `None` where it is damaged.
pub type Logs = Vec<Option<Vec<Vec<u8>>>>;

/// See the module.
pub struct Scene {
    pub world: SimWorld,
    pub runtime: Rc<dyn Runtime>,
    config: StorageConfig,
    value_bytes: usize,
    lives: Cell<i32>,
    history: RefCell<Vec<Change>>,
    /// Changes at the start of the history that were acknowledged.
    acknowledged: Cell<usize>,
}

pub fn id(index: i32) -> PartitionId {
    PartitionId { topic: TopicId::from_bytes([7; 16]), index }
}

pub fn paths() -> ShardPaths {
    ShardPaths {
        directory: PathBuf::from("/data/shard-0"),
        journal_directory: PathBuf::from("/data/shard-0/journal"),
    }
}

/// Paths of the journal's files.
pub fn journal_files() -> Vec<PathBuf> {
    (0..SHAPE.file_count).map(|slot| paths().journal_directory.join(format!("{slot:04}.journal"))).collect()
}

/// Paths of the two checkpoints, of which one may not exist yet.
pub fn checkpoint_files() -> Vec<PathBuf> {
    ["checkpoint.0", "checkpoint.1"].map(|name| paths().directory.join(name)).to_vec()
}

impl Scene {
    /// A new shard on an empty disk, to be filled with records of up to `value_bytes`, mostly.
    pub fn new(seed: u64, value_bytes: usize) -> Self {
        let world = SimWorld::new(seed);
        world.limit_polls(POLLS_MAX);
        let config = StorageConfig {
            data_directory: PathBuf::from("/data"),
            shard_directory: paths().directory,
            group_bytes: 4 * BLOCK_BYTES,
            segment_bytes: 24 * BLOCK_BYTES as u64,
            dirty_bytes_max: 32 * BLOCK_BYTES as u64,
            tail_bytes_max: 12 * BLOCK_BYTES,
            open_segments_max: 64,
            retention_check_interval: Duration::from_secs(300),
            reclaim_step_bytes: 10 * BLOCK_BYTES as u64,
            compaction: CompactionConfig::default(),
            producers: ProducersConfig::default(),
            extent_bytes_min: 3 * BLOCK_BYTES,
            disk_free_bytes_min: 0,
            cold_bytes_max: 64 * BLOCK_BYTES,
        };
        let (lives, history, acknowledged) = Default::default();
        let scene =
            Scene { runtime: world.runtime(), world, config, value_bytes, lives, history, acknowledged };
        scene.run(async {
            scene.runtime.create_dir("/data".as_ref()).await.expect("created");
            scene.runtime.sync_dir("/".as_ref()).await.expect("synced");
            recovery::create(&scene.runtime, &paths(), DISK_ID, SHAPE).await.expect("created");
        });
        scene
    }

    pub fn run<T>(&self, scene: impl Future<Output = T>) -> T {
        self.world.block_on(scene).expect("no crash is armed")
    }

    /// Recovers the shard, in a new life, and lets it maintain itself.
    pub async fn open(&self) -> Result<Rc<Storage>, LogError> {
        self.lives.set(self.lives.get() + 1);
        let segment_bytes = u32::try_from(self.config.segment_bytes).expect("a segment's length");
        let spec = |index| PartitionSpec {
            id: id(index),
            topic_name: "t".to_owned(),
            leader_epoch: self.lives.get() * TERMS_PER_LIFE,
            settings: TopicSettings { segment_bytes, ..TopicSettings::default() },
        };
        let specs: Vec<_> = (0..PARTITIONS).map(spec).collect();
        let runtime = Rc::clone(&self.runtime);
        let storage = Storage::open(runtime, self.config.clone(), &paths(), DISK_ID, &specs).await?;
        self.runtime.spawn(Box::pin(Rc::clone(&storage).maintain()));
        Ok(storage)
    }

    /// Acknowledged changes so far.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.get()
    }

    /// Appends batches and cuts logs now and then, each change acknowledged before the next.
    pub async fn write(&self, storage: &Rc<Storage>, random: &mut Random, changes: usize) {
        for _ in 0..changes {
            let index = random.below(PARTITIONS as usize) as i32;
            // One that is damaged is read, at most.
            let intact = storage.replica(id(index)).filter(|_| storage.damage(id(index)).is_none());
            let Some(replica) = intact else { continue };
            if random.once_in(12) {
                self.cut(storage, &replica, random).await;
            } else {
                let Ok(last_offset) = self.append(storage, &replica, random).await else { continue };
                let committed = replica.commit_waiter(last_offset);
                if let Some(committed) = committed {
                    committed.await.expect("the disk works");
                }
            }
            self.acknowledged.set(self.history.borrow().len());
            if random.once_in(4) {
                self.runtime.sleep(Duration::from_millis(random.below(20) as u64)).await;
            }
        }
    }

    /// Appends without waiting for durability. Sequences are drawn at random: some batches are refused.
    pub async fn append(
        &self,
        storage: &Rc<Storage>,
        replica: &Rc<Replica>,
        random: &mut Random,
    ) -> Result<Offset, StorageError> {
        let batch = batches::valid_of(random, self.value_bytes);
        let header = BatchHeader::parse(&batch).expect("a valid batch");
        let end = replica.state.borrow().progress().log_end();
        let appended = storage.append(replica, &header, &batch).await?;
        // A duplicate has the offsets of its original.
        if appended.base_offset == end {
            let epoch = replica.state.borrow().leader_epoch().expect("it leads");
            let mut stored = batch;
            stored[..HEADER_BYTES].copy_from_slice(&header.placed_at(end, epoch).encode());
            self.history.borrow_mut().push(Change::Append(replica.id.index, stored));
        }
        Ok(appended.last_offset)
    }

    async fn cut(&self, storage: &Rc<Storage>, replica: &Rc<Replica>, random: &mut Random) {
        let (end, epoch) = {
            let mut state = replica.state.borrow_mut();
            let epoch = state.leader_epoch().expect("it leads");
            state.resign();
            (state.progress().log_end(), epoch)
        };
        let offset = (end - random.below(20) as i64).max(0);
        storage.truncate(replica, offset).await.expect("the disk works");
        let cut_at = replica.state.borrow().progress().log_end();
        if cut_at < end {
            self.history.borrow_mut().push(Change::Cut(replica.id.index, cut_at));
        }
        replica.state.borrow_mut().become_leader(epoch + 1).expect("a later term");
    }

    /// Every partition's log as it can be read.
    pub async fn logs(&self, storage: &Rc<Storage>) -> Logs {
        let mut logs = Vec::new();
        for index in 0..PARTITIONS {
            logs.push(match storage.replica(id(index)) {
                Some(replica) if storage.damage(id(index)).is_none() => {
                    read_log(storage, &replica).await.ok()
                }
                _ => None,
            });
        }
        logs
    }

    /// A partition's log as it should be.
    pub fn log(&self, index: i32) -> Vec<Vec<u8>> {
        let mut log: Vec<Vec<u8>> = Vec::new();
        for change in self.history.borrow().iter() {
            match change {
                Change::Append(of, batch) if *of == index => log.push(batch.clone()),
                Change::Cut(of, offset) if *of == index => log.retain(|batch| offset_of(batch) < *offset),
                _ => {}
            }
        }
        log
    }

    /// The changes after which the partitions that are not damaged were as `logs` says, at most; panics if they
    /// never were so, all at one time.
    pub fn changes_in(&self, logs: &Logs) -> usize {
        let history = self.history.borrow();
        let mut then: Vec<Vec<&[u8]>> = vec![Vec::new(); PARTITIONS as usize];
        let mut found = None;
        for (count, change) in std::iter::once(None).chain(history.iter().map(Some)).enumerate() {
            match change {
                Some(Change::Append(index, batch)) => then[*index as usize].push(batch),
                Some(Change::Cut(index, offset)) => {
                    then[*index as usize].retain(|it| offset_of(it) < *offset)
                }
                None => {}
            }
            let mut pairs = logs.iter().zip(&then);
            if pairs.all(|(log, then)| log.as_ref().is_none_or(|log| log == then)) {
                found = Some(count);
            }
        }
        let lengths: Vec<_> = logs.iter().map(|log| log.as_ref().map(Vec::len)).collect();
        let what = || format!("logs of {lengths:?} batches never were, in {} changes", history.len());
        found.unwrap_or_else(|| panic!("{}", what()))
    }

    /// These changes came back, and will from now on, as though all were acknowledged; the later ones are lost.
    pub fn go_on_from(&self, changes: usize) {
        self.history.borrow_mut().truncate(changes);
        self.acknowledged.set(changes);
    }

    /// A file's contents; nothing if there is none.
    pub async fn contents(&self, path: &Path) -> Vec<u8> {
        let Ok(file) = self.runtime.open(path, OpenMode::Read).await else { return Vec::new() };
        let length = file.length().await.expect("known") as usize;
        file.read_at(0, length.max(1).next_multiple_of(BLOCK_BYTES)).await.expect("read").as_slice().to_vec()
    }

    /// Replaces a file's contents, durably.
    pub async fn replace(&self, path: &Path, contents: &[u8]) {
        let file = self.runtime.open(path, OpenMode::Write).await.expect("opened");
        let mut blocks = AlignedBuf::with_capacity(contents.len());
        blocks.append(contents);
        blocks.pad_to_block();
        if !contents.is_empty() {
            file.write_at(0, blocks.view(0..blocks.len())).await.expect("written");
        }
        file.set_length(contents.len() as u64).await.expect("cut");
        file.sync().await.expect("synced");
    }
}

/// Offset of a stored batch's first record.
pub fn offset_of(batch: &[u8]) -> Offset {
    i64::from_be_bytes(batch[..8].try_into().expect("8 bytes"))
}

/// Offset behind a stored batch's last record.
pub fn offset_behind(batch: &[u8]) -> Offset {
    offset_of(batch) + i64::from(i32::from_be_bytes(batch[23..27].try_into().expect("4 bytes"))) + 1
}

async fn read_log(storage: &Rc<Storage>, replica: &Rc<Replica>) -> Result<Vec<Vec<u8>>, StorageError> {
    let end = replica.state.borrow().progress().high_watermark();
    // Later than 0 only where a repair has left out the first segments.
    let start = replica.state.borrow().progress().log_start();
    let (mut offset, mut log) = (start, Vec::new());
    while offset < end {
        let bytes = storage.read(replica, offset, 20_000).await?.concat();
        assert!(!bytes.is_empty(), "nothing at {offset}, below the high watermark of {end}");
        for batch in plain::split(&bytes) {
            offset = offset_behind(batch);
            log.push(batch.to_vec());
        }
    }
    Ok(log)
}
