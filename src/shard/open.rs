//! Opening and closing: the shard's journal once, partitions as the metadata names them.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use super::error::StorageError;
use super::replica::{Replica, roll};
use super::storage::{Storage, StorageConfig, StorageParts};
use crate::base::ids::{LeaderEpoch, Offset, PartitionId};
use crate::base::planted::{Bug, is_planted};
use crate::cluster::TopicSettings;
use crate::log::LogError;
use crate::log::checkpoint::PartitionRecord;
use crate::log::journal::writer::Journal;
use crate::log::partition_log::{PartitionLog, Roll};
use crate::log::recovery::{self, DamagedPartition, RecoveredPartition, ShardPaths, StateChange};
use crate::log::segment::path;
use crate::log::snapshot::StateSnapshot;
use crate::partition::Partition;
use crate::runtime::{DiskMeters, Runtime, metered};

/// What recovery found, by partition.
pub(super) type RecoveredPartitions = HashMap<PartitionId, Result<RecoveredPartition, Box<DamagedPartition>>>;

/// The term of a copy that does not lead, or that leads others, which is taken up later.
pub const NO_TERM: LeaderEpoch = -1;

/// A partition that the metadata gives to this shard.
#[derive(Clone, Debug)]
pub struct PartitionSpec {
    /// Its identity.
    pub id: PartitionId,
    /// For the directory's name.
    pub topic_name: String,
    /// The term in which this shard leads it as the only replica; [`NO_TERM`] while it does not, and where there are
    /// others.
    pub leader_epoch: LeaderEpoch,
    /// What its topic's configs come to.
    pub settings: TopicSettings,
}

impl PartitionSpec {
    /// The term in which the shard leads, if it does.
    pub(super) fn term(&self) -> Option<LeaderEpoch> {
        Some(self.leader_epoch).filter(|epoch| *epoch != NO_TERM)
    }
}

impl Storage {
    /// Recovers a shard's files and opens the partitions that the metadata gives it. What the files know and
    /// the metadata does not was deleted, or is another shard's now: it is forgotten, its directory stays. Where
    /// acknowledged groups of the journal are damaged, the writer is out of service from the start.
    pub async fn open(
        runtime: Rc<dyn Runtime>,
        config: StorageConfig,
        paths: &ShardPaths,
        disk_id: [u8; 16],
        partitions: &[PartitionSpec],
    ) -> Result<Rc<Self>, LogError> {
        let (storage, recovered) = Storage::recover(runtime, config, paths, disk_id).await?;
        storage.restore_all(recovered, partitions).await?;
        // Before anything is accepted.
        storage.look_at_space().await;
        Ok(storage)
    }

    /// A storage without partitions on a shard's recovered files, and the partitions that the files know.
    pub(super) async fn recover(
        runtime: Rc<dyn Runtime>,
        config: StorageConfig,
        paths: &ShardPaths,
        disk_id: [u8; 16],
    ) -> Result<(Rc<Self>, RecoveredPartitions), LogError> {
        let disk = Rc::new(DiskMeters::default());
        let runtime = metered(runtime, Rc::clone(&disk));
        let recovered = recovery::recover(&runtime, paths, disk_id).await?;
        let journal =
            Journal::new(Rc::clone(&runtime), recovered.files, recovered.journal, config.group_bytes);
        let storage = Storage::new(StorageParts {
            runtime,
            config,
            identity: recovered.identity,
            journal,
            generation: recovered.generation,
            lost_ends: recovered.damage.map(|error| error.to_string().into()),
            disk,
        });
        if let Some(reason) = &storage.lost_ends {
            storage.journal.fail(reason);
        }
        Ok((storage, recovered.partitions))
    }

    async fn restore_all(
        &self,
        mut recovered: RecoveredPartitions,
        partitions: &[PartitionSpec],
    ) -> Result<(), LogError> {
        for spec in partitions {
            let known = recovered.remove(&spec.id).or_else(|| planted_namesake(&mut recovered, spec.id));
            let restored = match known {
                None => Ok(self.new_replica(spec)),
                Some(Ok(partition)) => self.restore(spec, partition, spec.term()),
                Some(Err(damaged)) => Err(damaged),
            };
            match restored {
                Ok(replica) => self.insert(&replica),
                Err(damaged) => self.hold(spec, *damaged),
            }
        }
        self.unclaimed.replace(recovered.into_keys().collect());
        self.make_directories(partitions).await?;
        for replica in self.all_replicas() {
            // A crash may have come between a move of the log start and the removal of what lies below. The files
            // belong to no segment then, and go as such.
            self.remove_below_log_start(&replica);
        }
        Ok(())
    }

