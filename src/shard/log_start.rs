//! Moving a log's start up: by a request to delete records, or by retention.

use std::rc::Rc;

use futures_util::future::select;

use super::error::StorageError;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::ids::Offset;
use crate::base::planted::{Bug, is_planted};
use crate::log::journal::entry::{Entry, EntryKind};
use crate::log::partition_log::AppendPlace;

impl Storage {
    /// Makes `offset` the first that can be read, if the log does not start behind it already; it must be
    /// committed. Returns the log's start, which is durable then. Segments below it are removed a little later.
    pub async fn advance_log_start(
        &self,
        replica: &Rc<Replica>,
        offset: Offset,
    ) -> Result<Offset, StorageError> {
        self.wait_reserve(0).await?;
        replica.check_online()?;
        let before = replica.state.borrow().progress().log_start();
        let moved = replica.state.borrow_mut().advance_log_start(offset);
        moved.map_err(|_| StorageError::OutsideLog(offset))?;
        if offset > before {
            let place = AppendPlace { segment_base: 0, position: 0 };
            let sequence =
                self.journal.append(&journal_entry(replica, EntryKind::LogStart, offset, place), &[]);
            replica.log_start_sequence.set(sequence);
            replica.tell_watchers();
            if offset >= replica.log.borrow().next_offset() {
                // Nothing in it can be read: with the next batch elsewhere, it can go.
                replica.log.borrow_mut().close_last();
            }
        }
        if is_planted(Bug::RemoveEarly) {
            self.reclaim_below(replica, offset);
        }
        // Of the newest move: this one may have been made before, and not be durable yet.
        let sequence = replica.log_start_sequence.get();
        if is_planted(Bug::AnswerLogStartEarly) {
            return Ok(offset.max(before));
        }
        self.journal.wait_durable(sequence).await.map_err(StorageError::OutOfService)?;
        self.reclaim_below(replica, offset);
        if let Some(replication) = self.replication().filter(|_| replica.is_replicated()) {
            replication.log_start_moved(replica, replica.durable_log_start.get());
        }
        Ok(replica.durable_log_start.get())
    }

    /// The log's start is durably at `offset` or beyond: what lies below may be removed.
    fn reclaim_below(&self, replica: &Rc<Replica>, offset: Offset) {
        if offset > replica.durable_log_start.get() {
            replica.durable_log_start.set(offset);
            self.reclaim_later(replica);
        }
    }

    /// Waits until the journal takes an entry that makes room.
    pub(super) async fn wait_reserve(&self, payload_bytes: usize) -> Result<(), StorageError> {
        loop {
            let (progressed, room) = (self.journal.progressed(), self.room.notified());
            self.check_in_service()?;
            if self.journal.has_reserve(payload_bytes) {
                return Ok(());
            }
            if let Some(reason) = self.space.stuck() {
                return Err(StorageError::DiskFull(reason));
            }
            self.work.notify_one();
            select(std::pin::pin!(progressed), std::pin::pin!(room)).await;
        }
    }
}

/// An entry that moves one of the log's ends to `offset`.
pub(super) fn journal_entry(replica: &Replica, kind: EntryKind, offset: Offset, place: AppendPlace) -> Entry {
    Entry {
        kind,
        partition: replica.id,
        leader_epoch: replica.state.borrow().leader_epoch().unwrap_or(-1),
        base_offset: offset,
        last_offset: offset - 1,
        segment_base: place.segment_base,
        position: place.position,
        first_batch_position: place.position,
    }
}
