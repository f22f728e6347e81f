//! The maintenance task: writes back when too much is dirty, and frees journal files by checkpoints.

use std::rc::Rc;

use super::error::StorageError;
use super::pace::Pace;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::limits::{
    BLOCK_BYTES, CARRY_BYTES_MAX, CHECKPOINT_BYTES_PER_TURN, PARTITIONS_PER_TURN, WRITE_BACKS_AT_ONCE,
};
use crate::base::planted::{Bug, is_planted};
use crate::log::LogError;
use crate::log::checkpoint::{self, BodyBuilder, CheckpointHeader, PartitionRecord};
use crate::log::journal::entry::{Entry, EntryKind};
use crate::log::partition_log::CarryPlan;
use crate::log::segment::Segment;

impl Storage {
    /// Whether the maintenance task has something to do: the journal is more than half full, or half of the
    /// memory for bytes that are not written back is used.
    pub(super) fn must_make_room(&self) -> bool {
        self.journal_target().is_some() || self.dirty_bytes.get() > self.config.dirty_bytes_max / 2
    }

    /// The journal file up to which files should be freed now, so that half of them are.
    fn journal_target(&self) -> Option<u64> {
        let (current, oldest) = (self.journal.current_file(), self.journal.oldest_file());
        let target = current.saturating_sub(self.journal.file_count() / 2 - 1);
        (target > oldest).then_some(target)
    }

    /// Runs until the storage stops or fails.
    pub async fn maintain(self: Rc<Self>) {
        loop {
            let work = self.work.notified();
            if self.has_ended() {
                return;
            }
            let progressed = self.journal.progressed();
            let done = match self.journal_target() {
                Some(target) => {
                    let freed = self.free_journal_before(target).await;
                    if freed.is_ok() && self.journal.oldest_file() < target {
                        // Something is not durable yet, so it could not be moved.
                        progressed.await;
                    }
                    freed
                }
                None if self.must_make_room() => {
                    let wrote = self.write_back_dirtiest().await;
                    if let Ok(false) = wrote {
                        // Nothing of it is durable yet.
                        progressed.await;
                    }
                    wrote.map(|_| ())
                }
                None => match self.next_rolled() {
                    Some(replica) => self.write_back(std::slice::from_ref(&replica)).await.map(|_| ()),
                    None => {
                        work.await;
                        Ok(())
                    }
                },
            };
            match done {
                Ok(()) => self.space.set_stuck(None),
                Err(StorageError::DiskFull(reason)) => self.rest_without_space(reason).await,
                Err(error) => {
                    tracing::error!(%error, "maintenance of the shard's log failed");
                    self.fail(&error);
                }
            }
        }
    }

    /// A partition of which a segment may be complete although little of it was to be written back.
    fn next_rolled(&self) -> Option<Rc<Replica>> {
        self.rolled.borrow_mut().pop_front()
    }

    /// Writes back the partitions with most bytes in memory only, until a quarter of the budget is used; whether
    /// there was anything to write.
    async fn write_back_dirtiest(&self) -> Result<bool, StorageError> {
        self.mark_held();
        let mut any = false;
        let mut replicas = self.all_replicas();
        replicas.retain(|replica| replica.log.borrow().dirty_bytes() > 0);
        replicas.sort_by_key(|replica| std::cmp::Reverse(replica.log.borrow().dirty_bytes()));
        for some in replicas.chunks(WRITE_BACKS_AT_ONCE) {
            if self.dirty_bytes.get() <= self.config.dirty_bytes_max / 4 {
                break;
            }
            any |= self.write_back(some).await?;
            self.runtime.yield_now().await;
        }
        Ok(any)
    }

    pub(super) fn all_replicas(&self) -> Vec<Rc<Replica>> {
        let mut replicas: Vec<_> = self.replicas.borrow().values().cloned().collect();
        replicas.sort_by_key(|replica| replica.id);
        replicas
    }

    /// Bytes that are not written back and for which journal files before `target` are needed.
    fn unwritten_before(&self, target: u64) -> u64 {
        self.replicas.borrow().values().map(|replica| replica.log.borrow().unwritten_before(target)).sum()
    }

    /// Makes the journal files before `target` unnecessary, records that durably and frees them.
    pub(super) async fn free_journal_before(&self, target: u64) -> Result<(), StorageError> {
        self.mark_held();
        let mut carried = 0;
        let mut too_long = Vec::with_capacity(WRITE_BACKS_AT_ONCE);
        let mut pace = Pace::new(self.unwritten_before(target), self.journal.room_bytes());
        for replica in self.all_replicas() {
            if !is_pinning(&replica, target) {
                continue;
            }
            let dirty = replica.log.borrow().dirty_bytes();
            // Small tails are journaled again in bulk, but no more than the reserve surely holds.
            let carry = dirty <= CARRY_BYTES_MAX && carried + dirty <= self.carry_budget();
            let step_bytes = replica.log.borrow().unwritten_before(target);
            if carry && self.carry(&replica) && !is_pinning(&replica, target) {
                carried += dirty;
                self.keep(&mut pace, step_bytes).await;
            } else {
                too_long.push(replica);
            }
            if too_long.len() == WRITE_BACKS_AT_ONCE {
                self.unpin(&too_long, target, &mut pace).await?;
                too_long.clear();
            }
            self.runtime.yield_now().await;
        }
        self.unpin(&too_long, target, &mut pace).await?;
        self.checkpoint().await
    }

