//! Reading what is only on disk: run by run, through the cache, and ahead of those who read on and on.

use std::rc::Rc;

use bytes::Bytes;

use super::budget::Charge;
use super::cold_cache::{Key, Near};
use super::error::StorageError;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::ids::Offset;
use crate::base::limits::{COLD_READ_BYTES_MAX, COLD_READ_BYTES_MIN};
use crate::log::partition_log::ColdRead;
use crate::log::read::{ReadError, read_cold};
use crate::log::run::{Run, read_run};
use crate::log::segment::SegmentLease;
use crate::log::segment::index::ReadStart;
use crate::runtime::File;

impl Storage {
    /// Whole batches from the one that holds the read's offset on, below `bound`; but for the first, up to
    /// `max_bytes`. They end where memory begins, where the segment ends and before what cannot be read. None where
    /// compaction has left nothing from the offset to the segment's end.
    pub(super) async fn find_cold(
        &self,
        replica: &Rc<Replica>,
        mut cold: ColdRead,
        bound: Offset,
        max_bytes: usize,
    ) -> Result<Vec<Bytes>, StorageError> {
        let file = self.segment_reader(replica, cold.segment.name).await?;
        let (mut found, mut bytes) = (Vec::new(), 0);
        loop {
            let run = match self.run_at(replica, &file, &cold).await {
                Ok(Some(run)) => run,
                Ok(None) if found.is_empty() => {
                    return self.find_across(replica, &file, &cold, bound, max_bytes).await;
                }
                Err(StorageError::Corrupt(_))
                    if cold.from.is_none() && !replica.is_known_corrupt(cold.segment.name.base) =>
                {
                    // Its index led there, whose files have no checksum.
                    cold.from = Some(self.place_by_new_index(replica, &file, &cold).await?);
                    continue;
                }
                Err(error) if found.is_empty() => return Err(error),
                // It is told to whoever reads on from here.
                Ok(None) | Err(_) => return Ok(found),
            };
            let slice = run.slice(cold.offset, bound, max_bytes - bytes, found.is_empty());
            if !slice.batches.is_empty() {
                bytes += slice.batches.len();
                found.push(unpinned(slice.batches, &run));
            }
            let is_over = !slice.is_to_end || bytes >= max_bytes || run.end_position() >= cold.disk_end;
            if is_over || run.next_offset >= bound {
                return Ok(found);
            }
            (cold.offset, cold.from) = (run.next_offset, Some(run.behind()));
        }
    }

    /// The run that holds the read's offset; `None` if that is not whole on disk.
    async fn run_at(
        &self,
        replica: &Rc<Replica>,
        file: &Rc<dyn File>,
        cold: &ColdRead,
    ) -> Result<Option<Rc<Run>>, StorageError> {
        let key = (replica.id, cold.segment.name);
        let (mut passed, mut memory): (Option<Rc<Run>>, Option<Charge>) = (None, None);
        loop {
            let ended = self.cold.read_ended();
            let near = self.cold.near(key, cold.offset);
            if let Some(run) = near.run {
                self.meters.runs.note(true);
                if near.is_sequential {
                    self.read_ahead(key, file, &run, cold);
                }
                return Ok(Some(run));
            }
            let before = passed.as_ref().or(near.before.as_ref());
            let is_sequential = before.is_some_and(|run| run.next_offset == cold.offset);
            let from = match before {
                Some(run) if is_sequential => run.behind(),
                before => {
                    let from = self.place(replica, cold).await?;
                    before.map(|run| run.behind()).filter(|run| run.position > from.position).unwrap_or(from)
                }
            };
            let position = from.position;
            if position >= cold.disk_end {
                // A truncation leaves batches in memory that are not listed there.
                return Ok(None);
            }
            let length = match before.filter(|_| is_sequential) {
                Some(run) => longer(run),
                None => COLD_READ_BYTES_MIN,
            };
            let end = end_of_read(&near, position, length, cold.disk_end);
            let free = memory.take().or_else(|| self.cold.reading.try_take(end - position));
            let Some(mut taken) = free else {
                memory = Some(self.cold.reading.take(end - position).await);
                // Meanwhile somebody else may have read it.
                continue;
            };
            let Some(reading) = self.cold.begin(key, position..end) else {
                drop(taken);
                ended.await;
                continue;
            };
            self.meters.runs.note(false);
            taken.adjust(end - position);
            let length = (end - position) as usize;
            let run =
                read_run(&**file, &cold.segment, from, cold.disk_end, length).await.map_err(read_error)?;
            drop(taken);
            let Some(run) = run.map(Rc::new) else { return Ok(None) };
            reading.keep(&run, is_sequential);
            drop(reading);
            if run.next_offset > cold.offset {
                if is_sequential {
                    self.read_ahead(key, file, &run, cold);
                }
                return Ok(Some(run));
            }
            passed = Some(run);
        }
    }

