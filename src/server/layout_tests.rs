//! Every acknowledged record outlives every change of the number of shards, whenever power is lost.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::layout::{Assigned, Ground};
use crate::base::ids::{PartitionId, ShardId, TopicId};
use crate::cluster::{CleanupPolicy, TopicSettings};
use crate::control::Layout;
use crate::log::journal::ring::RingShape;
use crate::protocol::batch::{BatchBuilder, BatchHeader, Batches, HEADER_BYTES};
use crate::runtime::Runtime;
use crate::runtime::sim::{CrashPoint, SimWorld};
use crate::shard::{CompactionConfig, PartitionSpec, PassEnd, ProducersConfig, Storage, StorageConfig};

const PARTITIONS: i32 = 7;
const SHARDS_MAX: u64 = 4;
const SEEDS: u64 = 120;

/// What was sent to one partition: a prefix of it, at least as long as what was acknowledged, must be there.
#[derive(Default)]
struct Sent {
    bodies: Vec<Vec<u8>>,
    acknowledged: usize,
}

/// One machine with its disk, and what survives outside: what clients know, node.json, the metadata.
struct Scene {
    world: SimWorld,
    runtime: Rc<dyn Runtime>,
    ground: Ground,
    layout: Cell<Layout>,
    owners: RefCell<Vec<ShardId>>,
    epoch: Cell<i32>,
    sent: Vec<RefCell<Sent>>,
    /// Segments that compaction had written when a life ended.
    compacted: Cell<usize>,
}

/// The partition that is compacted. All keys are different: small segments become one, and nothing else changes.
const COMPACTED: i32 = 0;

impl Scene {
    fn new(seed: u64) -> Self {
        let world = SimWorld::new(seed);
        let shape = RingShape { file_count: 3, file_bytes: 128 << 10, group_bytes_max: 32 << 10 };
        let storage = StorageConfig {
            data_directory: "/data".into(),
            shard_directory: "/data".into(),
            group_bytes: 16 << 10,
            segment_bytes: 24 << 10,
            dirty_bytes_max: 64 << 10,
            tail_bytes_max: 128 << 10,
            cold_bytes_max: 128 << 10,
            open_segments_max: 64,
            retention_check_interval: std::time::Duration::from_secs(300),
            reclaim_step_bytes: 16 << 10,
            compaction: CompactionConfig::default(),
            producers: ProducersConfig::default(),
            extent_bytes_min: 12 << 10,
            disk_free_bytes_min: 0,
        };
        let ground = Ground {
            data_directory: "/data".into(),
            journal_directory: if seed.is_multiple_of(2) { "/data" } else { "/journal" }.into(),
            disk_id: [7; 16],
            shape,
            storage,
        };
        let layout = Layout { generation: 1, shards: 2 };
        let scene = Scene {
            runtime: world.runtime(),
            world,
            ground,
            layout: Cell::new(layout),
            owners: RefCell::new(vec![ShardId(0); PARTITIONS as usize]),
            epoch: Cell::new(0),
            sent: (0..PARTITIONS).map(|_| RefCell::default()).collect(),
            compacted: Cell::new(0),
        };
        scene.deal(layout.shards);
        let runtime = &scene.runtime;
        scene.world.block_on(async {
            for root in ["/data/topics", "/journal"] {
                runtime.create_dir(root.as_ref()).await.unwrap();
            }
            for root in ["/data", "/"] {
                runtime.sync_dir(root.as_ref()).await.unwrap();
            }
            scene.ground.create(runtime, layout).await.unwrap();
        });
        scene
    }

    /// The metadata deals the partitions to this many shards, some of them at random.
    fn deal(&self, shards: u16) {
        for (index, owner) in self.owners.borrow_mut().iter_mut().enumerate() {
            let random = self.world.random_below(u64::from(shards)) as u16;
            *owner = ShardId(if self.world.random_below(3) == 0 { random } else { index as u16 % shards });
        }
    }

    fn spec(&self, index: i32) -> PartitionSpec {
        PartitionSpec {
            id: PartitionId { topic: TopicId::from_bytes([9; 16]), index },
            topic_name: "t".into(),
            leader_epoch: self.epoch.get(),
            settings: self.settings(index),
        }
    }

    fn settings(&self, index: i32) -> TopicSettings {
        let settings = TopicSettings { segment_bytes: 24 << 10, ..TopicSettings::default() };
        if index != COMPACTED {
            return settings;
        }
        // What one life has filled the next one puts together.
        let segment_bytes = if self.epoch.get() % 2 == 0 { 24 << 10 } else { 6 << 10 };
        let cleanup = CleanupPolicy { delete: false, compact: true };
        TopicSettings { segment_bytes, cleanup, cleanable_dirty_millionths_min: 0, ..settings }
    }

