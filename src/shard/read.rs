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
use crate::log::read::{Found, read_cold};
use crate::log::segment::index::{ReadStart, SparseIndex, StartOffset, TimeRow};
use crate::log::segment::{NewBatch, Segment, SegmentLease, SegmentName, SegmentShape, path};
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
        self.read_below(replica, offset, bound, max_bytes).await
    }

    /// The same below `bound`, which is where a batch ends, whatever of it is committed: for other replicas.
    pub(super) async fn read_below(
        &self,
        replica: &Rc<Replica>,
        offset: Offset,
        bound: Offset,
        max_bytes: usize,
    ) -> Result<Vec<Bytes>, StorageError> {
        replica.state.borrow().fetch_bound(offset)?;
        let mut from = offset;
        loop {
            let plan = replica.log.borrow().read(from, bound, max_bytes);
            if !matches!(plan, ReadPlan::Empty) {
                self.meters.tails.note(matches!(plan, ReadPlan::Memory(_)));
            }
            let cold = match plan {
                ReadPlan::Empty => return Ok(Vec::new()),
                ReadPlan::Memory(bytes) => return Ok(bytes),
                ReadPlan::Cold(cold) => cold,
            };
            let segment = cold.segment;
            let found = self.read_cold(replica, cold, bound, max_bytes).await?;
            if !found.is_empty() || !segment.may_have_holes() {
                return Ok(found);
            }
            // Compaction has left nothing there; the next segment goes on.
            from = segment.next_offset;
        }
    }

    async fn read_cold(
        &self,
        replica: &Rc<Replica>,
        cold: ColdRead,
        bound: Offset,
        max_bytes: usize,
    ) -> Result<Vec<Bytes>, StorageError> {
        let (offset, segment) = (cold.offset, cold.segment.name);
        let found = self.find_cold(replica, cold, bound, max_bytes).await;
        // A partition that was deleted or cut meanwhile has other bytes there, or no file any more.
        replica.check_online()?;
        replica.state.borrow().fetch_bound(offset)?;
        found.inspect_err(|error| {
            if let StorageError::Corrupt(what) = error {
                self.meters.corrupt_reads.increment();
                self.note_corruption(replica, segment.base, offset, what);
            } else {
                tracing::error!(partition = replica.name(), ?segment, offset, %error, "a segment cannot be read");
            }
        })
    }

    /// A segment's file for reading; it must exist.
    pub(super) async fn segment_reader(
        &self,
        replica: &Replica,
        segment: SegmentName,
    ) -> Result<Rc<dyn File>, StorageError> {
        self.open_segment(replica, segment, OpenMode::Read).await
    }

    /// A segment's file for writing; made if it is missing.
    pub(super) async fn segment_writer(
        &self,
        replica: &Replica,
        segment_base: Offset,
    ) -> Result<Rc<dyn File>, StorageError> {
        self.open_segment(replica, segment_name(replica, segment_base), OpenMode::Write).await
    }

    async fn open_segment(
        &self,
        replica: &Replica,
        segment: SegmentName,
        mode: OpenMode,
    ) -> Result<Rc<dyn File>, StorageError> {
        let key = (replica.id, segment);
        let open = self.files.get(key, mode);
        self.meters.files.note(open.is_some());
        if let Some(file) = open {
            return Ok(file);
        }
        let path = path::log_file(replica.log.borrow().directory(), segment);
        let file = self.files.open(&self.runtime, key, &path, mode).await;
        if mode == OpenMode::Write {
            // It may just have been made, also for a segment that is not new: a crash takes a file whose entry
            // was not synced. Only now that it exists: a sync that began before would not have covered it.
            replica.files_made.set(replica.files_made.get() + 1);
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
        segment: &SegmentShape,
    ) -> Result<Rc<SparseIndex>, StorageError> {
        let cached = self.indexes.get(replica.id, segment.name);
        self.meters.indexes.note(cached.is_some());
        if let Some(index) = cached {
            return Ok(index);
        }
        let index = match self.load_index(replica, segment).await {
            Some(index) => index,
            None => {
                let file = self.segment_reader(replica, segment.name).await?;
                self.rebuild_index(&*file, segment).await?.0
            }
        };
        let index = Rc::new(index);
        self.keep_index(replica, segment, &index);
        Ok(index)
    }

    /// Keeps an index in memory, but not that of a segment that was cut meanwhile.
    pub(super) fn keep_index(&self, replica: &Replica, shape: &SegmentShape, index: &Rc<SparseIndex>) {
        let is_same = |segment: &Segment| segment.sealed && segment.shape() == *shape;
        if replica.log.borrow().segments().any(is_same) {
            self.indexes.put(replica.id, shape.name, Rc::clone(index));
        }
    }

    pub(super) async fn load_index(&self, replica: &Replica, segment: &SegmentShape) -> Option<SparseIndex> {
        let SegmentShape { name, end_position, .. } = *segment;
        let length_max = SparseIndex::encoded_bytes_max(end_position);
        let mut contents = Vec::new();
        for path in self.index_files(replica, name) {
            let file = self.runtime.open(&path, OpenMode::Read).await.ok()?;
            let length = file.length().await.ok().filter(|&length| length <= length_max)?;
            let blocks = (length as usize).max(1).next_multiple_of(BLOCK_BYTES);
            contents.push(file.read_at(0, blocks).await.ok()?);
        }
        SparseIndex::decode(name.base, end_position, contents[0].as_slice(), contents[1].as_slice())
    }

    /// The index of a segment file, and the largest timestamp in it.
    pub(super) async fn rebuild_index(
        &self,
        file: &dyn File,
        segment: &SegmentShape,
    ) -> Result<(SparseIndex, TimeRow), StorageError> {
        let (base, end_position) = (segment.name.base, segment.end_position);
        let mut rebuilt = Segment::new(base);
        let mut cold = ColdRead {
            segment: *segment,
            from: None,
            offset: base,
            disk_end: end_position,
            behind: Vec::new(),
            lease: SegmentLease::default(),
        };
        while rebuilt.end_position < end_position {
            cold.offset = rebuilt.next_offset;
            let offset = StartOffset::First(rebuilt.next_offset);
            let from = ReadStart { position: rebuilt.end_position, offset };
            let found = read_cold(file, &cold, from, Offset::MAX, COLD_READ_BYTES_MIN).await;
            let found = found.map_err(read_error)?;
            let Some(Found { batches, .. }) = found else {
                return Err(StorageError::Damaged("the segment ends before its length".into()));
            };
            for batch in Batches::new(&batches).flatten() {
                let header = batch.batch.header();
                if !segment.admits(StartOffset::First(rebuilt.next_offset), header) {
                    return Err(StorageError::Damaged("batches are not contiguous".into()));
                }
                rebuilt.skip_to(header.base_offset);
                rebuilt.note_batch(&NewBatch::of(header, 0));
            }
        }
        Ok((rebuilt.index.unwrap_or_default(), rebuilt.largest))
    }

    /// An offset at or before the first record that may be as late as `timestamp`; `None` if there is none.
    async fn offset_for_time(&self, replica: &Rc<Replica>, timestamp: i64) -> Option<Offset> {
        let base = replica.log.borrow().segment_for_time(timestamp)?.base_offset;
        self.hint_for_time(replica, base, timestamp).await
    }

    /// An offset at or before the first record of the segment that begins at `base` that may be as late as `timestamp`;
    /// `None` if there is no such segment.
    pub(super) async fn hint_for_time(
        &self,
        replica: &Rc<Replica>,
        base: Offset,
        timestamp: i64,
    ) -> Option<Offset> {
        let (segment, offset) = {
            let mut log = replica.log.borrow_mut();
            let segment = log.segment_mut(base)?;
            let in_memory = segment.index.as_ref();
            let offset = in_memory.map(|index| index.offset_for_time(segment.base_offset, timestamp));
            (segment.shape(), offset)
        };
        if offset.is_some() {
            return offset;
        }
        // Without an index the search only takes longer; whatever is wrong will show there.
        let index = self.index(replica, &segment).await;
        let offset = index.map_or(base, |index| index.offset_for_time(base, timestamp));
        // Its files are not trusted.
        Some(offset.min(segment.next_offset - 1))
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
                if header.max_timestamp >= timestamp && header.record_count > 0 {
                    let range = batch.position..batch.position + batch.batch.bytes().len();
                    return Ok(Some(bytes.slice(range)));
                }
                offset = header.last_offset() + 1;
            }
            self.runtime.yield_now().await;
        }
    }
}

/// What the files of a partition's segment are called by; of one that does not exist, as those of a new one.
pub(super) fn segment_name(replica: &Replica, segment_base: Offset) -> SegmentName {
    let mut log = replica.log.borrow_mut();
    log.segment_mut(segment_base).map_or(SegmentName::filled(segment_base), |segment| segment.name())
}

/// What was read as one piece. Pieces end where memory does, also within a batch.
pub(super) fn joined(pieces: Vec<Bytes>) -> Bytes {
    match <[Bytes; 1]>::try_from(pieces) {
        Ok([one]) => one,
        Err(pieces) => pieces.concat().into(),
    }
}
