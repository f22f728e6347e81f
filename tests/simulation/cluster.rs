//! One simulated node with its shards through its lives: boot, check, work, crash.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use corelane::base::ids::{PartitionId, ShardId, TopicId};
use corelane::base::limits::BLOCK_BYTES;
use corelane::cluster::{CleanupPolicy, TopicSettings};
use corelane::control::Layout;
use corelane::log::journal::ring::RingShape;
use corelane::log::segment::path;
use corelane::runtime::sim::SimWorld;
use corelane::runtime::{OpenMode, Runtime};
use corelane::server::{Assigned, Ground};
use corelane::shard::{CompactionConfig, PartitionSpec, ProducersConfig, Storage, StorageConfig};
use futures_util::future::LocalBoxFuture;

use super::check::{Recovered, check_all, recovered};
use super::files::{check_files, wait_no_orphans};
use super::life::{Ending, Life, SHARDS_MAX, Weather};
use super::model::PartitionModel;
use super::node::topic_settings;
use super::producer::Producer;
use super::workload::{Actor, SharedModel};

const DISK_ID: [u8; 16] = [0xd1; 16];
/// The kinds of partitions; not every node has one of the last kind.
const PARTITIONS: i32 = 5;
/// Its log's end is cut.
const CUT: i32 = 3;
/// It is compacted.
const COMPACTED: i32 = 4;
const BLOCK: u64 = BLOCK_BYTES as u64;

/// Small, so that files are recycled, segments rolled and memory evicted all the time.
fn ground(world: &SimWorld, compacts: bool) -> Ground {
    let shape = RingShape {
        file_count: 3 + world.random_below(2),
        file_bytes: 64 * BLOCK,
        group_bytes_max: 16 * BLOCK,
    };
    let storage = StorageConfig {
        data_directory: PathBuf::from("/data"),
        shard_directory: PathBuf::from("/data"),
        group_bytes: 4 * BLOCK_BYTES,
        segment_bytes: 24 * BLOCK,
        dirty_bytes_max: 48 * BLOCK,
        tail_bytes_max: 24 * BLOCK_BYTES,
        cold_bytes_max: 64 * BLOCK_BYTES,
        open_segments_max: 64,
        retention_check_interval: Duration::from_secs(300),
        reclaim_step_bytes: 10 * BLOCK,
        compaction: CompactionConfig {
            // Of a part of the keys.
            key_map_bytes_max: if compacts && world.random_below(2) == 0 { 8 * 24 } else { 1 << 20 },
            bytes_per_second: 64 << 20,
            ..CompactionConfig::default()
        },
        producers: ProducersConfig::default(),
        extent_bytes_min: [3, 5, 9, 1_000][world.random_below(4) as usize] * BLOCK_BYTES,
        disk_free_bytes_min: 0,
    };
    let journal_directory = ["/data", "/journal"][world.random_below(2) as usize];
    Ground {
        data_directory: PathBuf::from("/data"),
        journal_directory: PathBuf::from(journal_directory),
        disk_id: DISK_ID,
        shape,
        storage,
    }
}

/// A partition as the metadata and its users know it: they survive every crash.
struct Member {
    model: SharedModel,
    producer: Rc<RefCell<Producer>>,
    owner: ShardId,
}

/// See the module.
pub struct Cluster {
    pub world: Rc<SimWorld>,
    pub runtime: Rc<dyn Runtime>,
    pub ground: Ground,
    /// What node.json says: it is written in one step.
    layout: Cell<Layout>,
    /// The number of shards that the node is configured to have.
    shards: u16,
    members: Vec<Member>,
    leader_epoch: Cell<i32>,
    topics_made: u8,
    is_stopping: Rc<Cell<bool>>,
    pub life: Life,
    /// Whether compaction was seen to have taken records.
    pub is_compacted: Cell<bool>,
    /// A task that is to run beside the work of the next life.
    pub beside: Option<Beside>,
}

