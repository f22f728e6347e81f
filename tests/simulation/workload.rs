//! What clients and operators do to a shard until the power goes.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use corelane::base::ids::Offset;
use corelane::base::limits::PRODUCER_DUPLICATE_WINDOW;
use corelane::cluster::TopicSettings;
use corelane::partition::{AppendError, ProducerError};
use corelane::protocol::batch::{BatchBuilder, BatchHeader, Batches};
use corelane::runtime::Runtime;
use corelane::runtime::sim::{CrashPoint, SimWorld};
use corelane::shard::{PartitionSpec, Replica, Storage, StorageError};

use super::model::PartitionModel;

pub type SharedModel = Rc<RefCell<PartitionModel>>;

/// A batch that a producer has sent and does not know the fate of.
struct Unanswered {
    base_sequence: i32,
    batch: Vec<u8>,
    /// Where it was appended, if it was.
    offset: Option<Offset>,
}

/// An idempotent producer with up to five batches in flight. It survives the broker's crashes.
pub struct Producer {
    producer_id: i64,
    next_sequence: i32,
    unanswered: Vec<Unanswered>,
    /// The newest batches that were acknowledged, to be sent once more.
    acknowledged: VecDeque<Unanswered>,
}

/// So many that the oldest is beyond the window in which duplicates are recognised.
const ACKNOWLEDGED_KEPT: usize = PRODUCER_DUPLICATE_WINDOW + 1;

impl Producer {
    pub fn new(producer_id: i64) -> Self {
        Producer { producer_id, next_sequence: 0, unanswered: Vec::new(), acknowledged: VecDeque::new() }
    }

    /// Sends again what it has no answer for: each batch must be where it is, or be appended now, once.
    pub async fn retry(&mut self, storage: &Storage, replica: &Rc<Replica>, model: &SharedModel, epoch: i32) {
        if self.acknowledged.len() == ACKNOWLEDGED_KEPT {
            let sent = self.acknowledged.pop_front().expect("just counted");
            let header = BatchHeader::parse(&sent.batch).expect("built here");
            let refused = storage.append(replica, &header, &sent.batch).await;
            assert!(
                matches!(
                    refused,
                    Err(StorageError::Append(AppendError::Producer(
                        ProducerError::OutOfOrderSequence { .. }
                    )))
                ),
                "producer {} sequence {}: too old a duplicate: {refused:?}",
                self.producer_id,
                sent.base_sequence
            );
        }
        // With what is unanswered, no more than a client has in flight.
        let again = PRODUCER_DUPLICATE_WINDOW - self.unanswered.len();
        let skipped = self.acknowledged.len().saturating_sub(again);
        for sent in self.acknowledged.iter_mut().skip(skipped).chain(&mut self.unanswered) {
            let survived = sent.offset.filter(|&offset| offset < model.borrow().end());
            let header = BatchHeader::parse(&sent.batch).expect("built here");
            let appended = storage.append(replica, &header, &sent.batch).await.expect("in order");
            match survived {
                Some(offset) => assert_eq!(
                    appended.base_offset, offset,
                    "producer {} sequence {}: a duplicate has its original's offset",
                    self.producer_id, sent.base_sequence
                ),
                None => {
                    model.borrow_mut().append(&header, &sent.batch, appended.base_offset, epoch);
                    sent.offset = Some(appended.base_offset);
                }
            }
        }
    }

    fn next_batch(&mut self, random: &dyn Runtime) -> Vec<u8> {
        let builder = BatchBuilder::new().producer(self.producer_id, 0, self.next_sequence);
        let batch = random_batch(builder, random);
        let count = BatchHeader::parse(&batch).expect("built here").last_offset_delta + 1;
        self.unanswered.push(Unanswered {
            base_sequence: self.next_sequence,
            batch: batch.clone(),
            offset: None,
        });
        self.next_sequence += count;
        batch
    }
}

fn random_batch(mut builder: BatchBuilder, random: &dyn Runtime) -> Vec<u8> {
    let records = 1 + random.random_u64() % 5;
    let length = match random.random_u64() % 20 {
        0 => 9_000,
        1 | 2 => 3_000,
        _ => random.random_u64() % 400,
    };
    for _ in 0..records {
        let value = random.random_u64().to_le_bytes().repeat(length as usize / 8 + 1);
        let timestamp = (random.random_u64() % 1_000_000) as i64;
        builder = builder.record(timestamp, Some(b"key"), Some(&value));
    }
    builder.build()
}

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
    /// Where to have the power go when a log start has just been moved.
    pub crash_at_log_start: Option<Rc<SimWorld>>,
}

