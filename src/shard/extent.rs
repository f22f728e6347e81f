//! Long batches, which go to their segment at once instead of through the journal and then to the segment.
//!
//! The bytes are written behind the log's end and synced; then, in one step, the partition decides, the journal gets an
//! entry and the batch is in the log. So an entry is never in a group before its bytes are durable. Until that step
//! nothing else is appended to the partition, and its log is not cut, since both would use the same place. Other
//! partitions do not notice. If nobody waits for the batch any more, or the partition refuses it, what was written is
//! garbage behind the end.

use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::oneshot;

use super::append::{Appended, Decision};
use super::error::StorageError;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::limits::{EXTENT_BACKLOG_BYTES_MAX, EXTENT_WRITES_AT_ONCE};
use crate::base::planted::{Bug, is_planted};
use crate::log::extent::ExtentPlan;
use crate::log::journal::entry::{Entry, EntryKind};
use crate::log::segment::NewBatch;
use crate::partition::AppendError;
use crate::protocol::batch::BatchHeader;

/// A batch that has its place at the end of the log and is being written there.
pub(super) struct ExtentAppend {
    storage: Rc<Storage>,
    replica: Rc<Replica>,
    /// As it is stored.
    header: BatchHeader,
    written: oneshot::Receiver<Result<(Turn, ExtentPlan), StorageError>>,
}

/// While it lives, nobody else appends to the partition or changes the end of its log on disk.
struct Turn {
    storage: Rc<Storage>,
    replica: Rc<Replica>,
}

impl Turn {
    fn begin(storage: Rc<Storage>, replica: Rc<Replica>) -> Self {
        assert!(!replica.is_allocating.replace(true) && !replica.is_extending.replace(true), "one at a time");
        Turn { storage, replica }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.replica.is_allocating.set(false);
        self.replica.is_extending.set(false);
        self.replica.extended.notify_waiters();
        self.storage.room.notify_waiters();
    }
}

impl ExtentAppend {
    /// Waits until the bytes are durable in the segment, then appends the batch. Dropping the future before it completes
    /// means that nothing was appended.
    pub(super) async fn finish(self) -> Result<Appended, StorageError> {
        let ended = || StorageError::OutOfService("the shard has stopped".into());
        let (turn, plan) = self.written.await.map_err(|_| ended())??;
        let appended = self.storage.append_extent(&self.replica, &self.header, plan);
        drop(turn);
        appended
    }
}

impl Storage {
    /// Whether a batch goes to its segment at once.
    pub(super) fn goes_past_journal(&self, replica: &Replica, batch: &NewBatch) -> bool {
        // Few are long; and from memory an answer comes sooner than from any disk.
        batch.length >= self.config.extent_bytes_min
            && replica.settings().unsynced_records_max.is_none()
            && replica.log.borrow().extent_backlog_bytes() <= EXTENT_BACKLOG_BYTES_MAX
    }

    /// Has a batch written behind the log's end. `header` is the one to be stored; there must be space.
    pub(super) fn begin_extent(
        &self,
        replica: &Rc<Replica>,
        header: BatchHeader,
        records: &[u8],
        batch: &NewBatch,
    ) -> ExtentAppend {
        let plan = replica.log.borrow().plan_extent(batch, &[&header.encode(), records]);
        let (storage, replica) = (self.this(), Rc::clone(replica));
        let turn = Turn::begin(Rc::clone(&storage), Rc::clone(&replica));
        let (sender, written) = oneshot::channel();
        self.runtime.spawn(Box::pin(async move {
            // Writes go on when whoever waits for them has gone, and so does the turn.
            let outcome = turn.storage.write_extent(&turn.replica, &plan).await;
            let _ = sender.send(outcome.map(|()| (turn, plan)));
        }));
        ExtentAppend { storage, replica, header, written }
    }

    /// Makes the batch durable in its file, with all before it. Any failure takes the writer out of service, but for a
    /// disk that is full: what was written behind the log's end counts for nothing.
    async fn write_extent(&self, replica: &Rc<Replica>, plan: &ExtentPlan) -> Result<(), StorageError> {
        let _place = self.extents.acquire().await.expect("never closed");
        self.check_in_service()?;
        let written = async {
            let file = self.segment_writer(replica, plan.place().segment_base).await?;
            for some in plan.writes().chunks(EXTENT_WRITES_AT_ONCE) {
                let writes = some.iter().map(|(position, bytes)| file.write_at(*position, bytes.clone()));
                // All have ended before the place is anybody else's, also where one has failed.
                let outcomes = join_all(writes).await;
                outcomes.into_iter().collect::<Result<(), _>>().map_err(|error| self.space_error(&error))?;
            }
            if !is_planted(Bug::JournalExtentEarly) {
                file.sync().await.map_err(|error| StorageError::disk(&error))?;
            }
            if is_planted(Bug::ForgetExtentFile) {
                return Ok(());
            }
            self.sync_directory(replica).await
        };
        written.await.inspect_err(|error| self.fail_unless_full(error))
    }

    /// The one step: no await, and nothing that can fail once the partition has decided.
    fn append_extent(
        &self,
        replica: &Rc<Replica>,
        header: &BatchHeader,
        plan: ExtentPlan,
    ) -> Result<Appended, StorageError> {
        self.check_in_service()?;
        replica.check_online()?;
        replica.check_intact()?;
        if replica.state.borrow().leader_epoch() != Some(header.partition_leader_epoch) {
            // The bytes on disk name another term.
            return Err(AppendError::NotLeader.into());
        }
        let (batch, place) = (*plan.batch(), plan.place());
        if let Decision::Duplicate(appended) = self.decide(replica, header, &batch)? {
            return Ok(appended);
        }
        let entry = Entry {
            kind: EntryKind::Extent,
            partition: replica.id,
            leader_epoch: header.partition_leader_epoch,
            base_offset: batch.base_offset,
            last_offset: batch.last_offset,
            segment_base: place.segment_base,
            position: place.position,
            first_batch_position: place.position,
        };
        let (head, tail): (_, Vec<Bytes>) = (header.encode(), plan.tail());
        let parts: Vec<&[u8]> =
            std::iter::once(&head[..]).chain(tail.iter().map(|piece| &piece[..])).collect();
        let journal_file = self.journal.current_file();
        let sequence = self.journal.append(&entry, &parts);
        self.append_to_log(replica, |log| log.append_extent(plan, journal_file));
        self.expect_durable(sequence, replica, batch.last_offset + 1);
        self.make_evictable(replica);
        if place.position == 0 {
            self.rolled.borrow_mut().push_back(Rc::clone(replica));
            self.work.notify_one();
        }
        self.meters.extents.increment();
        self.meters.extent_bytes.add(batch.length as u64);
        Ok(self.appended(header, &batch))
    }

    /// Waits until no batch is being written behind the partition's end.
    pub(super) async fn wait_extended(&self, replica: &Replica) {
        loop {
            let extended = replica.extended.notified();
            if !replica.is_extending.get() {
                return;
            }
            extended.await;
        }
    }
}
