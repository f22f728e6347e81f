//! A shard's partitions on its disk: one journal, and for each partition a state and a log.
//!
//! This file holds what the operations share; they live beside it: `append`, `read`, `truncate`,
//! `extent`, `log_start`, `retention`, `reclaim`, `compactor`, `write_back`, `checkpointer`, `open`, `stop`, `space`,
//! `stalls`, `corruption`.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::select;
use tokio::sync::{Notify, Semaphore};

use super::cold_cache::ColdCache;
use super::compactor::{Cleaner, CompactionConfig, Retired};
use super::error::StorageError;
use super::file_cache::FileCache;
use super::index_cache::IndexCache;
use super::line::Line;
use super::lost_records::Damaged;
use super::meters::StorageMeters;
use super::producers::{KnownProducers, ProducersConfig};
use super::replica::Replica;
use super::replication::Replication;
use super::space::Space;
use super::steady_clock::SteadyClock;
use crate::base::ids::{Offset, PartitionId};
use crate::base::limits::{CACHED_INDEXES_PERCENT, EXTENTS_IN_FLIGHT_MAX};
use crate::log::journal::file_header::JournalIdentity;
use crate::log::journal::ring::RingShape;
use crate::log::journal::writer::{DurabilitySink, Journal};
use crate::log::partition_log::PartitionLog;
use crate::log::segment::Segment;
use crate::runtime::{DiskMeters, Runtime};

/// Bounds and places of a shard's storage.
#[derive(Clone, Debug)]
pub struct StorageConfig {
    /// The data directory; partitions live below it.
    pub data_directory: PathBuf,
    /// The shard's own directory: checkpoints.
    pub shard_directory: PathBuf,
    /// Size at which a journal group is closed, in bytes.
    pub group_bytes: usize,
    /// Size at which a segment is rolled unless the topic says otherwise, in bytes.
    pub segment_bytes: u64,
    /// Bytes in whole blocks that may be in memory and the journal only; when reached, produce waits for
    /// write-back.
    pub dirty_bytes_max: u64,
    /// Memory for partitions' tails; when reached, what is on disk is evicted, oldest first.
    pub tail_bytes_max: usize,
    /// Memory for batches that were read from disk; when reached, what was not read for longest is dropped.
    pub cold_bytes_max: usize,
    /// Segment files to keep open at most; when reached, the one opened first is closed.
    pub open_segments_max: usize,
    /// How often retention is applied (`log.retention.check.interval.ms`).
    pub retention_check_interval: Duration,
    /// Bytes by which a segment file is shortened at a time before it is removed.
    pub reclaim_step_bytes: u64,
    /// Compaction.
    pub compaction: CompactionConfig,
    /// Idempotent producers.
    pub producers: ProducersConfig,
    /// Length from which on a batch is written to its segment at once (`journal.bypass.bytes`).
    pub extent_bytes_min: usize,
    /// Produce is refused while less than this is free on the data directory's disk (`disk.free.min`).
    pub disk_free_bytes_min: u64,
}

/// What appends of one journal group have to be told when it is durable.
struct Pending {
    sequence: u64,
    ends: Vec<(Rc<Replica>, Offset)>,
}