    async fn compact(&self, storages: &[Rc<Storage>]) {
        // Leftover files are looked for before anything is compacted.
        self.runtime.sleep(std::time::Duration::from_millis(50)).await;
        let storage = &storages[self.owner(COMPACTED)];
        let replica = storage.replica(self.spec(COMPACTED).id).unwrap();
        assert_eq!(storage.compact_replica(&replica).await, Ok(PassEnd::Done));
        let written = replica.log.borrow().segments().filter(|segment| segment.generation > 0).count();
        self.compacted.set(self.compacted.get() + written);
    }

    fn assigned(&self) -> Vec<Assigned> {
        let owners = self.owners.borrow();
        (0..PARTITIONS)
            .map(|index| Assigned { shard: owners[index as usize], spec: self.spec(index) })
            .collect()
    }

    /// The metadata is changed, then the layout, then node.json.
    async fn reshard(&self, shards: u16) {
        self.deal(shards);
        let (old, new) = (self.layout.get(), self.layout.get().next(shards));
        self.ground.rebuild(&self.runtime, old, new, &self.assigned()).await.unwrap();
        self.layout.set(new);
        self.ground.remove_others(&self.runtime, new).await.unwrap();
    }

    /// A start: a new term; partitions that are elsewhere are brought where they belong.
    async fn open(&self) -> Vec<Rc<Storage>> {
        self.epoch.set(self.epoch.get() + 1);
        loop {
            let layout = self.layout.get();
            let mut storages = Vec::new();
            for shard in (0..layout.shards).map(ShardId) {
                let mine: Vec<_> =
                    self.assigned().into_iter().filter(|it| it.shard == shard).map(|it| it.spec).collect();
                let (config, paths) =
                    (self.ground.storage_of(layout, shard), self.ground.paths(layout, shard));
                let runtime = Rc::clone(&self.runtime);
                let storage =
                    Storage::open(runtime, config, &paths, self.ground.disk_id, &mine).await.unwrap();
                storages.push(storage);
            }
            let all_fit = self.owners.borrow().iter().all(|owner| owner.0 < layout.shards);
            if all_fit && storages.iter().all(|storage| storage.unclaimed().is_empty()) {
                self.ground.remove_others(&self.runtime, layout).await.unwrap();
                return storages;
            }
            drop(storages);
            let shards = if all_fit { layout.shards } else { SHARDS_MAX as u16 };
            let new = layout.next(shards);
            self.ground.rebuild(&self.runtime, layout, new, &self.assigned()).await.unwrap();
            self.layout.set(new);
        }
    }

    async fn check(&self, storages: &[Rc<Storage>]) {
        for index in 0..PARTITIONS {
            let found = self.read_all(&storages[self.owner(index)], index).await;
            let mut sent = self.sent[index as usize].borrow_mut();
            assert!(found.len() >= sent.acknowledged, "partition {index} lost acknowledged records");
            assert!(found.len() <= sent.bodies.len(), "partition {index} has records from nowhere");
            sent.bodies.truncate(found.len());
            assert_eq!(sent.bodies, found, "partition {index}");
            sent.acknowledged = found.len();
        }
    }

    fn owner(&self, index: i32) -> usize {
        usize::from(self.owners.borrow()[index as usize].0)
    }

    async fn read_all(&self, storage: &Storage, index: i32) -> Vec<Vec<u8>> {
        let replica = storage.replica(self.spec(index).id).expect("it is not damaged");
        let mut found = Vec::new();
        loop {
            let read = storage.read(&replica, found.len() as i64, 1 << 20).await.unwrap();
            let bytes = read.concat();
            let before = found.len();
            for batch in Batches::new(&bytes) {
                let batch = batch.unwrap().batch;
                assert_eq!(batch.header().base_offset, found.len() as i64);
                found.push(batch.bytes()[HEADER_BYTES..].to_vec());
            }
            if found.len() == before {
                return found;
            }
        }
    }