    /// Nobody leads the partition if there is no `leader_epoch`.
    pub(super) fn restore(
        &self,
        spec: &PartitionSpec,
        recovered: RecoveredPartition,
        leader_epoch: Option<LeaderEpoch>,
    ) -> Result<Rc<Replica>, Box<DamagedPartition>> {
        let now_ms = self.runtime.wall_clock_ms();
        let compacted_to = compacted_to(&recovered);
        let snapshot = recovered.record.as_ref().map_or_else(StateSnapshot::default, |it| it.state.clone());
        let state = restore_state(&snapshot, &recovered.changes, now_ms, leader_epoch).map_err(|what| {
            let offset = snapshot.log_end_offset;
            let error = LogError::DamagedPartition { partition: spec.id, offset, what };
            Box::new(DamagedPartition { error, record: recovered.record, whole: None })
        })?;
        let directory = path::partition_directory(&self.config.data_directory, &spec.topic_name, spec.id);
        let next_offset = state.progress().log_end();
        let mut log = PartitionLog::new(directory, roll(&spec.settings), recovered.segments, next_offset);
        log.set_compacted_to(compacted_to);
        Ok(Replica::new(spec.id, spec.settings, state, log))
    }

    fn new_replica(&self, spec: &PartitionSpec) -> Rc<Replica> {
        let mut state = Partition::new();
        if let Some(leader_epoch) = spec.term() {
            state.become_leader(leader_epoch).expect("the first term follows none");
        }
        let directory = path::partition_directory(&self.config.data_directory, &spec.topic_name, spec.id);
        let log = PartitionLog::new(directory, roll(&spec.settings), VecDeque::new(), 0);
        let replica = Replica::new(spec.id, spec.settings, state, log);
        replica.is_swept.set(true);
        replica
    }

    pub(super) fn insert(&self, replica: &Rc<Replica>) {
        let log = replica.log.borrow();
        self.dirty_bytes.set(self.dirty_bytes.get() + log.dirty_bytes());
        self.resident_bytes.set(self.resident_bytes.get() + log.resident_bytes());
        replica.lost_end.borrow_mut().clone_from(&self.lost_ends);
        self.replicas.borrow_mut().insert(replica.id, Rc::clone(replica));
        self.count_producers(replica);
    }

    pub(super) async fn make_directories(&self, partitions: &[PartitionSpec]) -> Result<(), LogError> {
        let data = &self.config.data_directory;
        let topics = path::topics_directory(data);
        self.runtime.create_dir(&topics).await.map_err(LogError::io(&topics))?;
        for spec in partitions {
            let directory = path::partition_directory(data, &spec.topic_name, spec.id);
            self.runtime.create_dir(&directory).await.map_err(LogError::io(&directory))?;
        }
        for directory in [&topics, data] {
            self.runtime.sync_dir(directory).await.map_err(LogError::io(directory))?;
        }
        Ok(())
    }

    /// Opens new partitions, which the metadata has just given to this shard.
    pub async fn open_new(&self, partitions: &[PartitionSpec]) -> Result<(), LogError> {
        self.make_directories(partitions).await?;
        for spec in partitions {
            if self.replica(spec.id).is_none() && self.damage(spec.id).is_none() {
                self.insert(&self.new_replica(spec));
            }
        }
        Ok(())
    }

    /// Leads a partition in a new term, or not any more, or with other settings.
    pub fn change(&self, spec: &PartitionSpec) -> Result<(), StorageError> {
        let Some(replica) = self.replica(spec.id) else { return Ok(()) };
        replica.set_settings(spec.settings);
        let led = match spec.term() {
            Some(leader_epoch) => replica.state.borrow_mut().become_leader(leader_epoch),
            // Of a partition with other replicas the terms are theirs to tell.
            None if replica.is_replicated() => Ok(None),
            None => {
                replica.state.borrow_mut().resign();
                Ok(None)
            }
        };
        replica.tell_watchers();
        led.map(|_| ()).map_err(|error| StorageError::Damaged(error.to_string().into()))
    }