    /// Writes back what pins journal files before `target`, and repeats in the journal what is less than a block.
    async fn unpin(
        &self,
        replicas: &[Rc<Replica>],
        target: u64,
        pace: &mut Pace,
    ) -> Result<(), StorageError> {
        self.write_back_paced(replicas, target, pace).await?;
        // Of these segments are complete, or the last records are in no whole block.
        let pinning: Vec<_> = replicas.iter().filter(|it| is_pinning(it, target)).cloned().collect();
        self.write_back(&pinning).await?;
        for replica in pinning.iter().filter(|replica| is_pinning(replica, target)) {
            let is_full = !self.carry(replica) && !self.journal.has_reserve(BLOCK_BYTES);
            if is_full && !replica.is_allocating.get() {
                // Crashes in a row, each amid this work, have used up the reserve. A segment that is complete
                // needs no journal.
                replica.log.borrow_mut().close_last();
                self.write_back(std::slice::from_ref(replica)).await?;
            }
        }
        Ok(())
    }

    fn carry_budget(&self) -> u64 {
        self.journal.file_bytes() / 4
    }

    /// Repeats in the journal what is in no segment of the partition; `false` if there is no room.
    pub(super) fn carry(&self, replica: &Rc<Replica>) -> bool {
        let Some(plan) = replica.log.borrow().carry_plan() else { return true };
        let length = plan.bytes.iter().map(|piece| piece.len()).sum();
        let length_max = self.journal.payload_bytes_max().min(CARRY_BYTES_MAX as usize);
        if length > length_max || !self.journal.has_reserve(length) {
            return false;
        }
        if is_planted(Bug::ForgetRemainder) {
            let mut log = replica.log.borrow_mut();
            log.segment_mut(plan.segment_base)
                .expect("planned in this step")
                .repin(self.journal.current_file());
            return true;
        }
        let entry = carry_entry(replica, &plan);
        let parts: Vec<&[u8]> = plan.bytes.iter().map(|piece| &piece[..]).collect();
        let journal_file = self.journal.current_file();
        self.journal.append(&entry, &parts);
        let mut log = replica.log.borrow_mut();
        log.segment_mut(plan.segment_base).expect("planned in this step").repin(journal_file);
        true
    }

    /// Writes a checkpoint and frees the journal files before the oldest that it needs.
    pub(super) async fn checkpoint(&self) -> Result<(), StorageError> {
        let _turn = self.checkpoint_turn.lock().await;
        let retired = self.retired.borrow().len();
        let mut needed = self.held_journal_file.get().unwrap_or(u64::MAX).min(self.journal.current_file());
        let mut body = BodyBuilder::default();
        self.push_damaged(&mut body);
        let (mut in_turn, mut turn_end) = (0, CHECKPOINT_BYTES_PER_TURN);
        for replica in self.replicas_to_write() {
            // A copy that was deleted since this began. What else is out of service is to be there after a start.
            if self.replica(replica.id).is_none() {
                continue;
            }
            body.push(&self.record(&replica));
            needed = needed.min(replica.log.borrow().oldest_pin().unwrap_or(needed));
            in_turn += 1;
            if in_turn == PARTITIONS_PER_TURN || body.length() >= turn_end {
                self.runtime.yield_now().await;
                (in_turn, turn_end) = (0, body.length() + CHECKPOINT_BYTES_PER_TURN);
            }
        }
        if is_planted(Bug::RecycleEarly) {
            needed = self.journal.current_file();
        }
        // The records reflect everything up to now, durable or not: they count only once it is.
        if !is_planted(Bug::CheckpointEarly) {
            self.wait_all_durable().await?;
        }
        let generation = self.generation.get() + 1;
        let start = self.journal.start_of(needed);
        let header = CheckpointHeader { generation, identity: self.identity, start };
        checkpoint::write(&self.runtime, &self.config.shard_directory, &header, body)
            .await
            .map_err(|error| self.checkpoint_error(&error))?;
        self.generation.set(generation);
        self.discard_retired(retired);
        self.journal.recycle_before(needed);
        self.room.notify_waiters();
        Ok(())
    }

    /// A checkpoint that found no space leaves the other one as the newest: it is tried again when there is some.
    fn checkpoint_error(&self, error: &LogError) -> StorageError {
        match error {
            LogError::NoSpace { .. } => self.no_space(error),
            _ => {
                self.fail(error);
                StorageError::disk(error)
            }
        }
    }

    pub(super) fn record(&self, replica: &Replica) -> PartitionRecord {
        let log = replica.log.borrow();
        let segments = log.segments().map(Segment::record).collect();
        let state = replica.state.borrow().snapshot();
        PartitionRecord::new(replica.id, self.journal.position(), state, segments)
            .compacted_to(log.compacted_to())
            .damaged(self.mark(replica.id))
    }
}

/// Whether the partition needs a journal file before `target`.
fn is_pinning(replica: &Replica, target: u64) -> bool {
    replica.log.borrow().oldest_pin().is_some_and(|file| file < target)
}

pub(super) fn carry_entry(replica: &Replica, plan: &CarryPlan) -> Entry {
    Entry {
        kind: EntryKind::Carry,
        partition: replica.id,
        leader_epoch: replica.state.borrow().leader_epoch().unwrap_or(-1),
        base_offset: plan.first_batch_offset,
        last_offset: plan.last_offset,
        segment_base: plan.segment_base,
        position: plan.position,
        first_batch_position: plan.first_batch_position,
    }
}
