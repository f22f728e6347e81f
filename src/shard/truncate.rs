//! Cutting a log at its end, as a follower does to agree with its leader.

use std::rc::Rc;

use bytes::Bytes;

use super::error::StorageError;
use super::log_start::journal_entry;
use super::read::segment_name;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::ids::Offset;
use crate::base::limits::{BLOCK_BYTES, COLD_READ_BYTES_MIN};
use crate::base::planted::{Bug, is_planted};
use crate::log::journal::entry::EntryKind;
use crate::log::partition_log::{AppendPlace, ReadPlan};
use crate::log::read::read_cold;
use crate::log::segment::path;
use crate::protocol::batch::BatchHeader;

impl Storage {
    /// Cuts the log so that it ends at `offset`, or before the batch that holds it. The partition must not be
    /// led here. Durable when it returns. No segment byte behind the cut is written before that, and none
    /// while an earlier write-back is on its way.
    pub async fn truncate(&self, replica: &Rc<Replica>, offset: Offset) -> Result<(), StorageError> {
        replica.check_online()?;
        self.wait_reserve(BLOCK_BYTES).await?;
        let _turn = self.segment_turn.lock().await;
        // A batch on its way to the segment would be written behind the cut, where other bytes may be by then.
        let _end =
            if is_planted(Bug::CutAmidExtent) { None } else { Some(self.wait_allocation(replica).await) };
        // What was appended before must not be reported durable after it was cut.
        self.wait_all_durable().await?;
        replica.check_online()?;
        if offset >= replica.state.borrow().progress().log_end() {
            return Ok(());
        }
        // The cut is told by a position in a segment: recovery must know that segment, not those that compaction has
        // put it in the place of.
        if self.has_retired(replica) {
            self.checkpoint().await?;
            replica.check_online()?;
        }
        let cut = self.find_cut(replica, offset).await;
        // A partition that was deleted meanwhile has no such place.
        replica.check_online()?;
        let (offset, place) = cut?;
        let kept_block = self.kept_block(replica, place).await?;
        // From here on in one step; the partition may have been deleted since.
        replica.check_online()?;
        replica.state.borrow_mut().truncate_to(offset).map_err(|_| StorageError::OutsideLog(offset))?;
        self.count_producers(replica);
        let journal_file = self.journal.current_file();
        let entry = journal_entry(replica, EntryKind::Truncate, offset, place);
        let sequence = self.journal.append(&entry, &[&kept_block]);
        let removed = self.change_log(replica, |log| log.truncate(offset, place, &kept_block, journal_file));
        let cut_segment = segment_name(replica, place.segment_base);
        self.files.forget((replica.id, cut_segment));
        self.indexes.forget_partition(replica.id);
        self.cold.forget_partition(replica.id);
        if !is_planted(Bug::TruncateEarly) {
            self.journal.wait_durable(sequence).await.map_err(StorageError::OutOfService)?;
        }
        // If it was complete, they are of what it was then.
        self.remove_files(&self.index_files(replica, cut_segment)).await?;
        for name in removed {
            self.files.forget((replica.id, name));
            self.cold.forget((replica.id, name));
            let log_file = path::log_file(replica.log.borrow().directory(), name);
            self.remove_files(&[log_file]).await?;
            self.remove_files(&self.index_files(replica, name)).await?;
        }
        Ok(())
    }

    /// Waits until everything that was appended so far is durable.
    pub(super) async fn wait_all_durable(&self) -> Result<(), StorageError> {
        // A writer that failed has dropped its open group: its position no longer tells what was appended.
        self.check_in_service()?;
        let through = self.journal.position().reflected_through();
        self.journal.wait_durable(through).await.map_err(StorageError::OutOfService)
    }

    /// The last batch boundary at or before `offset`.
    async fn find_cut(
        &self,
        replica: &Rc<Replica>,
        offset: Offset,
    ) -> Result<(Offset, AppendPlace), StorageError> {
        if let Some(place) = replica.log.borrow().cut_at(offset) {
            return Ok((offset, place));
        }
        let plan = replica.log.borrow().read(offset, Offset::MAX, 0);
        let (place, batches) = match plan {
            ReadPlan::Empty => return Err(StorageError::OutsideLog(offset)),
            ReadPlan::Memory(bytes) => {
                // The offset lies inside a batch that is in memory: cut before that batch.
                let base = batch_base(&bytes.concat().into())?;
                let place = replica.log.borrow().cut_at(base).ok_or(StorageError::OutsideLog(offset))?;
                return Ok((base, place));
            }
            ReadPlan::Cold(cold) => {
                let file = self.segment_reader(replica, cold.segment.name).await?;
                let segment_base = cold.segment.name.base;
                let from = match cold.from {
                    Some(from) => from,
                    // Sealed. It becomes the segment that is filled, which needs its index in memory.
                    None => {
                        let index = self.index(replica, &cold.segment).await?;
                        self.change_log(replica, |log| {
                            if let Some(segment) = log.segment_mut(segment_base) {
                                segment.index.get_or_insert_with(|| (*index).clone());
                            }
                        });
                        index.start_for_offset(segment_base, offset)
                    }
                };
                let found = read_cold(&*file, &cold, from, Offset::MAX, COLD_READ_BYTES_MIN).await;
                let found = found.map_err(|error| StorageError::Damaged(error.to_string().into()))?;
                let Some(found) = found else {
                    // Compaction has left nothing from there to the segment's end.
                    return Ok((offset, AppendPlace { segment_base, position: cold.segment.end_position }));
                };
                (AppendPlace { segment_base, position: found.position }, found.batches)
            }
        };
        // Where compaction has taken the offset's batch away, the next one begins behind it.
        Ok((batch_base(&batches)?.min(offset), place))
    }

    /// The bytes that stay of the block that is cut.
    async fn kept_block(&self, replica: &Rc<Replica>, place: AppendPlace) -> Result<Bytes, StorageError> {
        let start = place.position - place.position % BLOCK_BYTES as u64;
        if start == place.position {
            return Ok(Bytes::new());
        }
        let in_memory = {
            let mut log = replica.log.borrow_mut();
            let segment = log.segment_mut(place.segment_base).ok_or(StorageError::Deleted)?;
            (segment.memory.start() <= start).then(|| segment.memory.slice(start..place.position))
        };
        if let Some(pieces) = in_memory {
            return Ok(pieces.concat().into());
        }
        let file = self.segment_reader(replica, segment_name(replica, place.segment_base)).await?;
        let block = file.read_at(start, BLOCK_BYTES).await.map_err(|error| StorageError::disk(&error))?;
        let length = (place.position - start) as usize;
        if block.len() < length {
            return Err(StorageError::Damaged("the segment file is shorter than its log".into()));
        }
        Ok(block.view(0..length))
    }
}

fn batch_base(batches: &Bytes) -> Result<Offset, StorageError> {
    let header = BatchHeader::parse(batches);
    header.map(|header| header.base_offset).map_err(|error| StorageError::Damaged(error.to_string().into()))
}
