//! Reading: from memory where it is there, else from the segment files.

use std::rc::Rc;

use bytes::Bytes;

use super::error::StorageError;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::ids::Offset;
use crate::base::limits::{BLOCK_BYTES, COLD_READ_BYTES_MIN};
use crate::log::partition_log::{ColdRead, ReadPlan};
use crate::log::read::{ReadError, read_cold};
use crate::log::segment::index::{IndexEntry, SparseIndex};
use crate::log::segment::path;
use crate::protocol::batch::Batches;
use crate::runtime::{File, OpenMode};

impl Storage {
    /// Whole batches from the one that holds `offset` on, committed ones only; but for the first, up to
    /// `max_bytes`. Empty at the high watermark.
    pub async fn read(
        &self,
        replica: &Rc<Replica>,
        offset: Offset,
        max_bytes: usize,
    ) -> Result<Vec<Bytes>, StorageError> {
        replica.check_online()?;
        let bound = replica.state.borrow().fetch_bound(offset)?;
        let plan = replica.log.borrow().read(offset, bound, max_bytes);
        match plan {
            ReadPlan::Empty => Ok(Vec::new()),
            ReadPlan::Memory(bytes) => Ok(bytes),
            ReadPlan::Cold(cold) => self.read_cold(replica, cold, bound, max_bytes).await,
        }
    }

    async fn read_cold(
        &self,
        replica: &Rc<Replica>,
        cold: ColdRead,
        bound: Offset,
        max_bytes: usize,
    ) -> Result<Vec<Bytes>, StorageError> {
        let file = self.segment_file(replica, cold.segment_base).await?;
        let position = match cold.position {
            Some(position) => position,
            None => self.index(replica, &cold, &*file).await?.position_for_offset(cold.offset),
        };
        let found = read_cold(&*file, &cold, position, bound, max_bytes).await;
        // A partition that was deleted or cut meanwhile has other bytes there.
        replica.check_online()?;
        let found = found.map_err(|error| self.note_read_error(replica, cold.segment_base, &error))?;
        Ok(found.into_iter().map(|found| found.batches).collect())
    }

    fn note_read_error(&self, replica: &Replica, segment_base: Offset, error: &ReadError) -> StorageError {
        let partition = replica.id;
        tracing::error!(%partition, segment_base, %error, "a segment cannot be read");
        match error {
            ReadError::Io { .. } => StorageError::disk(error),
            ReadError::Corrupt { .. } => StorageError::Damaged(error.to_string().into()),
        }
    }

    /// A segment's file; made if it is missing, unless the segment is sealed.
    pub(super) async fn segment_file(
        &self,
        replica: &Replica,
        segment_base: Offset,
    ) -> Result<Rc<dyn File>, StorageError> {
        let (path, mode) = {
            let log = replica.log.borrow();
            let sealed = log.segments().any(|it| it.base_offset == segment_base && it.sealed);
            // A sealed segment that is missing must not be made.
            let mode = if sealed { OpenMode::Read } else { OpenMode::Write };
            (path::log_file(log.directory(), segment_base), mode)
        };
        if let Some(file) = self.files.get_open((replica.id, segment_base)) {
            return Ok(file);
        }
        let file = self.files.get(&self.runtime, (replica.id, segment_base), &path, mode).await;
        if mode == OpenMode::Write {
            // It may just have been made, also for a segment that is not new: a crash takes a file whose entry
            // was not synced. Only now that it exists: a sync that began before would not have covered it.
            replica.directory_synced.set(false);
        }
        file.map_err(|error| StorageError::disk(&error))
    }

    /// A sealed segment's index: from the cache, its files, or where these do not fit, from the segment.
    pub(super) async fn index(
        &self,
        replica: &Rc<Replica>,
        cold: &ColdRead,
        file: &dyn File,
    ) -> Result<Rc<SparseIndex>, StorageError> {
        let (id, base) = (replica.id, cold.segment_base);
        if let Some(index) = self.indexes.get(id, base) {
            return Ok(index);
        }
        let loaded = self.load_index(replica, base, cold.end_position).await;
        let index = match loaded {
            Some(index) => index,
            None => self.rebuild_index(file, base, cold.end_position).await?,
        };
        let index = Rc::new(index);
        self.indexes.put(id, base, Rc::clone(&index));
        Ok(index)
    }

    async fn load_index(&self, replica: &Replica, base: Offset, end_position: u64) -> Option<SparseIndex> {
        let directory = replica.log.borrow().directory().to_owned();
        let mut contents = Vec::new();
        for path in [path::index_file(&directory, base), path::time_index_file(&directory, base)] {
            let file = self.runtime.open(&path, OpenMode::Read).await.ok()?;
            let length = file.length().await.ok()?;
            let blocks = (length as usize).max(1).next_multiple_of(BLOCK_BYTES);
            contents.push(file.read_at(0, blocks).await.ok()?);
        }
        SparseIndex::decode(base, end_position, contents[0].as_slice(), contents[1].as_slice())
    }

    async fn rebuild_index(
        &self,
        file: &dyn File,
        base: Offset,
        end_position: u64,
    ) -> Result<SparseIndex, StorageError> {
        let mut index = SparseIndex::default();
        let (mut offset, mut max_timestamp) = (base, i64::MIN);
        let mut cold = ColdRead {
            segment_base: base,
            position: None,
            offset,
            disk_end: end_position,
            behind: Vec::new(),
            end_position,
        };
        let mut position = 0;
        while position < end_position {
            cold.offset = offset;
            let found = read_cold(file, &cold, position, Offset::MAX, COLD_READ_BYTES_MIN).await;
            let found = found.map_err(|error| StorageError::Damaged(error.to_string().into()))?;
            let Some(bytes) = found.map(|found| found.batches) else { break };
            for batch in Batches::new(&bytes).flatten() {
                let header = batch.batch.header();
                let position = position + batch.position as u64;
                let entry =
                    IndexEntry { offset: header.base_offset, position, max_timestamp_before: max_timestamp };
                index.note(entry);
                max_timestamp = max_timestamp.max(header.max_timestamp);
                offset = header.last_offset() + 1;
            }
            position += bytes.len() as u64;
        }
        Ok(index)
    }

    /// The first committed batch that may hold a record as late as `timestamp` (ms since 1970): the first
    /// whose largest timestamp is at least that. `None` if there is none.
    pub async fn batch_for_time(
        &self,
        replica: &Rc<Replica>,
        timestamp: i64,
    ) -> Result<Option<Bytes>, StorageError> {
        let Some(hint) = replica.log.borrow().offset_for_time(timestamp) else { return Ok(None) };
        let mut offset = hint.max(replica.state.borrow().progress().log_start());
        loop {
            let pieces = self.read(replica, offset, COLD_READ_BYTES_MIN).await?;
            let bytes = joined(pieces);
            if bytes.is_empty() {
                return Ok(None);
            }
            for batch in Batches::new(&bytes).flatten() {
                let header = batch.batch.header();
                if header.max_timestamp >= timestamp {
                    let range = batch.position..batch.position + batch.batch.bytes().len();
                    return Ok(Some(bytes.slice(range)));
                }
                offset = header.last_offset() + 1;
            }
            self.runtime.yield_now().await;
        }
    }
}

fn joined(pieces: Vec<Bytes>) -> Bytes {
    match <[Bytes; 1]>::try_from(pieces) {
        Ok([one]) => one,
        Err(pieces) => pieces.concat().into(),
    }
}
