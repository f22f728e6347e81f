//! One partition on this shard: its decisions, its bytes and who waits for it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Notify;

use super::commits::{CommitWaiter, Uncommitted, Waiters};
use super::error::StorageError;
use super::fetch::Watchers;
use super::replication::Role;
use crate::base::ids::{Offset, PartitionId};
use crate::cluster::TopicSettings;
use crate::log::partition_log::{PartitionLog, Roll};
use crate::log::segment::Segment;
use crate::partition::Partition;

/// When segments are rolled under these settings.
pub(super) fn roll(settings: &TopicSettings) -> Roll {
    // Only what is in a complete segment is compacted.
    let segment_ms = match settings.cleanup.compact {
        true => settings.segment_ms.min(settings.compaction_lag_ms_max),
        false => settings.segment_ms,
    };
    Roll { segment_bytes: settings.segment_bytes.into(), segment_ms }
}

/// A partition that the shard owns. Borrows of its cells never live across an await.
pub struct Replica {
    /// Its identity.
    pub id: PartitionId,
    /// Offsets, epochs, producers.
    pub state: RefCell<Partition>,
    /// Segments.
    pub log: RefCell<PartitionLog>,
    /// What the topic's configs come to.
    settings: Cell<TopicSettings>,
    /// Segments that are not as they were written, by their first offsets, each with what is known of it.
    pub(super) corrupt_segments: RefCell<BTreeMap<Offset, Arc<str>>>,
    /// Set where the journal has lost acknowledged records, of this partition or of others: the log's end is only what
    /// is known of it.
    pub(super) lost_end: RefCell<Option<Arc<str>>>,
    /// Set where the journal has lost records of this partition: the log's end is where it is whole, and it takes none.
    pub(super) cut_short: RefCell<Option<Arc<str>>>,
    /// Set when the partition no longer serves: it was deleted.
    offline: RefCell<Option<StorageError>>,
    /// Those who wait for records to be committed, by the offset that the high watermark must reach.
    commit_waiters: RefCell<Waiters>,
    /// The same for those who are content when the leader has synced them, where that is not all.
    sync_waiters: RefCell<Waiters>,
    /// What it does for the other replicas, if there are any. Set with [`Replica::set_role`].
    pub(super) role: RefCell<Role>,
    /// Whether there are others: so that who has none looks no further.
    is_replicated: Cell<bool>,
    /// Whether nothing more will be committed.
    is_out_of_service: Cell<bool>,
    /// Those who fetch from it and are told of every change that they would see.
    pub(super) watchers: RefCell<Watchers>,
    /// Whether the partition is among those whose memory can be evicted.
    pub(super) is_evictable: Cell<bool>,
    /// Whether it is among those whose memory can be trimmed.
    pub(super) is_trimmable: Cell<bool>,
    /// Whether a task is giving the partition space on disk.
    pub(super) is_allocating: Cell<bool>,
    /// Whether a batch is being written to the segment behind the log's end: nothing may be appended meanwhile.
    pub(super) is_extending: Cell<bool>,
    /// That has ended.
    pub(super) extended: Notify,
    /// The log's start as far as it is durable: segments below it may be removed.
    pub(super) durable_log_start: Cell<Offset>,
    /// The journal group of the log start's newest move.
    pub(super) log_start_sequence: Cell<u64>,
    /// Whether the partition is among those of which segments may be removed.
    pub(super) is_reclaimable: Cell<bool>,
    /// Segments that are in no log any more, durably: compaction has put others in their place.
    pub(super) discardable: RefCell<Vec<Segment>>,
    /// The producers that the shard has counted as this partition's.
    pub(super) counted_producers: Cell<usize>,
    /// Whether files that a crash has left were looked for, so that new ones can be told from them.
    pub(super) is_swept: Cell<bool>,
    /// How often segment files may have been made, and up to which of these times the directory holds their entries
    /// durably.
    pub(super) files_made: Cell<u64>,
    pub(super) files_made_durably: Cell<u64>,
}

impl Replica {
    pub(super) fn new(
        id: PartitionId,
        settings: TopicSettings,
        state: Partition,
        log: PartitionLog,
    ) -> Rc<Self> {
        let log_start = state.progress().log_start();
        Rc::new(Replica {
            id,
            state: RefCell::new(state),
            log: RefCell::new(log),
            settings: Cell::new(settings),
            corrupt_segments: RefCell::default(),
            lost_end: RefCell::default(),
            cut_short: RefCell::default(),
            offline: RefCell::new(None),
            commit_waiters: RefCell::default(),
            sync_waiters: RefCell::default(),
            role: RefCell::new(Role::Alone),
            is_replicated: Cell::new(false),
            is_out_of_service: Cell::new(false),
            watchers: RefCell::default(),
            is_evictable: Cell::new(false),
            is_trimmable: Cell::new(false),
            is_allocating: Cell::new(false),
            is_extending: Cell::new(false),
            extended: Notify::new(),
            durable_log_start: Cell::new(log_start),
            log_start_sequence: Cell::new(0),
            is_reclaimable: Cell::new(false),
            discardable: RefCell::default(),
            counted_producers: Cell::new(0),
            is_swept: Cell::new(false),
            files_made: Cell::new(1),
            files_made_durably: Cell::new(0),
        })
    }

