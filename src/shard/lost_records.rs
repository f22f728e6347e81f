//! Partitions of which the journal has lost records.
//!
//! Such a partition takes no records any more: nobody knows where its log ended. What is before the damage is read like
//! any other log; beyond, and at what depends on the end, the answer is an error, never "there is no more". Where not even
//! that much is whole, the partition is offline.
//!
//! It is not sure at first that the records are lost: a disk may fail to read what it has. So the journal is kept at first,
//! and nothing is written of the partition: the next start looks again. But the journal is a ring for all partitions of the
//! shard. When its room is wanted, the partition is marked: the next checkpoint says what is whole of it, and that records
//! behind that are lost, and the journal goes on without them. A start that reads the mark knows that the log is shorter
//! than it was. The mark goes with the topic, or with `corelane log repair --truncate-at`.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use super::error::StorageError;
use super::open::PartitionSpec;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::ids::PartitionId;
use crate::base::planted::{Bug, is_planted};
use crate::log::checkpoint::{BodyBuilder, DamageRecord, PartitionRecord};
use crate::log::recovery::DamagedPartition;
use crate::log::segment::path;
use crate::log::snapshot::StateSnapshot;

/// A partition that has lost records.
pub(super) struct Damaged {
    reason: Arc<str>,
    /// What the checkpoint that was read says of it.
    record: Option<PartitionRecord>,
    mark: DamageRecord,
    /// Whether the next checkpoint says so; if not, the journal is kept.
    is_marked: bool,
    /// Whether nothing of it can be read.
    is_offline: bool,
    /// Where its segments are.
    pub(super) directory: PathBuf,
}

impl Damaged {
    /// Which partition it is and what is wrong.
    pub(super) fn in_words(&self) -> String {
        let name = self.directory.file_name().unwrap_or_default().to_string_lossy();
        match self.is_offline {
            true => format!("{name} is offline: {}", self.reason),
            false => format!("{name} takes no records, and is read up to the damage: {}", self.reason),
        }
    }
}

impl Storage {
    /// Why a partition of this shard could not be recovered as it was, if so. It may be there to be read nevertheless, up
    /// to the damage.
    pub fn damage(&self, id: PartitionId) -> Option<StorageError> {
        self.damaged.borrow().get(&id).map(|damaged| StorageError::Damaged(Arc::clone(&damaged.reason)))
    }

    /// Partitions of which nothing can be read.
    pub(super) fn offline_partitions(&self) -> usize {
        self.damaged.borrow().values().filter(|damaged| damaged.is_offline).count()
    }

    /// Takes a damaged partition in as far as it is whole.
    pub(super) fn hold(&self, spec: &PartitionSpec, damaged: DamagedPartition) {
        let DamagedPartition { error, record, whole } = damaged;
        let reason: Arc<str> = error.to_string().into();
        let restored = whole.map(|whole| self.restore(spec, whole, spec.term()));
        let replica = restored.and_then(Result::ok);
        let is_marked = record.as_ref().is_some_and(|record| record.damage.is_some());
        tracing::error!(
            topic = spec.topic_name,
            partition = spec.id.index,
            reason = &*reason,
            is_read = replica.is_some(),
            "acknowledged records are lost: the partition takes no records"
        );
        let held = Damaged {
            reason: Arc::clone(&reason),
            record,
            mark: DamageRecord::of(&error),
            is_marked,
            is_offline: replica.is_none(),
            directory: path::partition_directory(&self.config.data_directory, &spec.topic_name, spec.id),
        };
        self.damaged.borrow_mut().insert(spec.id, held);
        if !is_marked {
            self.held_journal_file.set(Some(self.journal.oldest_file()));
        }
        if let Some(replica) = replica {
            replica.cut_short.replace(Some(reason));
            self.insert(&replica);
        }
    }

    /// Whether nothing of the partition is to be written, since the next start is to find what this one has.
    pub(super) fn is_held(&self, id: PartitionId) -> bool {
        self.damaged.borrow().get(&id).is_some_and(|damaged| !damaged.is_marked)
    }

    /// The replicas of which something may be written.
    pub(super) fn replicas_to_write(&self) -> Vec<Rc<Replica>> {
        let mut replicas = self.all_replicas();
        replicas.retain(|replica| !self.is_held(replica.id));
        replicas
    }

    /// The journal's room is wanted: it is not kept any longer for what damaged partitions have in it. The next checkpoint
    /// marks them.
    pub(super) fn mark_held(&self) {
        if self.held_journal_file.take().is_none() {
            return;
        }
        let mut partitions = self.damaged.borrow_mut();
        for damaged in partitions.values_mut().filter(|damaged| !damaged.is_marked) {
            damaged.is_marked = true;
            tracing::warn!(
                reason = &*damaged.reason,
                "the journal's room is wanted: it is not kept any longer for what is left there of a damaged partition"
            );
        }
    }

    /// A partition was deleted; where its files are if it was damaged.
    pub(super) fn forget_damage(&self, id: PartitionId) -> Option<PathBuf> {
        let damaged = self.damaged.borrow_mut().remove(&id);
        if self.damaged.borrow().values().all(|damaged| damaged.is_marked) {
            self.held_journal_file.set(None);
        }
        damaged.map(|damaged| damaged.directory)
    }

    /// What the next checkpoint is to say of those of which there is no replica to ask, or not yet.
    pub(super) fn push_damaged(&self, body: &mut BodyBuilder) {
        for (id, damaged) in self.damaged.borrow().iter() {
            match (damaged.is_marked, &damaged.record) {
                (false, Some(record)) => body.push(record),
                // The journal has all that is known of it.
                (false, None) => {}
                (true, record) if damaged.is_offline => {
                    let new = || {
                        PartitionRecord::new(
                            *id,
                            self.journal.position(),
                            StateSnapshot::default(),
                            Vec::new(),
                        )
                    };
                    let record = record.clone().unwrap_or_else(new);
                    body.push(&record.damaged(self.mark_of(&damaged.mark)));
                }
                (true, _) => {}
            }
        }
    }

    /// What the next checkpoint is to say is lost of a partition of which there is a replica.
    pub(super) fn mark(&self, id: PartitionId) -> Option<DamageRecord> {
        let partitions = self.damaged.borrow();
        partitions.get(&id).and_then(|damaged| self.mark_of(&damaged.mark))
    }

    fn mark_of(&self, mark: &DamageRecord) -> Option<DamageRecord> {
        (!is_planted(Bug::ForgetDamage)).then(|| mark.clone())
    }
}
