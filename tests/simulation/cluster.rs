//! One simulated shard through its lives: boot, check, work, crash.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use corelane::base::ids::{PartitionId, TopicId};
use corelane::base::limits::BLOCK_BYTES;
use corelane::log::journal::ring::RingShape;
use corelane::log::recovery::{self, ShardPaths};
use corelane::runtime::Runtime;
use corelane::runtime::sim::{CrashPoint, DiskFault, DiskOp, SimWorld};
use corelane::shard::{CompactionConfig, PartitionSpec, Storage, StorageConfig};

use super::files::{check_files, wait_no_orphans};
use super::model::PartitionModel;
use super::node::topic_settings;
use super::workload::{Actor, Producer, SharedModel, check_read};

const DISK_ID: [u8; 16] = [0xd1; 16];
const PARTITIONS: i32 = 4;

/// Small, so that files are recycled, segments rolled and memory evicted all the time.
fn shape(world: &SimWorld) -> RingShape {
    RingShape {
        file_count: 3 + world.random_below(2),
        file_bytes: 64 * BLOCK_BYTES as u64,
        group_bytes_max: 16 * BLOCK_BYTES as u64,
    }
}

fn paths() -> ShardPaths {
    ShardPaths {
        directory: PathBuf::from("/data/shard-0"),
        journal_directory: PathBuf::from("/data/shard-0/journal"),
    }
}

fn config() -> StorageConfig {
    StorageConfig {
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
        disk_free_bytes_min: 0,
    }
}

/// See the module.
pub struct Cluster {
    world: Rc<SimWorld>,
    models: Vec<SharedModel>,
    producers: Vec<Rc<RefCell<Producer>>>,
    leader_epoch: i32,
    topics_made: u8,
    is_stopping: Rc<Cell<bool>>,
    /// Whether this life ends when a log start has just been moved.
    crashes_at_log_start: bool,
}

impl Cluster {
    pub fn new(world: SimWorld) -> Self {
        let mut cluster = Cluster {
            world: Rc::new(world),
            models: Vec::new(),
            producers: Vec::new(),
            leader_epoch: 0,
            topics_made: 0,
            is_stopping: Rc::default(),
            crashes_at_log_start: false,
        };
        for index in 0..PARTITIONS {
            let model = cluster.new_partition(index);
            cluster.models.push(model);
            cluster.producers.push(Rc::new(RefCell::new(Producer::new(i64::from(index) + 1))));
        }
        let (runtime, shape) = (cluster.world.runtime(), shape(&cluster.world));
        let made = cluster.world.block_on(async {
            runtime.create_dir("/data".as_ref()).await.expect("created");
            runtime.sync_dir("/".as_ref()).await.expect("synced");
            recovery::create(&runtime, &paths(), DISK_ID, shape).await
        });
        made.expect("no crash yet").expect("created");
        cluster
    }

    /// A partition of a new topic that always has the same name.
    fn new_partition(&mut self, index: i32) -> SharedModel {
        self.topics_made += 1;
        let id = PartitionId { topic: TopicId::from_bytes([self.topics_made; 16]), index };
        let is_cut = index == PARTITIONS - 1;
        let settings = topic_settings(config().segment_bytes);
        Rc::new(RefCell::new(PartitionModel::new(id, format!("t-{index}"), is_cut, settings)))
    }

    fn specs(&self) -> Vec<PartitionSpec> {
        let spec = |model: &SharedModel| PartitionSpec {
            id: model.borrow().id,
            topic_name: "t".to_owned(),
            leader_epoch: self.leader_epoch,
            settings: model.borrow().settings,
        };
        self.models.iter().map(spec).collect()
    }

    /// A digest of everything that happened.
    pub fn trace_hash(&self) -> u64 {
        self.world.trace_hash()
    }

