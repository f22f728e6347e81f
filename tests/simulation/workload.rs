//! What clients and operators do to a shard until the power goes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use corelane::base::ids::Offset;
use corelane::cluster::TopicSettings;
use corelane::protocol::batch::{BatchBuilder, BatchHeader, Batches};
use corelane::runtime::Runtime;
use corelane::runtime::sim::{CrashPoint, DiskOp, SimWorld};
use corelane::shard::{Appended, PartitionSpec, PassError, Replica, Storage, StorageError};

use super::compacted::Stretch;
use super::life::{Life, Weather};
use super::model::PartitionModel;
use super::producer::{Producer, random_batch};

pub type SharedModel = Rc<RefCell<PartitionModel>>;

/// Everything that a task of the workload needs.
#[derive(Clone)]
pub struct Actor {
    pub runtime: Rc<dyn Runtime>,
    pub storage: Rc<Storage>,
    pub replica: Rc<Replica>,
    pub model: SharedModel,
    pub leader_epoch: i32,
    /// Set before a clean stop: nothing new is begun.
    pub is_stopping: Rc<Cell<bool>>,
    pub life: Life,
    pub world: Rc<SimWorld>,
}

/// Whether the partition takes nothing more in this life.
fn is_final(error: &StorageError) -> bool {
    matches!(error, StorageError::OutOfService(_) | StorageError::Deleted | StorageError::Damaged(_))
}

impl Actor {
    async fn pause(&self) {
        match self.runtime.random_u64() % 4 {
            0 => self.runtime.sleep(Duration::from_micros(self.runtime.random_u64() % 2_000)).await,
            1 => self.runtime.yield_now().await,
            _ => {}
        }
    }

    /// Sends idempotent batches for ever, up to five ahead of the acknowledgements, and now and then one of those
    /// again that are in flight.
    pub async fn produce_idempotent(self, producer: Rc<RefCell<Producer>>) {
        loop {
            while producer.borrow().unanswered.len() < 5 && !self.runtime.random_u64().is_multiple_of(5) {
                let is_compacted = self.model.borrow().keyed.is_some();
                let batch =
                    producer.borrow_mut().next_batch(&*self.runtime, self.life.is_small, is_compacted);
                let header = BatchHeader::parse(&batch).expect("built here");
                let Some(appended) = self.append(&header, &batch).await else { return };
                self.model.borrow_mut().append(&header, &batch, appended.base_offset, self.leader_epoch);
                let mut producer = producer.borrow_mut();
                producer.unanswered.last_mut().expect("just sent").offset = Some(appended.base_offset);
            }
            let is_idle = producer.borrow().unanswered.is_empty();
            let is_alive = match (is_idle, self.runtime.random_u64() % 8) {
                (true, _) => {
                    self.runtime.sleep(Duration::from_micros(100)).await;
                    true
                }
                (false, 0) => self.send_again(&producer).await,
                (false, _) => self.acknowledge_first(&producer).await,
            };
            if !is_alive {
                return;
            }
            self.pause().await;
        }
    }

    /// Appends, again and again if the disk has no room; nothing if it will never have any.
    async fn append(&self, header: &BatchHeader, batch: &[u8]) -> Option<Appended> {
        loop {
            match self.storage.append(&self.replica, header, batch).await {
                Ok(appended) => return Some(appended),
                Err(error) if is_final(&error) => return None,
                Err(_) => self.runtime.sleep(Duration::from_millis(2)).await,
            }
        }
    }

    /// A batch in flight comes once more: it is where it was, and its answer says as much as the first one's.
    async fn send_again(&self, producer: &Rc<RefCell<Producer>>) -> bool {
        let (header, batch, offset) = {
            let producer = producer.borrow();
            let sent = producer.unanswered.last().expect("something is in flight");
            (sent.header(), sent.batch.clone(), sent.offset)
        };
        let Some(appended) = self.append(&header, &batch).await else { return false };
        assert_eq!(Some(appended.base_offset), offset, "a duplicate has its original's offset");
        let committed = self.replica.commit_waiter(appended.last_offset);
        if let Some(committed) = committed
            && committed.await.is_err()
        {
            return false;
        }
        self.model.borrow_mut().acknowledge(appended.last_offset);
        true
    }