    /// Deletes a partition with its files. What of it is in the journal is dead: nobody asks for its id again.
    pub async fn delete(&self, id: PartitionId) -> Result<(), StorageError> {
        let damaged = self.forget_damage(id);
        let replica = self.replicas.borrow_mut().remove(&id);
        if let Some(replica) = &replica {
            replica.set_offline(StorageError::Deleted);
            self.count_producers(replica);
            self.forget_memory(replica);
            if let Some(replication) = self.replication() {
                replication.let_go(id);
            }
        }
        self.room.notify_waiters();
        self.work.notify_one();
        let directory = match (&replica, damaged) {
            (Some(replica), _) => replica.log.borrow().directory().to_owned(),
            (None, Some(directory)) => directory,
            (None, None) => return Ok(()),
        };
        if let Some(replica) = &replica {
            self.wait_unused(replica).await;
        }
        self.files.forget_partition(id);
        self.indexes.forget_partition(id);
        self.cold.forget_partition(id);
        self.runtime.remove_dir_all(&directory).await.map_err(|error| StorageError::disk(&error))
    }

    /// Waits until no write-back, allocation or removal is amid the files of a partition that is offline, which
    /// they would make again.
    async fn wait_unused(&self, replica: &Replica) {
        loop {
            let room = self.room.notified();
            if !replica.is_allocating.get() {
                break;
            }
            room.await;
        }
        drop(self.segment_turn.lock().await);
        drop(self.reclaim_turn.lock().await);
    }

    fn forget_memory(&self, replica: &Rc<Replica>) {
        self.change_log(replica, |log| {
            let directory = log.directory().to_owned();
            let roll = Roll { segment_bytes: 0, segment_ms: 0 };
            *log = PartitionLog::new(directory, roll, VecDeque::new(), log.next_offset());
        });
    }
}

/// Offset below which compaction has seen all records that the log still has.
fn compacted_to(recovered: &RecoveredPartition) -> Offset {
    let known = recovered.record.as_ref().map_or(0, |record| record.compacted_to);
    let cuts = recovered.changes.iter().filter_map(|change| match change {
        StateChange::Truncate(offset) => Some(*offset),
        StateChange::Append(_) | StateChange::LogStart(_) => None,
    });
    cuts.fold(known, Offset::min)
}

/// What a partition's state comes to: as its checkpoint has it, with what its journal did to it since.
pub fn restored_state(
    record: Option<&PartitionRecord>,
    changes: &[StateChange],
    now_ms: i64,
) -> Result<StateSnapshot, String> {
    let snapshot = record.map_or_else(StateSnapshot::default, |record| record.state.clone());
    restore_state(&snapshot, changes, now_ms, None).map(|state| state.snapshot())
}

/// What the files know of another partition that had the same place in a topic, if that bug is planted.
fn planted_namesake(
    recovered: &mut RecoveredPartitions,
    id: PartitionId,
) -> Option<Result<RecoveredPartition, Box<DamagedPartition>>> {
    let namesake = |other: &PartitionId| is_planted(Bug::IdentifyByName) && other.index == id.index;
    let other = recovered.keys().copied().find(namesake)?;
    recovered.remove(&other)
}

fn restore_state(
    snapshot: &StateSnapshot,
    changes: &[StateChange],
    now_ms: i64,
    leader_epoch: Option<LeaderEpoch>,
) -> Result<Partition, String> {
    let mut state = Partition::restore(snapshot).map_err(|error| error.to_string())?;
    for change in changes {
        match change {
            StateChange::Append(header) => state.replay(header, now_ms).map_err(|error| error.to_string()),
            StateChange::Truncate(offset) => state.truncate_to(*offset).map_err(|error| error.to_string()),
            StateChange::LogStart(offset) => {
                state.replay_log_start(*offset).map_err(|error| error.to_string())
            }
        }?;
    }
    if let Some(mut leader_epoch) = leader_epoch {
        if is_planted(Bug::KeepTerm) {
            leader_epoch = snapshot.epochs.last().map_or(leader_epoch, |last| last.leader_epoch + 1);
        }
        state.become_leader(leader_epoch).map_err(|error| error.to_string())?;
    }
    Ok(state)
}