    /// A whole life: recovers, checks everything, works until the crash that the seed has chosen, or stops
    /// cleanly.
    pub fn live(&mut self) {
        self.leader_epoch += 1_000;
        self.is_stopping.set(false);
        self.choose_crash();
        let clean = self.world.random_below(5) == 0;
        let recreate = self.world.random_below(4) == 0;
        self.crashes_at_log_start = !clean && !recreate && self.world.random_below(4) == 0;
        let (runtime, this) = (self.world.runtime(), &*self);
        let alive = self.world.block_on(async {
            let storage = this.boot(&runtime).await;
            runtime.spawn(Box::pin(Rc::clone(&storage).maintain()));
            runtime.spawn(Box::pin(Rc::clone(&storage).reclaim()));
            this.check_all(&runtime, &storage).await;
            this.retry_all(&storage).await;
            this.spawn_workload(&runtime, &storage);
            if !clean && !recreate {
                this.plant_fault();
            }
            runtime.sleep(Duration::from_millis(20 + runtime.random_u64() % 250)).await;
            storage
        });
        let Some(storage) = alive else { return };
        if recreate {
            self.recreate(&storage);
        } else if clean {
            self.stop(&storage);
        }
        self.world.crash();
    }

    fn choose_crash(&self) {
        match self.world.random_below(4) {
            0 => self.world.crash_at(CrashPoint::DiskEvents(self.world.random_below(60))),
            1 => self.world.crash_at(CrashPoint::DiskEvents(self.world.random_below(3_000))),
            2 => self
                .world
                .crash_at(CrashPoint::After(Duration::from_micros(self.world.random_below(250_000)))),
            _ => {}
        }
    }

    /// Now and then the disk refuses something: the writer is out of service, and the next start must find all
    /// that was acknowledged.
    fn plant_fault(&self) {
        let ops = [DiskOp::Write, DiskOp::Sync, DiskOp::Allocate, DiskOp::SetLength, DiskOp::SyncDir];
        if let Some(&op) = ops.get(self.world.random_below(15) as usize) {
            let fault = if self.world.random_below(2) == 0 { DiskFault::Io } else { DiskFault::NoSpace };
            self.world.fail(op, 1 + self.world.random_below(200), fault);
        }
    }

    async fn boot(&self, runtime: &Rc<dyn Runtime>) -> Rc<Storage> {
        let opened = Storage::open(Rc::clone(runtime), config(), &paths(), DISK_ID, &self.specs()).await;
        opened.unwrap_or_else(|error| panic!("recovery failed: {error}"))
    }

    fn actor(&self, runtime: &Rc<dyn Runtime>, storage: &Rc<Storage>, model: &SharedModel) -> Actor {
        let id = model.borrow().id;
        let damage = storage.damage(id).map(|error| error.to_string());
        assert_eq!(damage, None, "no partition is damaged by a crash");
        Actor {
            runtime: Rc::clone(runtime),
            storage: Rc::clone(storage),
            replica: storage.replica(id).expect("open"),
            model: Rc::clone(model),
            leader_epoch: self.leader_epoch,
            is_stopping: Rc::clone(&self.is_stopping),
            crash_at_log_start: self.crashes_at_log_start.then(|| Rc::clone(&self.world)),
        }
    }

    /// Everything acknowledged is there, in order, with the same bytes; nothing else is but what was sent.
    async fn check_all(&self, runtime: &Rc<dyn Runtime>, storage: &Rc<Storage>) {
        for model in &self.models {
            let actor = self.actor(runtime, storage, model);
            let progress = *actor.replica.state.borrow().progress();
            assert_eq!(progress.high_watermark(), progress.log_end(), "all that was recovered is committed");
            model.borrow_mut().recovered(progress.log_start(), progress.log_end());
            let mut offset = progress.log_start();
            while offset < progress.log_end() {
                offset = check_read(&actor, offset, 30_000).await;
            }
            self.check_look_ups(&actor, progress.log_start()..progress.log_end()).await;
        }
    }