/// See the module.
pub struct Storage {
    /// Itself, for its tasks.
    this: Weak<Storage>,
    pub(super) runtime: Rc<dyn Runtime>,
    pub(super) config: StorageConfig,
    pub(super) identity: JournalIdentity,
    pub(super) journal: Rc<Journal>,
    pub(super) replicas: RefCell<HashMap<PartitionId, Rc<Replica>>>,
    pub(super) damaged: RefCell<HashMap<PartitionId, Damaged>>,
    pub(super) files: FileCache,
    pub(super) indexes: IndexCache,
    pub(super) cold: Rc<ColdCache>,
    /// Partitions that the shard's files knew when it was opened and the metadata gave to nobody here.
    pub(super) unclaimed: RefCell<Vec<PartitionId>>,
    /// Generation of the last checkpoint.
    pub(super) generation: Cell<u64>,
    /// While a damaged partition is not marked as such, the journal is kept from this file on.
    pub(super) held_journal_file: Cell<Option<u64>>,
    pub(super) dirty_bytes: Cell<u64>,
    pub(super) resident_bytes: Cell<usize>,
    /// Replicas with written-back bytes in memory, each once; evicted from in turn.
    evictable: RefCell<VecDeque<Rc<Replica>>>,
    /// Replicas of which only the chunk is left that is being filled; trimmed when there is nothing to evict.
    trimmable: RefCell<VecDeque<Rc<Replica>>>,
    /// Room was made: bytes written back, space given, journal files freed.
    pub(super) room: Notify,
    /// Appends that found no room.
    pub(super) room_line: Line,
    /// Places for extents that are being written.
    pub(super) extents: Semaphore,
    /// Replicas that began a segment with an extent: nothing dirty tells that the one before can be completed.
    pub(super) rolled: RefCell<VecDeque<Rc<Replica>>>,
    /// There is something for the maintenance task.
    pub(super) work: Notify,
    pub(super) is_stopping: Cell<bool>,
    /// Held by whoever changes segment files: write-back or a truncation.
    pub(super) segment_turn: tokio::sync::Mutex<()>,
    /// Held by whoever writes a checkpoint: two at once would write the same file.
    pub(super) checkpoint_turn: tokio::sync::Mutex<()>,
    /// Replicas whose log start has moved, each once: segments below it can be removed.
    pub(super) reclaimable: RefCell<VecDeque<Rc<Replica>>>,
    /// There is something for the task that removes segments.
    pub(super) reclaim_work: Notify,
    /// Held by whoever removes segment files.
    pub(super) reclaim_turn: tokio::sync::Mutex<()>,
    /// Segments that compaction has put others in the place of, until a checkpoint knows.
    pub(super) retired: RefCell<Vec<Retired>>,
    /// The room on the disk.
    pub(super) space: Space,
    /// Retention is to be applied at once: the disk is nearly full.
    pub(super) retention_wanted: Notify,
    /// Acknowledged groups of the journal were damaged when it was opened: why, and that nobody knows where the
    /// partitions end. Their records before that are read; nothing is written.
    pub(super) lost_ends: Option<Arc<str>>,
    /// The time by which records and producers grow old.
    pub(super) steady_clock: SteadyClock,
    pub(super) known_producers: KnownProducers,
    pub(super) cleaner: Cleaner,
    /// The storage stops, or has failed.
    pub(super) ended: Notify,
    pub(super) meters: StorageMeters,
    /// What the disk of `runtime` counts.
    pub(super) disk: Rc<DiskMeters>,
    pending: RefCell<VecDeque<Pending>>,
    /// Who has to do with other replicas; set once the shard knows who it is to other nodes.
    replication: RefCell<Weak<Replication>>,
}

/// The parts of a storage that `open` has made.
pub(super) struct StorageParts {
    pub(super) runtime: Rc<dyn Runtime>,
    pub(super) config: StorageConfig,
    pub(super) identity: JournalIdentity,
    pub(super) journal: Rc<Journal>,
    pub(super) generation: u64,
    pub(super) lost_ends: Option<Arc<str>>,
    pub(super) disk: Rc<DiskMeters>,
}

impl Storage {
    pub(super) fn new(parts: StorageParts) -> Rc<Self> {
        let open_segments_max = parts.config.open_segments_max;
        let index_bytes_max = parts.config.cold_bytes_max * CACHED_INDEXES_PERCENT / 100;
        let space = Space::new(parts.config.disk_free_bytes_min);
        let storage = Rc::new_cyclic(|this| Storage {
            this: Weak::clone(this),
            cold: ColdCache::new(parts.config.cold_bytes_max),
            runtime: parts.runtime,
            config: parts.config,
            identity: parts.identity,
            journal: parts.journal,
            replicas: RefCell::default(),
            damaged: RefCell::default(),
            files: FileCache::new(open_segments_max),
            indexes: IndexCache::new(index_bytes_max),
            unclaimed: RefCell::default(),
            generation: Cell::new(parts.generation),
            held_journal_file: Cell::new(None),
            dirty_bytes: Cell::new(0),
            resident_bytes: Cell::new(0),
            evictable: RefCell::default(),
            trimmable: RefCell::default(),
            room: Notify::new(),
            room_line: Line::default(),
            extents: Semaphore::new(EXTENTS_IN_FLIGHT_MAX),
            rolled: RefCell::default(),
            work: Notify::new(),
            is_stopping: Cell::new(false),
            segment_turn: tokio::sync::Mutex::new(()),
            checkpoint_turn: tokio::sync::Mutex::new(()),
            reclaimable: RefCell::default(),
            reclaim_work: Notify::new(),
            reclaim_turn: tokio::sync::Mutex::new(()),
            retired: RefCell::default(),
            space,
            retention_wanted: Notify::new(),
            lost_ends: parts.lost_ends,
            steady_clock: SteadyClock::default(),
            known_producers: KnownProducers::default(),
            cleaner: Cleaner::default(),
            ended: Notify::new(),
            meters: StorageMeters::default(),
            disk: parts.disk,
            pending: RefCell::default(),
            replication: RefCell::default(),
        });
        let sink: Rc<dyn DurabilitySink> = storage.clone();
        storage.journal.set_sink(Rc::downgrade(&sink));
        storage
    }

