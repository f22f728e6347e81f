//! Appending: room is made first, which may wait; then the batch gets its offsets, is remembered for its
//! producer and enters journal and tail in one step that cannot fail half-way. Long batches take another way
//! (`extent.rs`).

use std::rc::Rc;

use futures_util::future::select;

use super::error::StorageError;
use super::extent::ExtentAppend;
use super::line::Front;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::ids::{LeaderEpoch, Offset};
use crate::base::planted::{Bug, is_planted};
use crate::log::journal::entry::{Entry, EntryKind};
use crate::log::journal::extent::EXTENT_PAYLOAD_BYTES_MAX;
use crate::log::partition_log::SpaceNeed;
use crate::log::segment::{NewBatch, SegmentName, path};
use crate::partition::{AppendDecision, AppendError};
use crate::protocol::batch::{BatchHeader, HEADER_BYTES, NO_TIMESTAMP, TimestampType};

/// A batch that was accepted. It is durable and committed once the partition's high watermark is beyond
/// `last_offset`; for a duplicate too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Offset of the batch's first record.
    pub base_offset: Offset,
    /// Offset of the batch's last record.
    pub last_offset: Offset,
    /// When it was appended, in ms since 1970, if the topic stores that; else [`NO_TIMESTAMP`].
    pub log_append_time_ms: i64,
}

/// How an append goes on once it has its place.
pub(super) enum Appending {
    /// It is in the log.
    Done(Appended),
    /// Its bytes are on their way to the segment. Nothing is appended behind it before that has ended.
    Extent(Box<ExtentAppend>),
}

/// What a partition says to a batch.
pub(super) enum Decision {
    /// It is new, and the partition has taken note of it in this term.
    Append(LeaderEpoch),
    /// It was appended before.
    Duplicate(Appended),
}

/// What stands in the way of an append.
enum Obstacle {
    /// Journal or memory are full.
    Room,
    /// The segment lacks space on disk.
    Space(SpaceNeed),
    /// Somebody else is at the end of the log on disk.
    Turn,
}

impl Storage {
    /// Appends a batch that [`validate`](crate::protocol::batch::validate) has found good, as leader. `header` is the one
    /// to be stored, which need not be the one that is in `batch`. Waits
    /// while journal, memory or segment have no room, in order of arrival; never after the batch
    /// was accepted. Dropping the future before it completes means that nothing was appended.
    pub async fn append(
        &self,
        replica: &Rc<Replica>,
        header: &BatchHeader,
        batch: &[u8],
    ) -> Result<Appended, StorageError> {
        match self.append_in_line(&mut None, replica, header, batch).await? {
            Appending::Done(appended) => Ok(appended),
            Appending::Extent(extent) => extent.finish().await,
        }
    }