/// Makes a task.
pub type Beside = Box<dyn Fn(&Rc<dyn Runtime>) -> LocalBoxFuture<'static, ()>>;

impl Cluster {
    /// `compacts`: one of its partitions is compacted.
    pub fn new(world: SimWorld, compacts: bool) -> Self {
        world.tear_sectors();
        world.limit_polls(1_000_000);
        let world = Rc::new(world);
        let shards = 1 + world.random_below(2) as u16;
        let mut cluster = Cluster {
            runtime: world.runtime(),
            ground: ground(&world, compacts),
            layout: Cell::new(Layout { generation: 1, shards }),
            shards,
            members: Vec::new(),
            leader_epoch: Cell::new(0),
            topics_made: 0,
            is_stopping: Rc::default(),
            life: Life::choose(&world),
            is_compacted: Cell::new(false),
            beside: None,
            world,
        };
        for index in 0..if compacts { PARTITIONS } else { COMPACTED } {
            let member = cluster.new_member(index);
            cluster.members.push(member);
        }
        let made = cluster.world.block_on(async {
            for root in ["/data", "/journal"] {
                cluster.runtime.create_dir(root.as_ref()).await.expect("created");
            }
            cluster.runtime.sync_dir("/".as_ref()).await.expect("synced");
            cluster.ground.create(&cluster.runtime, cluster.layout.get()).await
        });
        made.expect("no crash yet").expect("created");
        cluster
    }

    /// A partition of a new topic that always has the same name.
    fn new_member(&mut self, index: i32) -> Member {
        self.topics_made += 1;
        let id = PartitionId { topic: TopicId::from_bytes([self.topics_made; 16]), index };
        let is_cut = index == CUT;
        let mut settings = topic_settings(self.ground.storage.segment_bytes);
        if index == COMPACTED {
            settings.cleanup = CleanupPolicy { delete: false, compact: true };
            settings.cleanable_dirty_millionths_min = 0;
            settings.delete_retention_ms = [0, i64::MAX][self.world.random_below(2) as usize];
        }
        let model = PartitionModel::new(id, format!("t-{index}"), is_cut, settings);
        let producer_id = i64::from(self.topics_made);
        Member {
            model: Rc::new(RefCell::new(model)),
            producer: Rc::new(RefCell::new(Producer::new(producer_id))),
            owner: ShardId(self.world.random_below(u64::from(self.shards)) as u16),
        }
    }

    fn assigned(&self) -> Vec<Assigned> {
        let assigned = |member: &Member| {
            let model = member.model.borrow();
            let spec = PartitionSpec {
                id: model.id,
                topic_name: "t".to_owned(),
                leader_epoch: self.leader_epoch.get(),
                settings: model.settings,
            };
            Assigned { shard: member.owner, spec }
        };
        self.members.iter().map(assigned).collect()
    }

