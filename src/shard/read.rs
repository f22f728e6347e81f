//! Reading: from memory where it is there, else from the segment files.

use std::rc::Rc;

use bytes::Bytes;

use super::cold_read::read_error;
use super::error::StorageError;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::ids::Offset;
use crate::base::limits::{BLOCK_BYTES, COLD_READ_BYTES_MIN};
use crate::log::partition_log::{ColdRead, ReadPlan};
use crate::log::read::read_cold;
use crate::log::segment::index::{ReadStart, SparseIndex, StartOffset, TimeRow};
use crate::log::segment::{NewBatch, Segment, SegmentLease, path};
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
        replica.check_end_known(offset)?;
        let bound = replica.state.borrow().fetch_bound(offset)?;
        let plan = replica.log.borrow().read(offset, bound, max_bytes);
        if !matches!(plan, ReadPlan::Empty) {
            self.meters.tails.note(matches!(plan, ReadPlan::Memory(_)));
        }
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
        let (offset, segment) = (cold.offset, cold.segment_base);
        let found = self.find_cold(replica, cold, bound, max_bytes).await;
        // A partition that was deleted or cut meanwhile has other bytes there, or no file any more.
        replica.check_online()?;
        replica.state.borrow().fetch_bound(offset)?;
        found.inspect_err(|error| {
            if let StorageError::Corrupt(what) = error {
                self.meters.corrupt_reads.increment();
                self.note_corruption(replica, segment, offset, what);
            } else {
                tracing::error!(partition = replica.name(), segment, offset, %error, "a segment cannot be read");
            }
        })
    }

    /// A segment's file for reading; it must exist.
    pub(super) async fn segment_reader(
        &self,
        replica: &Replica,
        segment_base: Offset,
    ) -> Result<Rc<dyn File>, StorageError> {
        self.open_segment(replica, segment_base, OpenMode::Read).await
    }

    /// A segment's file for writing; made if it is missing.
    pub(super) async fn segment_writer(
        &self,
        replica: &Replica,
        segment_base: Offset,
    ) -> Result<Rc<dyn File>, StorageError> {
        self.open_segment(replica, segment_base, OpenMode::Write).await
    }

    async fn open_segment(
        &self,
        replica: &Replica,
        segment_base: Offset,
        mode: OpenMode,
    ) -> Result<Rc<dyn File>, StorageError> {
        let key = (replica.id, segment_base);
        let open = self.files.get(key, mode);
        self.meters.files.note(open.is_some());
        if let Some(file) = open {
            return Ok(file);
        }
        let path = path::log_file(replica.log.borrow().directory(), segment_base);
        let file = self.files.open(&self.runtime, key, &path, mode).await;
        if mode == OpenMode::Write {
            // It may just have been made, also for a segment that is not new: a crash takes a file whose entry
            // was not synced. Only now that it exists: a sync that began before would not have covered it.
            replica.directory_synced.set(false);
        }
        file.map_err(|error| match mode {
            OpenMode::Read if error.kind() == std::io::ErrorKind::NotFound => {
                StorageError::Corrupt("the segment's file is missing".into())
            }
            _ => self.space_error(&error),
        })
    }

    /// A sealed segment's index: from the cache, its files, or where these do not fit, from the segment.
    pub(super) async fn index(
        &self,
        replica: &Rc<Replica>,
        base: Offset,
        end_position: u64,
    ) -> Result<Rc<SparseIndex>, StorageError> {
        let cached = self.indexes.get(replica.id, base);
        self.meters.indexes.note(cached.is_some());
        if let Some(index) = cached {
            return Ok(index);
        }
        let index = match self.load_index(replica, base, end_position).await {
            Some(index) => index,
            None => {
                let file = self.segment_reader(replica, base).await?;
                self.rebuild_index(&*file, base, end_position).await?.0
            }
        };
        let index = Rc::new(index);
        self.keep_index(replica, base, end_position, &index);
        Ok(index)
    }

    /// Keeps an index in memory, but not that of a segment that was cut meanwhile.
    pub(super) fn keep_index(
        &self,
        replica: &Replica,
        base: Offset,
        end_position: u64,
        index: &Rc<SparseIndex>,
    ) {
        let is_same = |segment: &Segment| segment.base_offset == base && segment.end_position == end_position;
        if replica.log.borrow().segments().any(|segment| segment.sealed && is_same(segment)) {
            self.indexes.put(replica.id, base, Rc::clone(index));
        }
    }

    pub(super) async fn load_index(
        &self,
        replica: &Replica,
        base: Offset,
        end_position: u64,
    ) -> Option<SparseIndex> {
        let length_max = SparseIndex::encoded_bytes_max(end_position);
        let mut contents = Vec::new();
        for path in self.index_files(replica, base) {
            let file = self.runtime.open(&path, OpenMode::Read).await.ok()?;
            let length = file.length().await.ok().filter(|&length| length <= length_max)?;
            let blocks = (length as usize).max(1).next_multiple_of(BLOCK_BYTES);
            contents.push(file.read_at(0, blocks).await.ok()?);
        }
        SparseIndex::decode(base, end_position, contents[0].as_slice(), contents[1].as_slice())
    }

    /// The index of a segment file, and the largest timestamp in it.
    pub(super) async fn rebuild_index(
        &self,
        file: &dyn File,
        base: Offset,
        end_position: u64,
    ) -> Result<(SparseIndex, TimeRow), StorageError> {
        let mut rebuilt = Segment::new(base);
        let mut cold = ColdRead {
            segment_base: base,
            from: None,
            offset: base,
            disk_end: end_position,
            behind: Vec::new(),
            end_position,
            lease: SegmentLease::default(),
        };
        while rebuilt.end_position < end_position {
            cold.offset = rebuilt.next_offset;
            let offset = StartOffset::First(rebuilt.next_offset);
            let from = ReadStart { position: rebuilt.end_position, offset };
            let found = read_cold(file, &cold, from, Offset::MAX, COLD_READ_BYTES_MIN).await;
            let bytes = found.map_err(read_error)?.batches;
            for batch in Batches::new(&bytes).flatten() {
                let header = batch.batch.header();
                if header.base_offset != rebuilt.next_offset {
                    return Err(StorageError::Damaged("batches are not contiguous".into()));
                }
                rebuilt.note_batch(&NewBatch::of(header, 0));
            }
        }
        Ok((rebuilt.index.unwrap_or_default(), rebuilt.largest))
    }

    /// An offset at or before the first record that may be as late as `timestamp`; `None` if there is none.
    async fn offset_for_time(&self, replica: &Rc<Replica>, timestamp: i64) -> Option<Offset> {
        let (base, end_position, last_offset, offset) = {
            let log = replica.log.borrow();
            let segment = log.segment_for_time(timestamp)?;
            let in_memory = segment.index.as_ref();
            let offset = in_memory.map(|index| index.offset_for_time(segment.base_offset, timestamp));
            (segment.base_offset, segment.end_position, segment.next_offset - 1, offset)
        };
        if offset.is_some() {
            return offset;
        }
        // Without an index the search only takes longer; whatever is wrong will show there.
        let index = self.index(replica, base, end_position).await;
        let offset = index.map_or(base, |index| index.offset_for_time(base, timestamp));
        // Its files are not trusted.
        Some(offset.min(last_offset))
    }

    /// The first committed batch that may hold a record as late as `timestamp` (ms since 1970): the first
    /// whose largest timestamp is at least that. `None` if there is none.
    pub async fn batch_for_time(
        &self,
        replica: &Rc<Replica>,
        timestamp: i64,
    ) -> Result<Option<Bytes>, StorageError> {
        let Some(hint) = self.offset_for_time(replica, timestamp).await else { return Ok(None) };
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