impl Actor {
    async fn pause(&self) {
        match self.runtime.random_u64() % 4 {
            0 => self.runtime.sleep(Duration::from_micros(self.runtime.random_u64() % 2_000)).await,
            1 => self.runtime.yield_now().await,
            _ => {}
        }
    }

    /// Sends idempotent batches for ever, up to five ahead of the acknowledgements.
    pub async fn produce_idempotent(self, producer: Rc<RefCell<Producer>>) {
        loop {
            while producer.borrow().unanswered.len() < 5 && !self.runtime.random_u64().is_multiple_of(5) {
                let batch = producer.borrow_mut().next_batch(&*self.runtime);
                let header = BatchHeader::parse(&batch).expect("built here");
                let Ok(appended) = self.storage.append(&self.replica, &header, &batch).await else { return };
                self.model.borrow_mut().append(&header, &batch, appended.base_offset, self.leader_epoch);
                let mut producer = producer.borrow_mut();
                producer.unanswered.last_mut().expect("just sent").offset = Some(appended.base_offset);
            }
            if producer.borrow().unanswered.is_empty() {
                self.runtime.sleep(Duration::from_micros(100)).await;
            } else if !self.acknowledge_first(&producer).await {
                return;
            }
            self.pause().await;
        }
    }

    async fn acknowledge_first(&self, producer: &Rc<RefCell<Producer>>) -> bool {
        let last_offset = {
            let producer = producer.borrow();
            let first = &producer.unanswered[0];
            let header = BatchHeader::parse(&first.batch).expect("built here");
            first.offset.expect("sent") + i64::from(header.last_offset_delta)
        };
        if let Some(committed) = self.replica.commit_waiter(last_offset)
            && committed.await.is_err()
        {
            return false;
        }
        self.model.borrow_mut().acknowledge(last_offset);
        let mut producer = producer.borrow_mut();
        let first = producer.unanswered.remove(0);
        producer.acknowledged.push_back(first);
        if producer.acknowledged.len() > ACKNOWLEDGED_KEPT {
            producer.acknowledged.pop_front();
        }
        true
    }

    /// Sends batches without a producer id for ever, each acknowledged before the next.
    pub async fn produce_plain(self) {
        loop {
            let batch = random_batch(BatchBuilder::new(), &*self.runtime);
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
                Err(StorageError::Append(_)) => self.runtime.sleep(Duration::from_micros(200)).await,
                Err(_) => return,
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

    /// The time between the move of a log start, its durability and the removal of files is short: a crash that
    /// comes at random seldom hits it.
    fn perhaps_crash(&self) {
        if let Some(world) = &self.crash_at_log_start
            && world.random_below(6) == 0
        {
            world.crash_at(CrashPoint::DiskEvents(1 + world.random_below(20)));
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
            match self.storage.truncate(&self.replica, offset).await {
                Ok(()) => {
                    let end = self.replica.state.borrow().progress().log_end();
                    let mut model = self.model.borrow_mut();
                    assert!(end <= offset.max(model.acknowledged_end), "cut at {offset}, ends at {end}");
                    model.cut(end);
                }
                Err(StorageError::Deleted | StorageError::OutOfService(_)) => return,
                // The log start lies behind the cut, or inside of its batch: it is not cut away.
                Err(StorageError::OutsideLog(_)) if batch_start < self.log_start() => {}
                Err(error) => panic!("partition {}: cut at {offset}: {error}", self.model.borrow().name),
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
    let read = actor.storage.read(&actor.replica, offset, max_bytes).await;
    let pieces = match read {
        Ok(pieces) => pieces,
        Err(StorageError::Deleted) => return offset,
        // The log start may have moved on while the read waited.
        Err(StorageError::Fetch(_)) if offset < actor.replica.state.borrow().progress().log_start() => {
            return offset;
        }
        Err(error) => panic!("partition {}: read at {offset}: {error}", actor.model.borrow().name),
    };
    let bytes = pieces.concat();
    assert!(!bytes.is_empty(), "nothing to read at {offset}");
    let model = actor.model.borrow();
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