    async fn acknowledge_first(&self, producer: &Rc<RefCell<Producer>>) -> bool {
        let last_offset = {
            let producer = producer.borrow();
            let first = &producer.unanswered[0];
            first.offset.expect("sent") + i64::from(first.header().last_offset_delta)
        };
        if let Some(committed) = self.replica.commit_waiter(last_offset)
            && committed.await.is_err()
        {
            return false;
        }
        self.model.borrow_mut().acknowledge(last_offset);
        producer.borrow_mut().answered();
        true
    }

    /// Sends batches for ever, each acknowledged before the next; where logs are cut, as a producer that goes on
    /// behind what is left.
    pub async fn produce_plain(self) {
        const PRODUCER_ID: i64 = 900;
        loop {
            let mut builder = BatchBuilder::new();
            if self.model.borrow().is_cut {
                builder = builder.producer(PRODUCER_ID, 0, self.model.borrow().next_sequence(PRODUCER_ID));
            }
            let batch = random_batch(builder, &*self.runtime, self.life.is_small, false);
            let header = BatchHeader::parse(&batch).expect("built here");
            match self.storage.append(&self.replica, &header, &batch).await {
                Ok(appended) => {
                    let leader_epoch =
                        self.replica.state.borrow().leader_epoch().expect("it was led just now");
                    self.model.borrow_mut().append(&header, &batch, appended.base_offset, leader_epoch);
                    let waiter = self.replica.commit_waiter(appended.last_offset);
                    let committed = match waiter {
                        Some(waiter) => waiter.await.is_ok(),
                        None => true,
                    };
                    // A cut may have taken the batch before its turn.
                    if committed && self.model.borrow().end() > appended.last_offset {
                        self.model.borrow_mut().acknowledge(appended.last_offset);
                    }
                }
                Err(error) if is_final(&error) => return,
                Err(_) => self.runtime.sleep(Duration::from_micros(200)).await,
            }
            self.pause().await;
        }
    }

    /// Reads at random for ever; what is read must be what was written.
    pub async fn read(self) {
        loop {
            self.runtime.sleep(Duration::from_micros(self.runtime.random_u64() % 3_000)).await;
            let (start, end) = {
                let state = self.replica.state.borrow();
                (state.progress().log_start(), state.progress().high_watermark())
            };
            {
                let model = self.model.borrow();
                assert!(model.is_cut || (model.acknowledged_end..=model.end()).contains(&end), "committed");
            }
            if end > start && !self.model.borrow().is_cut {
                let offset = start + (self.runtime.random_u64() % (end - start) as u64) as i64;
                let max_bytes = (self.runtime.random_u64() % 20_000) as usize;
                check_read(&self, offset, max_bytes).await;
            }
        }
    }

    /// Moves the log start up now and then.
    pub async fn advance_log_start(self) {
        loop {
            self.runtime.sleep(Duration::from_micros(self.runtime.random_u64() % 40_000)).await;
            if self.is_stopping.get() {
                return;
            }
            let (start, end) = {
                let state = self.replica.state.borrow();
                (state.progress().log_start(), state.progress().high_watermark())
            };
            let count = (end - start) as u64;
            let offset = match self.runtime.random_u64() % 8 {
                0 => end,
                1 => start,
                // So that segments go.
                2..5 if self.life.crashes_at_cuts => end,
                _ => start + (self.runtime.random_u64() % (count + 1) / 2) as i64,
            };
            {
                let mut model = self.model.borrow_mut();
                model.begin_log_start(offset);
            }
            self.perhaps_crash();
            let Ok(log_start) = self.storage.advance_log_start(&self.replica, offset).await else {
                return;
            };
            assert!(log_start >= offset, "what was asked for is done");
            self.model.borrow_mut().confirm_log_start(log_start);
        }
    }