    /// A batch at or before the one that holds the read's offset.
    async fn place(&self, replica: &Rc<Replica>, cold: &ColdRead) -> Result<ReadStart, StorageError> {
        if let Some(from) = cold.from {
            return Ok(from);
        }
        let index = self.index(replica, &cold.segment).await?;
        Ok(index.start_for_offset(cold.segment.name.base, cold.offset))
    }

    /// The same by an index that is built from the segment itself.
    async fn place_by_new_index(
        &self,
        replica: &Rc<Replica>,
        file: &Rc<dyn File>,
        cold: &ColdRead,
    ) -> Result<ReadStart, StorageError> {
        let index = Rc::new(self.rebuild_index(&**file, &cold.segment).await?.0);
        self.keep_index(replica, &cold.segment, &index);
        Ok(index.start_for_offset(cold.segment.name.base, cold.offset))
    }

    /// Has the run behind this one read, unless it is there or being read. A short rest is not worth it, and may be
    /// the beginning of a batch that ends in memory.
    fn read_ahead(&self, key: Key, file: &Rc<dyn File>, run: &Run, cold: &ColdRead) {
        let disk_end = cold.disk_end;
        let (from, length) = (run.behind(), longer(run));
        let (position, offset) = (from.position, run.next_offset);
        if position + COLD_READ_BYTES_MIN as u64 > disk_end {
            return;
        }
        let near = self.cold.near(key, offset);
        if near.run.is_some() {
            return;
        }
        let end = end_of_read(&near, position, length, disk_end);
        let Some(memory) = self.cold.reading.try_take(end - position) else { return };
        let Some(reading) = self.cold.begin(key, position..end) else { return };
        let file = Rc::clone(file);
        let (segment, lease): (_, SegmentLease) = (cold.segment, cold.lease.clone());
        self.cold.ahead.spawn(&*self.runtime, async move {
            // What is wrong will be met by whoever reads there.
            let read = read_run(&*file, &segment, from, disk_end, (end - position) as usize).await;
            drop(memory);
            if let Ok(Some(run)) = read {
                reading.keep(&Rc::new(run), true);
            }
            drop(lease);
        });
    }

    /// The same as [`Storage::find_cold`] where the first batch is partly in memory.
    async fn find_across(
        &self,
        replica: &Rc<Replica>,
        file: &Rc<dyn File>,
        cold: &ColdRead,
        bound: Offset,
        max_bytes: usize,
    ) -> Result<Vec<Bytes>, StorageError> {
        let from = self.place(replica, cold).await?;
        let found = read_cold(&**file, cold, from, bound, max_bytes).await.map_err(read_error)?;
        Ok(found.into_iter().map(|found| found.batches).collect())
    }
}

/// Where a read ends: before what is there already.
fn end_of_read(near: &Near, position: u64, length: usize, disk_end: u64) -> u64 {
    let end = disk_end.min(position + length as u64);
    near.behind.filter(|&behind| behind > position).map_or(end, |behind| end.min(behind))
}

/// The length of the read that follows one.
fn longer(run: &Run) -> usize {
    (2 * run.length()).clamp(COLD_READ_BYTES_MIN, COLD_READ_BYTES_MAX)
}

/// A few batches must not keep all of a run in memory for as long as their response takes.
fn unpinned(batches: Bytes, run: &Run) -> Bytes {
    if batches.len() < run.length() / 2 { Bytes::copy_from_slice(&batches) } else { batches }
}

pub(super) fn read_error(error: ReadError) -> StorageError {
    match error {
        ReadError::Io { .. } => StorageError::disk(&error),
        ReadError::Corrupt { .. } => StorageError::Corrupt(error.to_string().into()),
    }
}