    /// The partitions, each with the shard that owns it.
    pub fn members<'a>(
        &'a self,
        storages: &'a [Rc<Storage>],
    ) -> impl Iterator<Item = (&'a SharedModel, &'a Rc<Storage>)> {
        self.members.iter().map(|member| (&member.model, &storages[usize::from(member.owner.0)]))
    }

    /// The journals' directories, one for each shard.
    pub fn journal_directories(&self) -> Vec<PathBuf> {
        let layout = self.layout.get();
        (0..layout.shards).map(|it| self.ground.paths(layout, ShardId(it)).journal_directory).collect()
    }

    /// A digest of everything that happened, and of everything that is on the disk.
    pub fn digest(&self) -> (u64, u64) {
        (self.world.trace_hash(), self.world.disk_hash())
    }

    /// A whole life: recovers, checks everything, works until the crash that the seed has chosen, or stops
    /// cleanly.
    pub fn live(&mut self, life: Life) {
        self.life = life;
        self.is_stopping.set(false);
        self.world.limit_space("/data".as_ref(), None);
        self.change_metadata();
        let first = life.recovers_twice.then(|| self.recover_once()).flatten();
        life.arm(&self.world);
        let this = &*self;
        let alive = self.world.block_on(async {
            let storages = match this.open().await {
                Ok(storages) => storages,
                Err(error) if life.is_boot_troubled => return Err(error),
                Err(error) => panic!("recovery failed: {error}"),
            };
            this.world.forget_plans();
            if let Some(first) = first {
                assert_eq!(first, recovered(this, &storages), "the second recovery in a row differs");
            }
            for storage in &storages {
                this.runtime.spawn(Box::pin(Rc::clone(storage).maintain()));
                this.runtime.spawn(Box::pin(Rc::clone(storage).reclaim()));
            }
            check_all(this, &storages).await;
            this.retry_all(&storages).await;
            this.start(&storages).await;
            this.runtime.sleep(Duration::from_millis(20 + this.runtime.random_u64() % 250)).await;
            Ok(storages)
        });
        let Some(Ok(storages)) = alive else {
            self.world.crash();
            return;
        };
        if !self.check_space(&storages) {
            return;
        }
        match life.ending {
            Ending::Crash => {}
            Ending::Recreate => self.recreate(&storages),
            Ending::Stop => self.stop(&storages),
        }
        self.world.crash();
    }

    /// What happened while the node was down, or is different from now on.
    fn change_metadata(&mut self) {
        if self.world.random_below(3) == 0 {
            let hour_ms = 3_600_000;
            self.world.step_wall_clock(self.world.random_below(2 * hour_ms) as i64 - hour_ms as i64);
        }
        if let Some(shards) = self.life.shards {
            self.shards = shards;
            for member in &mut self.members {
                if member.owner.0 >= shards || self.world.random_below(2) == 0 {
                    member.owner = ShardId(self.world.random_below(u64::from(shards)) as u16);
                }
            }
        }
    }

    /// Recovers and loses power at once.
    fn recover_once(&self) -> Option<Recovered> {
        let state = self.world.block_on(async {
            let storages = self.open().await.unwrap_or_else(|error| panic!("recovery failed: {error}"));
            check_all(self, &storages).await;
            recovered(self, &storages)
        });
        self.world.crash();
        state
    }

    /// A start after which all shards take what is sent.
    pub async fn open(&self) -> Result<Vec<Rc<Storage>>, String> {
        let storages = self.open_damaged().await?;
        for storage in &storages {
            storage.check_in_service().map_err(|error| error.to_string())?;
        }
        Ok(storages)
    }

    /// A start: a new term; partitions that are elsewhere are brought where they belong. Shards whose journal is
    /// damaged only read.
    pub async fn open_damaged(&self) -> Result<Vec<Rc<Storage>>, String> {
        self.leader_epoch.set(self.leader_epoch.get() + 1_000);
        let assigned = self.assigned();
        loop {
            let layout = self.layout.get();
            let storages = self.open_layout(layout, &assigned).await?;
            let is_elsewhere = |id: &PartitionId| assigned.iter().any(|it| it.spec.id == *id);
            let mut unclaimed = storages.iter().flat_map(|storage| storage.unclaimed());
            if layout.shards == self.shards && !unclaimed.any(|id| is_elsewhere(&id)) {
                let removed = self.ground.remove_others(&self.runtime, layout).await;
                return removed.map(|()| storages).map_err(|error| error.to_string());
            }
            drop(storages);
            let new = layout.next(self.shards);
            let rebuilt = self.ground.rebuild(&self.runtime, layout, new, &assigned).await;
            rebuilt.map_err(|error| error.to_string())?;
            self.layout.set(new);
        }
    }

    async fn open_layout(&self, layout: Layout, assigned: &[Assigned]) -> Result<Vec<Rc<Storage>>, String> {
        let mut storages = Vec::new();
        for shard in (0..layout.shards).map(ShardId) {
            let mine = assigned.iter().filter(|it| it.shard == shard).map(|it| it.spec.clone());
            let mine: Vec<PartitionSpec> = mine.collect();
            let (config, paths) = (self.ground.storage_of(layout, shard), self.ground.paths(layout, shard));
            let opened = Storage::open(Rc::clone(&self.runtime), config, &paths, DISK_ID, &mine).await;
            storages.push(opened.map_err(|error| error.to_string())?);
        }
        Ok(storages)
    }

    pub fn actor(&self, storage: &Rc<Storage>, model: &SharedModel) -> Actor {
        let id = model.borrow().id;
        let damage = storage.damage(id).map(|error| error.to_string());
        assert_eq!(damage, None, "no partition is damaged by a crash");
        Actor {
            runtime: Rc::clone(&self.runtime),
            storage: Rc::clone(storage),
            replica: storage.replica(id).expect("open"),
            model: Rc::clone(model),
            leader_epoch: self.leader_epoch.get(),
            is_stopping: Rc::clone(&self.is_stopping),
            life: self.life,
            world: Rc::clone(&self.world),
        }
    }

    async fn retry_all(&self, storages: &[Rc<Storage>]) {
        for (member, (model, storage)) in self.members.iter().zip(self.members(storages)) {
            if model.borrow().is_cut {
                continue;
            }
            let replica = storage.replica(model.borrow().id).expect("open");
            // Owned by nobody else at this moment: the tasks of the last life are gone.
            let mut retrying = member.producer.replace(Producer::new(0));
            retrying.retry(storage, &replica, model, self.leader_epoch.get()).await;
            member.producer.replace(retrying);
        }
    }

    /// Begins the work, and what the disk does to it.
    async fn start(&self, storages: &[Rc<Storage>]) {
        if self.life.weather == Weather::Full {
            self.write_all_back(storages).await;
        }
        let spare = self.world.random_below(100) * BLOCK;
        self.life.begin_weather(&self.world, self.devices(), &self.journal_directories(), spare);
        self.life.arm_work(&self.world);
        if let Some(beside) = &self.beside {
            self.runtime.spawn(beside(&self.runtime));
        }
        for (member, (model, storage)) in self.members.iter().zip(self.members(storages)) {
            self.spawn_workload(&self.actor(storage, model), &member.producer);
        }
    }

    /// A crash takes space that was not synced, and what recovery has in memory has no other until it is written back.
    /// So that happens before the disk is full.
    async fn write_all_back(&self, storages: &[Rc<Storage>]) {
        for (model, storage) in self.members(storages) {
            let (id, settings) = (model.borrow().id, model.borrow().settings);
            let replica = storage.replica(id).expect("open");
            let at_once =
                TopicSettings { segment_ms: i64::MIN, retention_ms: None, retention_bytes: None, ..settings };
            for settings in [at_once, settings] {
                let leader_epoch = self.leader_epoch.get();
                let spec = PartitionSpec { id, topic_name: "t".to_owned(), leader_epoch, settings };
                storage.change(&spec).expect("the same term");
                if settings == at_once {
                    storage.retain(&replica).await.expect("written back");
                }
            }
        }
    }

    /// The tasks of each kind of partition.
    fn spawn_workload(&self, actor: &Actor, producer: &Rc<RefCell<Producer>>) {
        let spawn = |task| self.runtime.spawn(task);
        if actor.model.borrow().is_cut {
            spawn(Box::pin(actor.clone().truncate()));
            spawn(Box::pin(actor.clone().advance_log_start()));
            spawn(Box::pin(actor.clone().produce_plain()));
            return;
        }
        spawn(Box::pin(actor.clone().produce_idempotent(Rc::clone(producer))));
        spawn(Box::pin(actor.clone().read()));
        let index = actor.model.borrow().id.index;
        match index {
            // Two that overlap.
            0 => (0..2).for_each(|_| spawn(Box::pin(actor.clone().advance_log_start()))),
            1 => spawn(Box::pin(actor.clone().retain())),
            COMPACTED => {
                spawn(Box::pin(actor.clone().compact()));
                spawn(Box::pin(actor.clone().advance_log_start()));
            }
            _ => {
                spawn(Box::pin(actor.clone().retain()));
                spawn(Box::pin(actor.clone().advance_log_start()));
                spawn(Box::pin(actor.clone().produce_plain()));
            }
        }
    }

    /// Space first: what was accepted has its place in a segment's file, however full the disk is. Whether power is
    /// still on.
    fn check_space(&self, storages: &[Rc<Storage>]) -> bool {
        if self.life.weather != Weather::Full {
            return true;
        }
        let checked = self.world.block_on(async {
            for (model, storage) in self.members(storages) {
                let replica = storage.replica(model.borrow().id).expect("open");
                let (directory, segments): (_, Vec<_>) = {
                    let log = replica.log.borrow();
                    let ends = log.segments().map(|segment| (segment.name(), segment.end_position));
                    (log.directory().to_owned(), ends.collect())
                };
                for (name, end) in segments {
                    let path = path::log_file(&directory, name);
                    // Retention may have removed it by now.
                    let Ok(file) = self.runtime.open(&path, OpenMode::Read).await else { continue };
                    let length = file.length().await.expect("known");
                    let is_there = replica.log.borrow().segments().any(|it| it.name() == name);
                    assert!(length >= end || !is_there, "a batch was accepted that has no space");
                }
            }
        });
        checked.is_some()
    }

    /// Deletes a topic and makes another of the same name.
    fn recreate(&mut self, storages: &[Rc<Storage>]) {
        let index = self.world.random_below(self.members.len() as u64) as usize;
        let (old, owner) = (self.members[index].model.borrow().id, self.members[index].owner);
        self.members[index] = self.new_member(index as i32);
        let assigned = &self.assigned()[index];
        self.world.block_on(async {
            storages[usize::from(owner.0)].delete(old).await.expect("deleted");
            let new_owner = &storages[usize::from(assigned.shard.0)];
            new_owner.open_new(std::slice::from_ref(&assigned.spec)).await.expect("opened");
        });
    }

    /// A clean stop leaves segments that hold exactly the log.
    fn stop(&mut self, storages: &[Rc<Storage>]) {
        self.is_stopping.set(true);
        let stopped = self.world.block_on(async {
            // Requests in flight end before a broker stops its storage.
            self.runtime.sleep(Duration::from_millis(40)).await;
            for (model, storage) in self.members(storages) {
                // No more appends: the partitions are led by nobody.
                storage.replica(model.borrow().id).expect("open").state.borrow_mut().resign();
            }
            self.runtime.sleep(Duration::from_millis(40)).await;
            if self.life.weather != Weather::Full {
                for (model, storage) in self.members(storages) {
                    if model.borrow().keyed.is_some() {
                        // What compaction has replaced goes when a checkpoint names what is in its place.
                        storage.checkpoint_now().await;
                    }
                    wait_no_orphans(&self.actor(storage, model)).await;
                }
            }
            for storage in storages {
                match storage.stop().await {
                    Err(_) if self.life.weather == Weather::Full => return false,
                    stopped => stopped.expect("stopped"),
                }
            }
            for (model, storage) in self.members(storages) {
                check_files(&self.actor(storage, model)).await;
            }
            true
        });
        if stopped == Some(true) {
            for member in &self.members {
                let mut model = member.model.borrow_mut();
                model.acknowledged_end = model.end();
            }
        }
    }

    /// Where the parts of the node are that can be swapped whole.
    pub fn devices(&self) -> [&Path; 2] {
        [&self.ground.data_directory, &self.ground.journal_directory]
    }
}

const _: () = assert!(SHARDS_MAX < PARTITIONS as u64);
