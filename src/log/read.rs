//! Reads from segment files: direct, checked, whole batches.

use bytes::Bytes;

use super::partition_log::ColdRead;
use super::segment::SegmentShape;
use super::segment::index::{ReadStart, StartOffset};
use crate::base::buffer::AlignedBuf;
use crate::base::ids::Offset;
use crate::base::limits::{BLOCK_BYTES, COLD_READ_BYTES_MIN, INDEX_INTERVAL_BYTES};
use crate::protocol::batch::{BatchHeader, Batches, HEADER_BYTES};
use crate::runtime::File;

/// Why a read from disk gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The disk refused.
    #[error("read at byte {position}: {source}")]
    Io {
        /// Where.
        position: u64,
        /// The disk's answer.
        source: std::io::Error,
    },
    /// What is on disk is not what was written.
    #[error("byte {position}: {what}")]
    Corrupt {
        /// Where.
        position: u64,
        /// What is wrong.
        what: String,
    },
}

/// Batches that were read.
pub struct Found {
    /// Position of the first in the segment, in bytes.
    pub position: u64,
    /// Whole batches.
    pub batches: Bytes,
}

/// Whole batches from the one that holds the read's offset on, below `bound`, which is beyond that offset; but for
/// the first, up to `max_bytes`; where compaction has left nothing at the offset, from the next one on. `None` if that
/// is in another segment. `from` is a batch at or before the wanted one. Each batch's CRC is checked, and as that does
/// not cover offsets, also that each begins where the one before it ends.
pub async fn read_cold(
    file: &dyn File,
    read: &ColdRead,
    mut from: ReadStart,
    bound: Offset,
    max_bytes: usize,
) -> Result<Option<Found>, ReadError> {
    let window = (max_bytes + INDEX_INTERVAL_BYTES as usize).max(COLD_READ_BYTES_MIN);
    loop {
        if read.segment.may_have_holes() && from.position >= read.segment.end_position {
            return Ok(None);
        }
        let bytes = stretch(file, read, from.position, window).await?;
        let (reached, found) = select(&bytes, from, &read.segment, read.offset, bound, max_bytes)?;
        match found {
            Some(batches) => return Ok(Some(Found { position: reached.position, batches })),
            None if reached.position > from.position => from = reached,
            // Not even one whole batch in the window: it is longer than that.
            None => return read_long(file, read, from, &bytes, bound).await.map(Some),
        }
    }
}

/// What was found in a stretch that begins with the batch `from`: the batch that holds the offset, and its bytes with
/// those of the wanted ones behind it; without bytes if it is not whole in the stretch.
fn select(
    bytes: &Bytes,
    from: ReadStart,
    segment: &SegmentShape,
    offset: Offset,
    bound: Offset,
    max_bytes: usize,
) -> Result<(ReadStart, Option<Bytes>), ReadError> {
    let (mut first, mut found) = (from, None);
    let mut expected = from.offset;
    for batch in Batches::new(bytes) {
        let batch = batch.map_err(|error| corrupt(from.position + error.position as u64, error.reason))?;
        let (header, position) = (batch.batch.header(), from.position + batch.position as u64);
        if !segment.admits(expected, header) {
            return Err(corrupt(position, misplaced(header.base_offset, expected.value())));
        }
        expected = StartOffset::First(header.last_offset() + 1);
        let stop = batch.position + batch.batch.bytes().len();
        if header.last_offset() < offset {
            first = ReadStart { position: from.position + stop as u64, offset: expected };
            continue;
        }
        let start = (first.position - from.position) as usize;
        if found.is_some() && (header.base_offset >= bound || stop - start > max_bytes) {
            break;
        }
        if batch.batch.computed_crc() != header.crc {
            return Err(corrupt(position, "CRC-32C does not match"));
        }
        found = Some(start..stop);
    }
    Ok((first, found.map(|range| bytes.slice(range))))
}

/// A batch that is longer than the window: read whole.
async fn read_long(
    file: &dyn File,
    read: &ColdRead,
    from: ReadStart,
    head: &Bytes,
    bound: Offset,
) -> Result<Found, ReadError> {
    let position = from.position;
    if head.len() < HEADER_BYTES {
        return Err(corrupt(position, "the segment ends inside a batch"));
    }
    let header = BatchHeader::parse(head).map_err(|error| corrupt(position, error))?;
    if header.total_bytes() <= head.len()
        || header.total_bytes() as u64 > read.segment.end_position - position
    {
        return Err(corrupt(position, "a batch's length does not fit its segment"));
    }
    let bytes = stretch(file, read, position, header.total_bytes()).await?;
    match select(&bytes, from, &read.segment, read.offset, bound, 0)? {
        (_, Some(batches)) => Ok(Found { position, batches }),
        (_, None) => Err(corrupt(position, "the segment does not hold the offset")),
    }
}

/// `length` bytes from `position` on, or what there is: from disk, and behind it from memory.
async fn stretch(file: &dyn File, read: &ColdRead, position: u64, length: usize) -> Result<Bytes, ReadError> {
    let bytes = from_disk(file, position, read.disk_end.min(position + length as u64)).await?;
    let reached = position + bytes.len() as u64;
    let missing = length - bytes.len();
    if missing == 0 || read.behind.is_empty() || reached < read.disk_end {
        return Ok(bytes);
    }
    let mut whole = AlignedBuf::with_capacity(length);
    whole.append(&bytes);
    // The stretch may begin in memory, behind the first bytes there.
    let mut skip = (reached - read.disk_end) as usize;
    for piece in &read.behind {
        let from = skip.min(piece.len());
        skip -= from;
        let take = (piece.len() - from).min(length - whole.len());
        whole.append(&piece[from..from + take]);
    }
    Ok(whole.view(0..whole.len()))
}

/// The bytes from `position` to `end`, all of which must be in the file; none if `end` is not behind `position`.
pub(super) async fn from_disk(file: &dyn File, position: u64, end: u64) -> Result<Bytes, ReadError> {
    if position >= end {
        return Ok(Bytes::new());
    }
    let block = BLOCK_BYTES as u64;
    let start = position - position % block;
    let want = (end.next_multiple_of(block) - start) as usize;
    let got = file.read_at(start, want).await.map_err(|source| ReadError::Io { position, source })?;
    let available = got.len().min((end - start) as usize);
    if available < (end - start) as usize {
        return Err(corrupt(start + available as u64, "the segment file is shorter than its log"));
    }
    Ok(got.view((position - start) as usize..available))
}

/// What is wrong with a batch that does not begin where the one before it ends.
pub(super) fn misplaced(found: Offset, expected: Offset) -> String {
    format!("a batch of offset {found} instead of {expected}")
}

fn corrupt(position: u64, what: impl ToString) -> ReadError {
    ReadError::corrupt(position, what)
}

impl ReadError {
    pub(super) fn corrupt(position: u64, what: impl ToString) -> Self {
        ReadError::Corrupt { position, what: what.to_string() }
    }
}