    /// What the topic's configs come to now. They change while the partition serves.
    pub fn settings(&self) -> TopicSettings {
        self.settings.get()
    }

    /// The topic's configs, or those of its brokers, have changed.
    pub(super) fn set_settings(&self, settings: TopicSettings) {
        self.settings.set(settings);
        self.log.borrow_mut().set_roll(roll(&settings));
    }

    /// Why the partition does not serve, if it does not.
    pub fn check_online(&self) -> Result<(), StorageError> {
        self.offline.borrow().clone().map_or(Ok(()), Err)
    }

    /// Takes the partition out of service; all who wait are told.
    pub(super) fn set_offline(&self, reason: StorageError) {
        *self.offline.borrow_mut() = Some(reason);
        self.refuse_commit_waiters();
        self.tell_watchers();
    }

    /// Drops all who wait for a commit, now or later: it will not come.
    pub(super) fn refuse_commit_waiters(&self) {
        self.is_out_of_service.set(true);
        self.refuse_waiters(Uncommitted::OutOfService);
        self.sync_waiters.borrow_mut().refuse(Uncommitted::OutOfService);
    }

    /// Drops all who wait for a commit now.
    pub(super) fn refuse_waiters(&self, why: Uncommitted) {
        self.commit_waiters.borrow_mut().refuse(why);
        if why == Uncommitted::NotLeader {
            self.sync_waiters.borrow_mut().refuse(why);
        }
    }

    /// Records below `end` were made durable.
    pub(super) fn on_durable(&self, end: Offset) {
        let advanced = self.state.borrow_mut().on_durable(end);
        if let Some(high_watermark) = advanced {
            self.tell_committed(high_watermark);
        }
    }

    /// The replicas' leader has records below `high_watermark` committed, which are durable here.
    pub(super) fn on_committed(&self, high_watermark: Offset) {
        if self.state.borrow_mut().learn_high_watermark(high_watermark) {
            self.tell_committed(high_watermark);
        }
    }

    fn tell_committed(&self, high_watermark: Offset) {
        self.commit_waiters.borrow_mut().wake(high_watermark);
        self.tell_watchers();
    }

    /// Wakes those who wait for the leader alone.
    pub(super) fn tell_synced(&self) {
        let durable_end = self.state.borrow().progress().durable_end();
        self.sync_waiters.borrow_mut().wake(durable_end);
    }

    /// Whether there are other replicas.
    pub(super) fn is_replicated(&self) -> bool {
        self.is_replicated.get()
    }

    /// From now on it does this; what it did before.
    pub(super) fn set_role(&self, role: Role) -> Role {
        self.is_replicated.set(!matches!(role, Role::Alone));
        self.role.replace(role)
    }

    /// Whether a write with `acks=all` may be accepted: enough replicas are in sync.
    pub(super) fn is_enough_in_sync(&self) -> bool {
        match &*self.role.borrow() {
            Role::Leads(leading) => leading.leader.is_enough_in_sync(),
            // One is in sync. Who does not lead refuses for another reason.
            _ => self.is_replicated() || self.settings().min_in_sync_replicas <= 1,
        }
    }

    /// A place in the line of those who wait until the high watermark is beyond `last_offset`; `None` if it is.
    pub fn commit_waiter(&self, last_offset: Offset) -> Option<CommitWaiter> {
        let wanted = last_offset + 1;
        if self.state.borrow().progress().high_watermark() >= wanted {
            return None;
        }
        if self.is_out_of_service.get() {
            return Some(Waiters::refused());
        }
        Some(self.commit_waiters.borrow_mut().wait(wanted))
    }

    /// The same until this node has synced the records, whoever else has them.
    pub(super) fn sync_waiter(&self, last_offset: Offset) -> Option<CommitWaiter> {
        if !self.is_replicated() {
            return self.commit_waiter(last_offset);
        }
        let wanted = last_offset + 1;
        if self.state.borrow().progress().durable_end() >= wanted {
            return None;
        }
        if self.is_out_of_service.get() {
            return Some(Waiters::refused());
        }
        Some(self.sync_waiters.borrow_mut().wait(wanted))
    }

    /// A fetch would see something else than before.
    pub(super) fn tell_watchers(&self) {
        self.watchers.borrow_mut().tell();
    }
}
