//! Appending as follower: what the leader sends has its offsets and its term, and enters journal and tail as it is.
//! Room is made first, which may wait; then a batch enters in one step.

use std::rc::Rc;

use futures_util::future::select;

use super::error::StorageError;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::ids::{LeaderEpoch, Offset};
use crate::log::journal::entry::{Entry, EntryKind};
use crate::log::segment::NewBatch;
use crate::protocol::batch::{BatchHeader, HEADER_BYTES};

/// The longest stretch of offsets that one batch without records takes.
const FILLER_OFFSETS_MAX: Offset = i32::MAX as Offset;

impl Storage {
    /// Waits until a batch of the leader's can enter the log, in order of arrival among all who append; how it enters then,
    /// if the caller does not wait in between.
    pub(super) async fn make_room_followed(
        &self,
        replica: &Rc<Replica>,
        header: &BatchHeader,
    ) -> Result<NewBatch, StorageError> {
        let length = header.total_bytes();
        if length > self.journal.payload_bytes_max() {
            return Err(StorageError::TooLarge(length));
        }
        let mut front = None;
        loop {
            if front.is_none() && self.room_line.len() > 0 {
                front = Some(self.room_line.front().await);
            }
            let room = self.room.notified();
            let progressed = self.journal.progressed();
            let extended = replica.extended.notified();
            self.check_in_service()?;
            replica.check_online()?;
            replica.check_intact()?;
            // A batch that was being appended as leader, whose end nobody waits for any more.
            if replica.is_extending.get() {
                extended.await;
                continue;
            }
            if self.is_full_for(length) {
                if let Some(reason) = self.space.stuck() {
                    return Err(StorageError::DiskFull(reason));
                }
                self.work.notify_one();
                match front {
                    None => front = Some(self.room_line.front().await),
                    Some(_) => {
                        select(std::pin::pin!(room), std::pin::pin!(progressed)).await;
                    }
                }
                continue;
            }
            let batch = NewBatch::of(header, self.steady_ms());
            let Some(need) = replica.log.borrow().space_need(&batch) else { return Ok(batch) };
            front = None;
            if replica.is_allocating.get() {
                room.await;
            } else {
                self.allocate(replica, need).await?;
            }
        }
    }

    /// Whether journal or memory lack room for a batch of this length.
    fn is_full_for(&self, length: usize) -> bool {
        let dirty = self.dirty_bytes.get();
        // One batch is always let in, or one longer than the whole budget would wait for ever.
        let memory_full = dirty > 0 && dirty + length as u64 > self.config.dirty_bytes_max;
        memory_full || !self.journal.has_room(length)
    }

    /// Takes a batch of the leader's into the log, for which room was just made. The one step: no await, and nothing that can
    /// fail once the partition has taken it. An error changes nothing.
    pub(super) fn append_followed(
        &self,
        replica: &Rc<Replica>,
        header: &BatchHeader,
        new_batch: &NewBatch,
        batch: &[u8],
    ) -> Result<(), StorageError> {
        self.check_in_service()?;
        self.make_room_for_producer(replica, header, new_batch.now_ms);
        let taken = replica.state.borrow_mut().append_followed(header, new_batch.now_ms);
        taken.map_err(|error| StorageError::Damaged(error.to_string().into()))?;
        if header.has_producer_id() {
            self.count_producers(replica);
        }
        let parts = [batch];
        let place = replica.log.borrow().place_for(new_batch);
        let journal_file = self.journal.current_file();
        let entry = Entry {
            kind: EntryKind::Append,
            partition: replica.id,
            leader_epoch: header.partition_leader_epoch,
            base_offset: new_batch.base_offset,
            last_offset: new_batch.last_offset,
            segment_base: place.segment_base,
            position: place.position,
            first_batch_position: place.position,
        };
        let sequence = self.journal.append(&entry, &parts);
        self.append_to_log(replica, |log| log.append(new_batch, &parts, journal_file));
        self.expect_durable(sequence, replica, new_batch.last_offset + 1);
        self.evict();
        self.meters.followed_bytes.add(new_batch.length as u64);
        Ok(())
    }

    /// Empties the log and has it go on at `at`, which the leader's log starts with. Durable when it returns; a crash
    /// before leaves a log that the leader has started anew again. The partition must not be led here.
    pub(super) async fn restart_log(&self, replica: &Rc<Replica>, at: Offset) -> Result<(), StorageError> {
        let log_start = replica.state.borrow().progress().log_start();
        if at < log_start {
            // The journal has no word for a log that starts before it did.
            return Err(StorageError::OutsideLog(at));
        }
        self.truncate(replica, log_start).await?;
        loop {
            let log_end = replica.state.borrow().progress().log_end();
            if log_end >= at {
                break;
            }
            // Of the first of all terms: whatever the leader sends next is of a later one, or of the same.
            let filler = BatchHeader::without_records(log_end, at.min(log_end + FILLER_OFFSETS_MAX), 0);
            let room = self.make_room_followed(replica, &filler).await?;
            self.append_followed(replica, &filler, &room, &filler.encode())?;
        }
        self.wait_all_durable().await?;
        replica.check_online()?;
        replica.state.borrow_mut().learn_high_watermark(at);
        self.advance_log_start(replica, at).await.map(drop)
    }

    /// Batches without records for a stretch that compaction has left without batches.
    pub(super) fn fillers(base: Offset, end: Offset, leader_epoch: LeaderEpoch) -> Vec<[u8; HEADER_BYTES]> {
        let starts = (base..end).step_by(FILLER_OFFSETS_MAX as usize);
        let filler = |start| {
            let header =
                BatchHeader::without_records(start, end.min(start + FILLER_OFFSETS_MAX), leader_epoch);
            header.encode()
        };
        starts.map(filler).collect()
    }
}