    /// Applies retention now and then, each time with other settings.
    pub async fn retain(self) {
        loop {
            self.runtime.sleep(Duration::from_micros(self.runtime.random_u64() % 30_000)).await;
            if self.is_stopping.get() {
                return;
            }
            let settings = self.random_settings();
            let spec = PartitionSpec {
                id: self.replica.id,
                topic_name: "t".to_owned(),
                leader_epoch: self.leader_epoch,
                settings,
            };
            self.storage.change(&spec).expect("the same term");
            {
                let mut model = self.model.borrow_mut();
                model.settings = settings;
                let log_start = self.replica.state.borrow().progress().log_start();
                let limit = model.retention_limit(log_start, self.runtime.wall_clock_ms());
                model.begin_log_start(limit);
            }
            self.perhaps_crash();
            let Ok(log_start) = self.storage.retain(&self.replica).await else { return };
            self.model.borrow_mut().confirm_log_start(log_start);
        }
    }

    /// Compacts now and then, often after having what is being filled sealed.
    pub async fn compact(self) {
        loop {
            self.runtime.sleep(Duration::from_micros(self.runtime.random_u64() % 50_000)).await;
            if self.is_stopping.get() {
                return;
            }
            if self.runtime.random_u64().is_multiple_of(2) && self.seal().await.is_err() {
                return;
            }
            match self.storage.compact_replica(&self.replica).await {
                // Nobody compacts before it is known which files belong to the log, nor for a while on a full disk.
                Ok(_) | Err(PassError::Interrupted) => {}
                Err(_) if self.life.weather != Weather::Fair => {}
                Err(error) => panic!("partition {}: compaction: {error}", self.model.borrow().name),
            }
            if self.runtime.random_u64().is_multiple_of(4) {
                self.storage.checkpoint_now().await;
            }
        }
    }

    /// Seals the segment that is being filled, as its age would.
    async fn seal(&self) -> Result<(), StorageError> {
        let settings = self.model.borrow().settings;
        let leader_epoch = self.leader_epoch;
        let spec = |settings| PartitionSpec {
            id: self.replica.id,
            topic_name: "t".to_owned(),
            leader_epoch,
            settings,
        };
        self.storage.change(&spec(TopicSettings { segment_ms: -1, ..settings })).expect("the same term");
        let sealed = self.storage.retain(&self.replica).await;
        // Before a clean stop it is led by nobody any more.
        if !self.is_stopping.get() {
            self.storage.change(&spec(settings)).expect("the same term");
        }
        sealed.map(|_| ())
    }

    /// The time between the move of one of the log's ends, its durability and the removal of files is short: a crash
    /// that comes at random seldom hits it.
    fn perhaps_crash(&self) {
        if self.life.crashes_at_cuts && self.world.random_below(6) == 0 {
            let count = 1 + self.world.random_below(20);
            self.world.crash_at(match self.world.random_below(3) {
                0 => CrashPoint::DiskEvents(count),
                1 => CrashPoint::Successes(DiskOp::SetLength, 1),
                _ => CrashPoint::Successes(DiskOp::Remove, 1 + count / 8),
            });
        }
    }

    /// Records are of the first 1,000 seconds of 1970, so that nearly all segments are about equally late.
    fn random_settings(&self) -> TopicSettings {
        let random = || self.runtime.random_u64();
        let latest_ms = 985_000 + (random() % 16_000) as i64;
        let retention_ms = random().is_multiple_of(3).then(|| self.runtime.wall_clock_ms() - latest_ms);
        let retention_bytes = random().is_multiple_of(3).then(|| random() % 200_000);
        let segment_ms = [30, 400_000, i64::MAX, i64::MAX][random() as usize % 4];
        let settings = self.model.borrow().settings;
        TopicSettings { retention_ms, retention_bytes, segment_ms, ..settings }
    }

