//! Groups are read from the log when the shard takes their partition up.

use std::rc::Rc;

use bytes::Bytes;

use super::host::Load;
use crate::base::ids::{Offset, PartitionId};
use crate::base::limits::GROUP_LOAD_BYTES;
use crate::protocol::DecodeError;
use crate::protocol::batch::{BadRecord, Batches, Compression, CorruptBatch, Record, records};
use crate::protocol::group_records::GroupRecord;
use crate::shard::error::StorageError;
use crate::shard::phase::Phase;
use crate::shard::read::joined;
use crate::shard::replica::Replica;
use crate::shard::shard::Shard;

/// Why a partition's groups cannot be read.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Batch(#[from] CorruptBatch),
    #[error(transparent)]
    Record(#[from] BadRecord),
    #[error("a record of a group: {0}")]
    Decode(#[from] DecodeError),
    #[error("records are compressed, which those of groups are not")]
    Compressed,
    #[error("its last records are not known to be durable: the shard's writer is out of service")]
    NotCommitted,
}

impl Shard {
    /// Reads partitions again that could not be read, as far as that is due.
    pub(super) fn load_again(self: &Rc<Self>) {
        for index in self.groups.wanted_loads.take() {
            let last = self.groups.loads.borrow().get(&index).copied();
            let Some(Load { leader_epoch, .. }) = last else { continue };
            let id = PartitionId { topic: self.groups.topic.get(), index };
            match self.storage.replica(id) {
                Some(replica) => {
                    let load = self.groups.new_load(index, leader_epoch);
                    self.spawn(Rc::clone(self).load_groups(replica, load));
                }
                None => self.groups.step(|core, moment| core.load_failed(moment, index)),
            }
        }
    }

    /// Reads a partition of `__consumer_offsets` from start to end, then serves its groups. Nobody but the coordinator
    /// appends to it, and that waits for this.
    pub(super) async fn load_groups(self: Rc<Self>, replica: Rc<Replica>, load: Load) {
        let (index, began) = (replica.id.index, self.runtime.now());
        let read = self.read_groups(&replica, load).await;
        if !self.is_loading(&replica, load) {
            return;
        }
        match read {
            Ok(Some(count)) => {
                if self.groups.unreadable.borrow_mut().remove(&index).is_some() {
                    tracing::info!(partition = %replica.id, "the groups of a partition can be read again");
                }
                self.groups.step(|core, moment| core.loaded(moment, index));
                let took = self.runtime.now() - began;
                self.groups.meters.loads.record_duration(took);
                self.groups.meters.loaded_records.add(count);
                let took_ms = took.as_millis() as u64;
                tracing::debug!(partition = %replica.id, records = count, took_ms, "groups loaded");
            }
            Ok(None) => {}
            // Its groups are refused until it can be read: what cannot be may be what a group has committed.
            Err(error) => {
                let reason = error.to_string();
                let before = self.groups.unreadable.borrow_mut().insert(index, reason.clone());
                if before.as_ref() != Some(&reason) {
                    tracing::error!(
                        partition = %replica.id, reason, "the groups of a partition cannot be read; it is read again"
                    );
                }
                self.groups.step(|core, moment| core.load_failed(moment, index));
            }
        }
    }

    /// The number of records; `None` if the shard stops, or the partition is gone or is being read anew.
    async fn read_groups(&self, replica: &Replica, load: Load) -> Result<Option<u64>, LoadError> {
        // Commits that are lost would come back as older ones.
        replica.check_not_cut_short()?;
        let (mut offset, end) = {
            let state = replica.state.borrow();
            (state.progress().log_start(), state.progress().log_end())
        };
        let committed = match replica.commit_waiter(end - 1) {
            None => true,
            Some(committed) => match self.unless_stopped(committed).await {
                Some(committed) => committed.is_ok(),
                None => return Ok(None),
            },
        };
        let replica = self.storage.replica(replica.id);
        let Some(replica) = replica.filter(|replica| self.is_loading(replica, load)) else { return Ok(None) };
        if !committed {
            return Err(LoadError::NotCommitted);
        }
        let mut count = 0;
        while offset < end {
            let batches = joined(self.storage.read(&replica, offset, GROUP_LOAD_BYTES).await?);
            if !self.is_loading(&replica, load) {
                return Ok(None);
            }
            let next = self.load_batches(replica.id.index, &batches, &mut count)?;
            if next <= offset {
                break;
            }
            offset = next;
            self.runtime.yield_now().await;
        }
        Ok(Some(count))
    }

    /// Whether what is read is still wanted: the shard runs, the topic is the same, and the partition was not let go of
    /// meanwhile. Taken up again, it is read by another one: who began before has not told all to the groups as they are
    /// now, and must not say that they are complete.
    fn is_loading(&self, replica: &Replica, load: Load) -> bool {
        let is_running = self.phases.current() != Phase::Stopped;
        is_running
            && self.groups.topic.get() == replica.id.topic
            && self.groups.is_newest(replica.id.index, load)
    }

    /// Takes batches in; returns the offset behind the last.
    fn load_batches(&self, partition: i32, bytes: &Bytes, count: &mut u64) -> Result<Offset, LoadError> {
        let mut next = 0;
        for found in Batches::new(bytes) {
            let batch = found?.batch;
            let header = batch.header();
            next = header.last_offset() + 1;
            if header.attributes.is_control() {
                continue;
            }
            if header.attributes.compression() != Ok(Compression::None) {
                return Err(LoadError::Compressed);
            }
            for record in records(batch.records(), header.record_count) {
                *count += 1;
                self.load_record(partition, &record?)?;
            }
        }
        Ok(next)
    }

    fn load_record(&self, partition: i32, record: &Record<'_>) -> Result<(), LoadError> {
        let key = Bytes::copy_from_slice(record.key.unwrap_or_default());
        let value = record.value.map(Bytes::copy_from_slice);
        if let Some(record) = GroupRecord::decode(key, value)? {
            self.groups.step(|core, _| core.load(partition, record));
        }
        Ok(())
    }
}