    /// Itself, for a task that outlives the call.
    pub(super) fn this(&self) -> Rc<Self> {
        self.this.upgrade().expect("it is alive while it is called")
    }

    /// Who is told of what concerns other replicas.
    pub(super) fn set_replication(&self, replication: &Rc<Replication>) {
        *self.replication.borrow_mut() = Rc::downgrade(replication);
    }

    /// Who has to do with other replicas.
    pub(super) fn replication(&self) -> Option<Rc<Replication>> {
        self.replication.borrow().upgrade()
    }

    /// The partition, if it is here and anything of it can be read.
    pub fn replica(&self, id: PartitionId) -> Option<Rc<Replica>> {
        self.replicas.borrow().get(&id).cloned()
    }

    /// Partitions that the shard's files knew and [`Storage::open`] was not asked for: deleted ones, and such
    /// as the metadata gives to another shard. Nothing of them outlives the next checkpoint.
    pub fn unclaimed(&self) -> Vec<PartitionId> {
        self.unclaimed.borrow().clone()
    }

    /// The journal's shape, which was fixed when its files were made.
    pub fn journal_shape(&self) -> RingShape {
        self.journal.shape()
    }

    /// Why nothing can be stored any more, if so.
    pub fn check_in_service(&self) -> Result<(), StorageError> {
        self.journal.failure().map_or(Ok(()), |reason| Err(StorageError::OutOfService(reason)))
    }

    /// Bytes in whole blocks that are in memory and the journal only.
    pub fn dirty_bytes(&self) -> u64 {
        self.dirty_bytes.get()
    }

    /// Memory that partitions' tails take, in bytes.
    pub fn resident_bytes(&self) -> usize {
        self.resident_bytes.get()
    }

    /// Memory that batches read from disk take besides, in bytes.
    pub fn cold_bytes(&self) -> usize {
        self.cold.bytes()
    }

    /// How often batches were read from disk so far.
    pub fn cold_reads(&self) -> u64 {
        self.cold.reads()
    }

    /// Has recovery begin where the log is now, as the maintenance does from time to time. What fails takes the writer out
    /// of service.
    pub async fn checkpoint_now(&self) {
        if let Err(error) = self.checkpoint().await {
            tracing::error!(%error, "no checkpoint");
        }
    }

    /// The most that compaction has worked on while nothing else of the shard had its turn, in bytes.
    pub fn longest_compaction_turn_bytes(&self) -> u64 {
        self.meters.compaction.longest_turn_bytes.get()
    }

    /// Changes a log and keeps the sums over all logs right. Looks at every segment: for what is rare.
    pub(super) fn change_log<T>(&self, replica: &Replica, change: impl FnOnce(&mut PartitionLog) -> T) -> T {
        let mut log = replica.log.borrow_mut();
        let before = (log.dirty_bytes(), log.resident_bytes());
        let result = change(&mut log);
        self.count_change(before, (log.dirty_bytes(), log.resident_bytes()));
        result
    }

    /// The same where only one segment changes; nothing if it no longer exists.
    pub(super) fn change_segment(&self, replica: &Replica, base: Offset, change: impl FnOnce(&mut Segment)) {
        let mut log = replica.log.borrow_mut();
        let Some(segment) = log.segment_mut(base) else { return };
        let before = (segment.dirty_bytes(), segment.memory.resident_bytes());
        change(segment);
        self.count_change(before, (segment.dirty_bytes(), segment.memory.resident_bytes()));
    }

    /// The same for an append to the last segment.
    pub(super) fn append_to_log(&self, replica: &Replica, append: impl FnOnce(&mut PartitionLog)) {
        let mut log = replica.log.borrow_mut();
        let sizes = |log: &PartitionLog| {
            let last = log.last_segment().expect("space was made");
            (last.dirty_bytes(), last.memory.resident_bytes())
        };
        let before = sizes(&log);
        append(&mut log);
        self.count_change(before, sizes(&log));
    }

    fn count_change(&self, before: (u64, usize), after: (u64, usize)) {
        self.dirty_bytes.set(self.dirty_bytes.get() + after.0 - before.0);
        self.resident_bytes.set(self.resident_bytes.get() + after.1 - before.1);
    }