    /// The same for somebody who may stand at the front of the line already, and stays there. Completes when the batch
    /// has its place in the partition's order.
    pub(super) async fn append_in_line<'a>(
        &'a self,
        front: &mut Option<Front<'a>>,
        replica: &Rc<Replica>,
        header: &BatchHeader,
        batch: &[u8],
    ) -> Result<Appending, StorageError> {
        loop {
            if front.is_none() && self.room_line.len() > 0 {
                *front = Some(self.room_line.front().await);
            }
            let room = self.room.notified();
            let progressed = self.journal.progressed();
            let extended = replica.extended.notified();
            if replica.is_extending.get() && !is_planted(Bug::OvertakeExtent) {
                extended.await;
                continue;
            }
            if let Some(outcome) = self.try_append(replica, header, batch) {
                return outcome;
            }
            let now_ms = self.runtime.wall_clock_ms();
            let new_batch =
                self.new_batch(replica, &stamped(replica, header, now_ms), self.steady_ms_at(now_ms));
            match self.obstacle(replica, &new_batch) {
                None => {}
                Some(Obstacle::Space(need)) => {
                    // Others have the space that they need, and can go on meanwhile.
                    *front = None;
                    if replica.is_allocating.get() {
                        room.await;
                    } else {
                        self.allocate(replica, need).await?;
                    }
                }
                Some(Obstacle::Turn) => {
                    *front = None;
                    room.await;
                }
                Some(Obstacle::Room) => {
                    self.work.notify_one();
                    match front {
                        None => *front = Some(self.room_line.front().await),
                        Some(_) => {
                            select(std::pin::pin!(room), std::pin::pin!(progressed)).await;
                        }
                    }
                }
            }
        }
    }

    /// The same without waiting; `None`, and no change, if there is no room now.
    fn try_append(
        &self,
        replica: &Rc<Replica>,
        header: &BatchHeader,
        batch: &[u8],
    ) -> Option<Result<Appending, StorageError>> {
        let servable = self.check_in_service().and_then(|()| replica.check_online());
        if let Err(error) = servable.and_then(|()| replica.check_intact()) {
            return Some(Err(error));
        }
        if replica.state.borrow().leader_epoch().is_none() {
            return Some(Err(AppendError::NotLeader.into()));
        }
        let now_ms = self.runtime.wall_clock_ms();
        let header = &stamped(replica, header, now_ms);
        let new_batch = self.new_batch(replica, header, self.steady_ms_at(now_ms));
        if new_batch.length > self.journal.payload_bytes_max() {
            return Some(Err(StorageError::TooLarge(new_batch.length)));
        }
        match (self.obstacle(replica, &new_batch), self.space.stuck()) {
            (None, _) => {}
            (Some(Obstacle::Room), Some(reason)) => return Some(Err(StorageError::DiskFull(reason))),
            (Some(_), _) => return None,
        }
        // Nothing is written for what will be refused, or is there.
        if self.goes_past_journal(replica, &new_batch) && replica.state.borrow().would_append(header) {
            let leader_epoch = replica.state.borrow().leader_epoch().expect("looked at above");
            let records = &batch[HEADER_BYTES..];
            let stored = stored(header, records, new_batch.base_offset, leader_epoch);
            let extent = self.begin_extent(replica, stored, records, &new_batch);
            return Some(Ok(Appending::Extent(Box::new(extent))));
        }
        Some(self.append_now(replica, header, batch, &new_batch).map(Appending::Done))
    }

    /// What the journal is to take of a batch.
    fn payload_bytes(&self, replica: &Replica, batch: &NewBatch) -> usize {
        if self.goes_past_journal(replica, batch) { EXTENT_PAYLOAD_BYTES_MAX } else { batch.length }
    }

    fn new_batch(&self, replica: &Replica, header: &BatchHeader, now_ms: i64) -> NewBatch {
        let base_offset = replica.state.borrow().progress().log_end();
        NewBatch {
            base_offset,
            last_offset: base_offset.saturating_add(i64::from(header.last_offset_delta)),
            max_timestamp: header.max_timestamp,
            length: header.total_bytes(),
            now_ms,
        }
    }

    fn obstacle(&self, replica: &Replica, batch: &NewBatch) -> Option<Obstacle> {
        let is_extent = self.goes_past_journal(replica, batch);
        let dirty = self.dirty_bytes.get();
        // One batch is always let in, or one longer than the whole budget would wait for ever.
        let memory_full =
            !is_extent && dirty > 0 && dirty + batch.length as u64 > self.config.dirty_bytes_max;
        if memory_full || !self.journal.has_room(self.payload_bytes(replica, batch)) {
            return Some(Obstacle::Room);
        }
        let need = replica.log.borrow().space_need(batch);
        need.map(Obstacle::Space).or((is_extent && replica.is_allocating.get()).then_some(Obstacle::Turn))
    }

    /// The one step: no await, and nothing that can fail once the partition has decided.
    fn append_now(
        &self,
        replica: &Rc<Replica>,
        header: &BatchHeader,
        batch: &[u8],
        new_batch: &NewBatch,
    ) -> Result<Appended, StorageError> {
        let leader_epoch = match self.decide(replica, header, new_batch)? {
            Decision::Append(leader_epoch) => leader_epoch,
            Decision::Duplicate(appended) => return Ok(appended),
        };
        if is_planted(Bug::AssignThenFail) && self.journal.groups_in_flight() > 1 {
            return Err(StorageError::Disk("a planted bug".into()));
        }
        let &NewBatch { base_offset, last_offset, .. } = new_batch;
        let records = &batch[HEADER_BYTES..];
        let stored = stored(header, records, base_offset, leader_epoch).encode();
        let parts = [&stored[..], records];
        let place = replica.log.borrow().place_for(new_batch);
        let journal_file = self.journal.current_file();
        let entry = Entry {
            kind: EntryKind::Append,
            partition: replica.id,
            leader_epoch,
            base_offset,
            last_offset,
            segment_base: place.segment_base,
            position: place.position,
            first_batch_position: place.position,
        };
        let sequence = self.journal.append(&entry, &parts);
        self.append_to_log(replica, |log| log.append(new_batch, &parts, journal_file));
        self.expect_durable(sequence, replica, last_offset + 1);
        self.evict();
        Ok(self.appended(header, new_batch))
    }

    /// Has the partition decide on a batch, which is to be in the log in the same step.
    pub(super) fn decide(
        &self,
        replica: &Replica,
        header: &BatchHeader,
        batch: &NewBatch,
    ) -> Result<Decision, StorageError> {
        self.make_room_for_producer(replica, header, batch.now_ms);
        let decision = replica.state.borrow_mut().append(header, batch.now_ms)?;
        match decision {
            AppendDecision::Duplicate { base_offset, last_offset, max_timestamp } => {
                self.meters.duplicates.increment();
                let log_append_time_ms = if is_stamped(header) { max_timestamp } else { NO_TIMESTAMP };
                Ok(Decision::Duplicate(Appended { base_offset, last_offset, log_append_time_ms }))
            }
            AppendDecision::Append { base_offset, last_offset, leader_epoch } => {
                assert_eq!((base_offset, last_offset), (batch.base_offset, batch.last_offset));
                if header.has_producer_id() {
                    self.count_producers(replica);
                }
                Ok(Decision::Append(leader_epoch))
            }
        }
    }

    /// Counts a batch that is in the log.
    pub(super) fn appended(&self, header: &BatchHeader, batch: &NewBatch) -> Appended {
        self.meters.batches.increment();
        self.meters.records.add(u64::try_from(header.record_count).unwrap_or(0));
        self.meters.bytes.add(batch.length as u64);
        let log_append_time_ms = if is_stamped(header) { header.max_timestamp } else { NO_TIMESTAMP };
        Appended { base_offset: batch.base_offset, last_offset: batch.last_offset, log_append_time_ms }
    }

    /// Gives a segment the space that the next batch needs, and makes its file first if it is new.
    pub(super) async fn allocate(&self, replica: &Rc<Replica>, need: SpaceNeed) -> Result<(), StorageError> {
        let _allocation = self.begin_allocation(replica);
        let before = replica.log.borrow_mut().segment_mut(need.segment_base).map_or(0, |it| it.allocated);
        let allocated = async {
            let file = self.segment_writer(replica, need.segment_base).await?;
            if is_planted(Bug::SkipAllocation) {
                return Ok(());
            }
            file.allocate(need.length).await.map_err(|error| self.space_error(&error))
        };
        let allocated = allocated.await;
        if allocated.is_ok() {
            self.change_log(replica, |log| log.note_space(need));
            self.space.note_taken(need.length.saturating_sub(before));
        }
        if need.is_new && replica.log.borrow_mut().segment_mut(need.segment_base).is_none() {
            // There is no space, or a shorter batch came first and still fitted the segment before.
            let name = SegmentName::filled(need.segment_base);
            self.files.forget((replica.id, name));
            let unused = path::log_file(replica.log.borrow().directory(), name);
            self.remove_files(&[unused]).await?;
        }
        allocated
    }

    /// Until it is dropped, nobody else makes a segment file of the partition or gives it space.
    pub(super) fn begin_allocation<'a>(&'a self, replica: &'a Replica) -> AllocationGuard<'a> {
        assert!(!replica.is_allocating.replace(true), "one at a time");
        AllocationGuard { storage: self, replica }
    }

    /// The same as soon as nobody does.
    pub(super) async fn wait_allocation<'a>(&'a self, replica: &'a Replica) -> AllocationGuard<'a> {
        loop {
            let room = self.room.notified();
            if !replica.is_allocating.get() {
                return self.begin_allocation(replica);
            }
            room.await;
        }
    }
}

fn is_stamped(header: &BatchHeader) -> bool {
    header.attributes.timestamp_type() == TimestampType::LogAppendTime
}

/// The header as it is stored.
fn stored(
    header: &BatchHeader,
    records: &[u8],
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
) -> BatchHeader {
    let header = if is_stamped(header) { header.with_crc_over(records) } else { *header };
    header.placed_at(base_offset, leader_epoch)
}

/// The header with the time at which the batch is appended, where the topic wants that.
fn stamped(replica: &Replica, header: &BatchHeader, now_ms: i64) -> BatchHeader {
    match replica.settings().timestamp_type {
        TimestampType::CreateTime => *header,
        TimestampType::LogAppendTime => header.stamped_at(now_ms),
    }
}

/// Wakes those who wait for space when the allocation has ended, however it did.
pub(super) struct AllocationGuard<'a> {
    storage: &'a Storage,
    replica: &'a Replica,
}

impl Drop for AllocationGuard<'_> {
    fn drop(&mut self) {
        self.replica.is_allocating.set(false);
        self.storage.room.notify_waiters();
    }
}
