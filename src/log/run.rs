//! Runs: whole batches that were read from a segment at once. Whatever is in a run was checked when it was read, so
//! nobody checks it again.

use bytes::Bytes;

use super::read::{ReadError, from_disk, misplaced};
use super::segment::SegmentShape;
use super::segment::index::{ReadStart, StartOffset};
use crate::base::ids::Offset;
use crate::protocol::batch::{BatchHeader, Batches, HEADER_BYTES};
use crate::runtime::File;

/// Whole batches that follow each other in a segment.
pub struct Run {
    /// Offset of the first record, or one before it if nothing lies in between.
    pub base_offset: Offset,
    /// The offset behind the last record.
    pub next_offset: Offset,
    /// Position of the first byte in the segment.
    pub position: u64,
    batches: Bytes,
}

/// Batches of a run.
pub struct Slice {
    /// Whole batches; may be none.
    pub batches: Bytes,
    /// Whether they go to the run's end, so that the next run may hold more.
    pub is_to_end: bool,
}

impl Run {
    /// Position behind the last byte in the segment.
    pub fn end_position(&self) -> u64 {
        self.position + self.length() as u64
    }

    /// Where the run that follows begins.
    pub fn behind(&self) -> ReadStart {
        ReadStart { position: self.end_position(), offset: StartOffset::First(self.next_offset) }
    }

    /// Length in bytes.
    pub fn length(&self) -> usize {
        self.batches.len()
    }

    /// The batches.
    pub fn batches(&self) -> &Bytes {
        &self.batches
    }

    /// The whole batches at the start of `bytes`, which are a segment's from `from` on; `None` if not even the first
    /// one is whole. Checked as [`read_run`] does.
    pub fn of(bytes: &Bytes, segment: &SegmentShape, from: ReadStart) -> Result<Option<Run>, ReadError> {
        whole_batches(bytes, segment, from)
    }

    /// Batches from the one that holds `offset` on, below `bound`, up to `max_bytes`; a first one that is longer only
    /// if `at_least_one` is set.
    pub fn slice(&self, offset: Offset, bound: Offset, max_bytes: usize, at_least_one: bool) -> Slice {
        let mut range = None;
        for batch in Batches::new(&self.batches).flatten() {
            let header = batch.batch.header();
            if header.last_offset() < offset {
                continue;
            }
            let stop = batch.position + batch.batch.bytes().len();
            let (start, end) = range.unwrap_or((batch.position, batch.position));
            let is_wanted = stop - start <= max_bytes || (at_least_one && start == end);
            if header.base_offset >= bound || !is_wanted {
                return Slice { batches: self.batches.slice(start..end), is_to_end: false };
            }
            range = Some((start, stop));
        }
        let (start, end) = range.unwrap_or((0, 0));
        Slice { batches: self.batches.slice(start..end), is_to_end: true }
    }
}

/// Reads the batches from `from` on that are whole on disk before `disk_end`, for about `length` bytes. `None` if not
/// even the first is. Batches before one that is corrupt are a run; where it is the first, that is the error. A
/// batch's offset is outside its CRC: it must be where the one before it ends.
pub async fn read_run(
    file: &dyn File,
    segment: &SegmentShape,
    from: ReadStart,
    disk_end: u64,
    length: usize,
) -> Result<Option<Run>, ReadError> {
    let position = from.position;
    let bytes = from_disk(file, position, disk_end.min(position + length as u64)).await?;
    if let Some(run) = whole_batches(&bytes, segment, from)? {
        return Ok(Some(run));
    }
    if bytes.len() < HEADER_BYTES {
        return Ok(None);
    }
    let header = BatchHeader::parse(&bytes).map_err(|error| ReadError::corrupt(position, error))?;
    let end = position + header.total_bytes() as u64;
    if end > disk_end {
        return Ok(None);
    }
    let bytes = from_disk(file, position, end).await?;
    whole_batches(&bytes, segment, from)
}

fn whole_batches(bytes: &Bytes, segment: &SegmentShape, from: ReadStart) -> Result<Option<Run>, ReadError> {
    let mut expected = from.offset;
    let mut offsets = None;
    let mut end = 0;
    for batch in Batches::new(bytes).check_crc() {
        let batch = batch.map_err(|error| (error.position, error.reason.to_string())).and_then(|batch| {
            let header = batch.batch.header();
            let what = || (end, misplaced(header.base_offset, expected.value()));
            segment.admits(expected, header).then_some(batch).ok_or_else(what)
        });
        match batch {
            Ok(batch) => {
                let header = batch.batch.header();
                let next_offset = header.last_offset() + 1;
                let first = match from.offset {
                    StartOffset::First(offset) => offset,
                    StartOffset::Last(_) => header.base_offset,
                };
                let (base_offset, _) = offsets.unwrap_or((first, next_offset));
                offsets = Some((base_offset, next_offset));
                expected = StartOffset::First(next_offset);
                end = batch.position + batch.batch.bytes().len();
            }
            Err((position, what)) if end == 0 => {
                return Err(ReadError::corrupt(from.position + position as u64, what));
            }
            Err(_) => break,
        }
    }
    let run = |(base_offset, next_offset)| Run {
        base_offset,
        next_offset,
        position: from.position,
        batches: bytes.slice(..end),
    };
    Ok(offsets.map(run))
}