    /// Notes that some of a replica's bytes in memory are durable on disk too.
    pub(super) fn make_evictable(&self, replica: &Rc<Replica>) {
        self.note_evictable(replica);
        self.evict();
    }

    fn note_evictable(&self, replica: &Rc<Replica>) {
        if !replica.is_evictable.replace(true) {
            self.evictable.borrow_mut().push_back(Rc::clone(replica));
        }
    }

    /// Lets go of cached bytes while there are more than allowed: first of whole chunks, whose readers are behind the
    /// others; then of what is written of those that are being filled, of which many partitions have as many.
    pub(super) fn evict(&self) {
        while self.resident_bytes.get() > self.config.tail_bytes_max {
            let evictable = self.evictable.borrow_mut().pop_front();
            let freed = if let Some(replica) = evictable {
                self.evict_from(&replica)
            } else {
                let Some(replica) = self.trimmable.borrow_mut().pop_front() else { return };
                replica.is_trimmable.set(false);
                replica.log.borrow_mut().trim()
            };
            self.resident_bytes.set(self.resident_bytes.get() - freed);
        }
    }

    fn evict_from(&self, replica: &Rc<Replica>) -> usize {
        replica.is_evictable.set(false);
        let freed = replica.log.borrow_mut().evict(1);
        if freed > 0 {
            self.note_evictable(replica);
        } else if !replica.is_trimmable.replace(true) {
            self.trimmable.borrow_mut().push_back(Rc::clone(replica));
        }
        freed
    }

    /// Notes that records below `end` are durable once the journal group is.
    pub(super) fn expect_durable(&self, sequence: u64, replica: &Rc<Replica>, end: Offset) {
        // The write may have been submitted by the append itself, and have completed inside of the submission.
        if self.journal.durable_sequence() >= sequence {
            self.tell_durable(replica, end);
            return;
        }
        let mut pending = self.pending.borrow_mut();
        match pending.back_mut() {
            Some(last) if last.sequence == sequence => match last.ends.last_mut() {
                Some((same, last_end)) if Rc::ptr_eq(same, replica) => *last_end = end,
                _ => last.ends.push((Rc::clone(replica), end)),
            },
            _ => pending.push_back(Pending { sequence, ends: vec![(Rc::clone(replica), end)] }),
        }
    }

    fn tell_durable(&self, replica: &Rc<Replica>, end: Offset) {
        replica.on_durable(end);
        if replica.is_replicated() {
            replica.tell_synced();
            if let Some(replication) = self.replication() {
                replication.synced(replica);
            }
        }
    }

    fn next_durable(&self, sequence: u64) -> Option<Pending> {
        self.pending.borrow_mut().pop_front_if(|pending| pending.sequence <= sequence)
    }

    /// Whether the tasks of the storage are to end.
    pub(super) fn has_ended(&self) -> bool {
        self.is_stopping.get() || self.journal.failure().is_some()
    }

    /// Waits for so long, or until the storage has ended; `false` if it has.
    pub(super) async fn pause(&self, duration: Duration) -> bool {
        let ended = self.ended.notified();
        if !self.has_ended() {
            select(std::pin::pin!(ended), self.runtime.sleep(duration)).await;
        }
        !self.has_ended()
    }

    /// Has the tasks of the storage look whether they are to end.
    pub(super) fn wake_tasks(&self) {
        self.work.notify_one();
        self.reclaim_work.notify_one();
        self.ended.notify_waiters();
    }

    /// Takes the shard's writer out of service: for failures outside of the journal.
    pub(super) fn fail(&self, error: &dyn std::fmt::Display) {
        self.journal.fail(&error.to_string());
    }
}

impl DurabilitySink for Storage {
    fn on_submitted(&self, group: &Bytes) {
        if let Some(replication) = self.replication() {
            replication.group_submitted(group);
        }
    }

    fn on_durable(&self, sequence: u64) {
        while let Some(pending) = self.next_durable(sequence) {
            for (replica, end) in pending.ends {
                self.tell_durable(&replica, end);
            }
        }
        if self.must_make_room() {
            self.work.notify_one();
        }
    }

    fn on_failure(&self, reason: &str) {
        tracing::error!(reason, "the shard's writer is out of service: nothing more is acknowledged");
        self.pending.borrow_mut().clear();
        for replica in self.all_replicas() {
            replica.refuse_commit_waiters();
        }
        self.room.notify_waiters();
        self.wake_tasks();
        if let Some(replication) = self.replication() {
            replication.on_failure();
        }
    }
}