    /// Cuts the log's end now and then, as a follower would.
    pub async fn truncate(self) {
        let mut leader_epoch = self.leader_epoch;
        loop {
            self.runtime.sleep(Duration::from_micros(self.runtime.random_u64() % 20_000)).await;
            if self.is_stopping.get() {
                return;
            }
            let (start, end) = {
                let state = self.replica.state.borrow();
                (state.progress().log_start(), state.progress().log_end())
            };
            let span =
                if self.runtime.random_u64().is_multiple_of(4) { end - start } else { (end - start).min(20) };
            let offset = end - (self.runtime.random_u64() % (span as u64 + 1)) as i64;
            self.replica.state.borrow_mut().resign();
            let batch_start = self.batch_start(offset);
            self.model.borrow_mut().begin_cut(batch_start);
            self.perhaps_crash();
            match self.storage.truncate(&self.replica, offset).await {
                Ok(()) => {
                    let end = self.replica.state.borrow().progress().log_end();
                    let mut model = self.model.borrow_mut();
                    assert!(end <= offset.max(model.acknowledged_end), "cut at {offset}, ends at {end}");
                    model.cut(end);
                    model.check_state(&self.replica.state.borrow().snapshot());
                }
                Err(StorageError::Deleted | StorageError::OutOfService(_)) => return,
                // The log start lies behind the cut, or inside of its batch: it is not cut away.
                Err(StorageError::OutsideLog(_)) if batch_start < self.log_start() => {
                    self.model.borrow_mut().give_up_cut();
                }
                // The batch that is cut cannot be read, or files behind it not be removed.
                Err(_) if self.life.weather != Weather::Fair => return,
                Err(error) => panic!("partition {}: cut at {offset}: {error}", self.model.borrow().name),
            }
            if self.is_stopping.get() {
                return;
            }
            leader_epoch += 1;
            let led = self.replica.state.borrow_mut().become_leader(leader_epoch);
            led.expect("a later term");
        }
    }

    fn log_start(&self) -> Offset {
        self.replica.state.borrow().progress().log_start()
    }

    fn batch_start(&self, offset: Offset) -> Offset {
        self.model.borrow().batch_at(offset).map_or(offset, |batch| batch.base_offset)
    }
}

/// Reads at an offset and compares with the model; returns the offset behind what was read.
pub async fn check_read(actor: &Actor, offset: Offset, max_bytes: usize) -> Offset {
    check_stretch(actor, offset, max_bytes, &mut Stretch::default()).await
}

/// The same, and adds what is left of a compacted log there to `stretch`.
pub async fn check_stretch(actor: &Actor, offset: Offset, max_bytes: usize, stretch: &mut Stretch) -> Offset {
    let end = actor.replica.state.borrow().progress().high_watermark();
    let read = actor.storage.read(&actor.replica, offset, max_bytes).await;
    let pieces = match read {
        Ok(pieces) => pieces,
        Err(StorageError::Deleted) => return offset,
        // The log start may have moved on while the read waited.
        Err(StorageError::Fetch(_)) if offset < actor.replica.state.borrow().progress().log_start() => {
            return offset;
        }
        Err(_) if actor.life.reads_may_fail() => return offset,
        Err(error) => panic!("partition {}: read at {offset}: {error}", actor.model.borrow().name),
    };
    let bytes = pieces.concat();
    let model = actor.model.borrow();
    if model.keyed.is_some() {
        return model.check_compacted(offset, end, &bytes, stretch);
    }
    assert!(!bytes.is_empty(), "nothing to read at {offset}");
    let expected = model.bytes_from(offset, bytes.len());
    assert!(expected.starts_with(&bytes), "partition {}: other bytes at {offset}", model.name);
    let mut batches = Batches::new(&bytes).check_crc();
    let mut next = offset;
    for batch in &mut batches {
        next = batch.expect("whole").batch.header().last_offset() + 1;
    }
    assert_eq!(batches.position(), bytes.len(), "whole batches only");
    assert!(next > offset && bytes.len() <= max_bytes.max(model.batch_at(offset).expect("held").bytes.len()));
    next
}