    /// Reads that begin anywhere and take little, and look-ups by time.
    async fn check_look_ups(&self, actor: &Actor, offsets: Range<i64>) {
        for _ in 0..8 {
            if !offsets.is_empty() {
                let count = (offsets.end - offsets.start) as u64;
                let offset = offsets.start + self.world.random_below(count) as i64;
                check_read(actor, offset, self.world.random_below(6_000) as usize).await;
            }
            let timestamp = self.world.random_below(1_001_000) as i64;
            let found = actor.storage.batch_for_time(&actor.replica, timestamp).await.expect("looked up");
            let model = actor.model.borrow();
            let expected = model.batch_for_time(timestamp).map(|batch| &batch.bytes[..]);
            assert!(
                found.as_deref() == expected,
                "partition {}: another batch at {timestamp} ms",
                model.name
            );
        }
    }

    async fn retry_all(&self, storage: &Rc<Storage>) {
        for (model, producer) in
            self.models.iter().zip(&self.producers).filter(|(model, _)| !model.borrow().is_cut)
        {
            let replica = storage.replica(model.borrow().id).expect("open");
            // Owned by nobody else at this moment: the tasks of the last life are gone.
            let mut retrying = producer.replace(Producer::new(0));
            retrying.retry(storage, &replica, model, self.leader_epoch).await;
            producer.replace(retrying);
        }
    }

    fn spawn_workload(&self, runtime: &Rc<dyn Runtime>, storage: &Rc<Storage>) {
        for (model, producer) in self.models.iter().zip(&self.producers) {
            let actor = self.actor(runtime, storage, model);
            if actor.model.borrow().is_cut {
                runtime.spawn(Box::pin(actor.clone().truncate()));
                runtime.spawn(Box::pin(actor.clone().advance_log_start()));
                runtime.spawn(Box::pin(actor.produce_plain()));
                continue;
            }
            runtime.spawn(Box::pin(actor.clone().produce_idempotent(Rc::clone(producer))));
            runtime.spawn(Box::pin(actor.clone().read()));
            let index = actor.model.borrow().id.index;
            match index {
                // Two that overlap.
                0 => (0..2).for_each(|_| runtime.spawn(Box::pin(actor.clone().advance_log_start()))),
                1 => runtime.spawn(Box::pin(actor.clone().retain())),
                _ => {
                    runtime.spawn(Box::pin(actor.clone().retain()));
                    runtime.spawn(Box::pin(actor.clone().advance_log_start()));
                    runtime.spawn(Box::pin(actor.clone().produce_plain()));
                }
            }
        }
    }

    /// Deletes a topic and makes another of the same name.
    fn recreate(&mut self, storage: &Rc<Storage>) {
        let index = self.world.random_below(PARTITIONS as u64) as usize;
        let old = self.models[index].borrow().id;
        self.models[index] = self.new_partition(index as i32);
        self.producers[index] = Rc::new(RefCell::new(Producer::new(i64::from(self.topics_made) + 100)));
        let specs = self.specs();
        let world = &self.world;
        world.block_on(async {
            storage.delete(old).await.expect("deleted");
            storage.open_new(&specs[index..=index]).await.expect("opened");
        });
    }

    /// A clean stop leaves segments that hold exactly the log.
    fn stop(&mut self, storage: &Rc<Storage>) {
        let runtime = self.world.runtime();
        self.is_stopping.set(true);
        let stopped = self.world.block_on(async {
            // Requests in flight end before a broker stops its storage.
            runtime.sleep(Duration::from_millis(20)).await;
            for model in &self.models {
                // No more appends: the partitions are led by nobody.
                let replica = storage.replica(model.borrow().id).expect("open");
                replica.state.borrow_mut().resign();
            }
            runtime.sleep(Duration::from_millis(20)).await;
            for model in &self.models {
                wait_no_orphans(&self.actor(&runtime, storage, model)).await;
            }
            storage.stop().await.expect("stopped");
            for model in &self.models {
                let actor = self.actor(&runtime, storage, model);
                check_files(&actor).await;
            }
        });
        if stopped.is_some() {
            for model in &self.models {
                let end = model.borrow().end();
                model.borrow_mut().acknowledged_end = end;
            }
        }
    }
}