    /// Appends to random partitions; each append is acknowledged some time later or never.
    async fn append(&self, storages: &[Rc<Storage>], count: u64) {
        for _ in 0..count {
            let index = self.world.random_below(PARTITIONS as u64) as i32;
            let mut value = vec![0; self.world.random_below(3000) as usize + 8];
            value[..8].copy_from_slice(&self.world.random_below(u64::MAX).to_le_bytes());
            let batch = BatchBuilder::new().record(1, Some(&value[..8]), Some(&value)).build();
            let header = BatchHeader::parse(&batch).unwrap();
            let storage = &storages[self.owner(index)];
            let replica = storage.replica(self.spec(index).id).unwrap();
            let sent = &self.sent[index as usize];
            sent.borrow_mut().bodies.push(batch[HEADER_BYTES..].to_vec());
            let appended = storage.append(&replica, &header, &batch).await.unwrap();
            if let Some(committed) = replica.commit_waiter(appended.last_offset)
                && self.world.random_below(4) == 0
            {
                committed.await.unwrap();
            }
            if replica.commit_waiter(appended.last_offset).is_none() {
                let acknowledged = appended.last_offset as usize + 1;
                let mut sent = sent.borrow_mut();
                sent.acknowledged = sent.acknowledged.max(acknowledged);
            }
        }
    }

    async fn run(&self, reshard_to: Option<u16>) {
        let storages = self.open().await;
        self.check(&storages).await;
        for storage in &storages {
            self.runtime.spawn(Box::pin(Rc::clone(storage).maintain()));
            self.runtime.spawn(Box::pin(Rc::clone(storage).reclaim()));
        }
        self.append(&storages, 30).await;
        self.compact(&storages).await;
        for storage in &storages {
            storage.stop().await.unwrap();
        }
        for sent in &self.sent {
            let mut sent = sent.borrow_mut();
            sent.acknowledged = sent.bodies.len();
        }
        drop(storages);
        if let Some(shards) = reshard_to {
            self.reshard(shards).await;
        }
    }
}

#[test]
fn acknowledged_records_outlive_every_change_of_the_number_of_shards() {
    let mut outcomes: HashMap<bool, u32> = HashMap::new();
    let mut compacted = 0;
    for seed in 0..SEEDS {
        let scene = Scene::new(seed);
        let mut events_per_round = 400;
        for round in 0..8 {
            let shards = scene.world.random_below(SHARDS_MAX) as u16 + 1;
            let crashes = scene.world.random_below(4) > 0;
            if crashes {
                let at = scene.world.random_below(events_per_round) + 1;
                scene.world.crash_at(CrashPoint::DiskEvents(at));
            }
            let before = scene.world.disk_events();
            let done = scene.world.block_on(scene.run((round % 4 != 3).then_some(shards)));
            *outcomes.entry(done.is_some()).or_default() += 1;
            if done.is_some() {
                events_per_round = scene.world.disk_events() - before;
                // A clean end is no end of power: what runs in the background is cut off.
                scene.world.crash();
            }
        }
        scene.world.block_on(async {
            let storages = scene.open().await;
            scene.check(&storages).await;
        });
        compacted += scene.compacted.get();
    }
    assert!(compacted > 100, "{compacted} segments");
    assert!(outcomes[&true] > 100 && outcomes[&false] > 100, "both happen: {outcomes:?}");
}

#[test]
fn two_to_three_to_one_keeps_everything_and_leaves_no_old_layout() {
    let scene = Scene::new(1);
    for shards in [3, 1] {
        scene.world.block_on(scene.run(Some(shards))).unwrap();
        assert_eq!(scene.layout.get().shards, shards);
    }
    scene.world.block_on(async {
        let storages = scene.open().await;
        scene.check(&storages).await;
        for root in ["/data", "/journal"] {
            let entries = scene.runtime.list_dir(root.as_ref()).await.unwrap();
            let layouts: Vec<_> =
                entries.iter().filter(|path| path.to_string_lossy().contains("layout-")).collect();
            assert_eq!(layouts.len(), 1, "{layouts:?}");
        }
    });
    let records: usize = scene.sent.iter().map(|sent| sent.borrow().acknowledged).sum();
    assert_eq!(records, 60);
}

#[test]
fn a_missing_part_of_a_layout_is_named_and_never_made_anew() {
    let missing = |below: &str| {
        let scene = Scene::new(2);
        let path = std::path::Path::new("/data/layout-1/shard-1").join(below);
        scene.world.block_on(async {
            scene.runtime.remove_dir_all(&path).await.unwrap();
            let paths = scene.ground.paths(scene.layout.get(), ShardId(1));
            let config = scene.ground.storage_of(scene.layout.get(), ShardId(1));
            let runtime = Rc::clone(&scene.runtime);
            let opened = Storage::open(runtime, config, &paths, scene.ground.disk_id, &[]).await;
            let error = opened.err().expect("refused").to_string();
            assert!(scene.runtime.list_dir(&path).await.unwrap().is_empty());
            error
        })
    };
    for (below, way_on) in
        [("", "`corelane log repair --checkpoint`"), ("journal", "`corelane log repair --journal`")]
    {
        let error = missing(below).unwrap();
        assert!(error.contains("/data/layout-1/shard-1") && error.contains(way_on), "{error}");
    }
}
