//! The whole batches of a segment that is put together, and why there are no more.

use std::ops::Range;

use super::overlaid::Overlaid;
use crate::base::ids::{LeaderEpoch, Offset};
use crate::base::limits::{BLOCK_BYTES, OFFLINE_READ_BYTES};
use crate::log::read::ReadError;
use crate::log::run::{Run, read_run};
use crate::log::segment::index::{ReadStart, StartOffset};
use crate::log::segment::{SegmentName, SegmentShape};
use crate::offline::error::OfflineError;
use crate::protocol::batch::{BatchHeader, Batches};
use crate::runtime::File;

const BLOCK: u64 = BLOCK_BYTES as u64;

/// What follows the last whole batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Rest {
    /// The end, or space that was reserved.
    Nothing,
    /// The beginning of a batch: the file is shorter than it was.
    Part,
    /// Bytes that are no batch.
    Bad(String),
}

/// How far a walk came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Walked {
    /// Behind the last whole batch.
    pub next: ReadStart,
    /// What follows it.
    pub rest: Rest,
    /// Where the segment's file counts and not the journal: from and until, in bytes of the segment.
    pub written: Vec<Range<u64>>,
}

impl Walked {
    /// Offset behind the last whole batch.
    pub(super) fn end(&self) -> Offset {
        self.next.offset.value()
    }
}

/// Goes through a segment from a batch on. Terms only grow in a log: a batch of an earlier one than that before it, which
/// is of `term` or a later one, was cut off and does not follow. What the disk refuses to read is an error: nobody knows what is there.
pub(super) async fn walk(
    segment: &Overlaid,
    name: SegmentName,
    from: ReadStart,
    mut term: LeaderEpoch,
    mut each: impl FnMut(&Run) -> Result<(), OfflineError>,
) -> Result<Walked, OfflineError> {
    let end = segment.length;
    let shape = SegmentShape { name, next_offset: Offset::MAX, end_position: end };
    let (mut next, mut written) = (from, Vec::new());
    while next.position < end {
        let rest = match next_run(segment, &shape, next).await {
            Ok((Some(run), is_written)) => {
                if is_written {
                    written.push(run.position..run.end_position());
                }
                let Some(length) = earlier_term(&run, &mut term) else {
                    each(&run)?;
                    next = run.behind();
                    continue;
                };
                if let Ok(Some(run)) = Run::of(&run.batches().slice(..length), &shape, next) {
                    each(&run)?;
                    next = run.behind();
                }
                Rest::Bad(format!(
                    "byte {}: a batch of an earlier term than the one before it",
                    next.position
                ))
            }
            Ok((None, _)) => Rest::Part,
            Err(ReadError::Io { source, .. }) => return Err(OfflineError::io(&segment.path)(source)),
            // There is a hole before what the journal has.
            Err(ReadError::Corrupt { .. }) if segment.is_file_short => Rest::Part,
            Err(error @ ReadError::Corrupt { .. }) => Rest::Bad(error.to_string()),
        };
        let rest = if segment.is_empty_from(next.position).await? { Rest::Nothing } else { rest };
        return Ok(Walked { next, rest, written });
    }
    Ok(Walked { next, rest: Rest::Nothing, written })
}

/// The next batches, and whether they are as the segment's file has them without the journal. What is left of a journal may
/// be older than the file: of a recovery whose end is lost, or from before a cut that is. Of two batches at one offset that
/// of the later term counts, since nobody writes an offset anew in the same term.
async fn next_run(
    segment: &Overlaid,
    shape: &SegmentShape,
    from: ReadStart,
) -> Result<(Option<Run>, bool), ReadError> {
    let together = read_run(segment, shape, from, shape.end_position, OFFLINE_READ_BYTES).await;
    if matches!(together, Err(ReadError::Io { .. })) {
        return together.map(|run| (run, false));
    }
    let Some(file) = segment.written_behind(from.position) else { return together.map(|run| (run, false)) };
    let Ok(Some(run)) = together else {
        let first = first_written(&file, shape, from).await?;
        return if first.is_some() { Ok((first, true)) } else { together.map(|run| (run, false)) };
    };
    let start = run.position - run.position % BLOCK;
    let length = ((run.end_position() - start) as usize).next_multiple_of(BLOCK_BYTES);
    let read = file.read_at(start, length).await;
    let written = read.map_err(|source| ReadError::Io { position: start, source })?;
    let written = written.as_slice().get((run.position - start) as usize..).unwrap_or_default();
    for batch in Batches::new(run.batches()).flatten() {
        let header = batch.batch.header();
        let there = written.get(batch.position..).and_then(|bytes| BatchHeader::parse(bytes).ok());
        let is_later = |there: BatchHeader| {
            there.base_offset == header.base_offset
                && there.partition_leader_epoch > header.partition_leader_epoch
        };
        if !there.is_some_and(is_later) {
            continue;
        }
        if batch.position > 0 {
            return Ok((Run::of(&run.batches().slice(..batch.position), shape, from)?, false));
        }
        if let Some(first) = first_written(&file, shape, from).await? {
            return Ok((Some(first), true));
        }
    }
    Ok((Some(run), false))
}

/// The batch that a segment's file has by itself at a place, if it is whole.
async fn first_written(
    file: &Overlaid,
    shape: &SegmentShape,
    from: ReadStart,
) -> Result<Option<Run>, ReadError> {
    let run = match read_run(file, shape, from, file.length, OFFLINE_READ_BYTES).await {
        Ok(Some(run)) => run,
        Ok(None) | Err(ReadError::Corrupt { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let first = Batches::new(run.batches()).flatten().next();
    let length = first.map_or(0, |first| first.batch.bytes().len());
    Run::of(&run.batches().slice(..length), shape, from)
}

/// The length of what comes before a batch of an earlier term than the ones before it, if there is one.
fn earlier_term(run: &Run, term: &mut LeaderEpoch) -> Option<usize> {
    for batch in Batches::new(run.batches()).flatten() {
        let found = batch.batch.header().partition_leader_epoch;
        if found < *term {
            return Some(batch.position);
        }
        *term = found;
    }
    None
}

/// Whether a segment ends where another begins, or is the last and whole.
pub(super) fn connects(name: SegmentName, walked: &Walked, later: &[Offset]) -> bool {
    let is_whole = walked.rest == Rest::Nothing;
    later.contains(&walked.end()) || (is_whole && (later.is_empty() || name.generation > 0))
}

/// Whether a segment is what is left of one that others have come in the place of, or that is not in the log any more; long
/// files are shortened before they are removed.
pub(super) fn is_remainder(name: SegmentName, walked: &Walked, later: &[Offset]) -> bool {
    let begins_nowhere = walked.next.position == 0 && walked.rest != Rest::Nothing;
    let is_short = walked.rest == Rest::Part || begins_nowhere;
    // At the end of a multiple of the step there may be a batch's end by chance.
    let ends_in_a_hole = walked.rest == Rest::Nothing && name.generation == 0;
    !later.is_empty() && !connects(name, walked, later) && (is_short || ends_in_a_hole)
}

/// The last boundary between batches at or before `synced`, from a batch on, and where before it the file counts as in
/// [`Walked`]. `from`, if there is no whole batch there.
pub(super) async fn boundary(
    segment: &Overlaid,
    name: SegmentName,
    from: ReadStart,
    synced: u64,
) -> Result<(ReadStart, Vec<Range<u64>>), OfflineError> {
    let (mut kept, mut is_behind) = (from, false);
    let walked = walk(segment, name, from, 0, |run| {
        for batch in Batches::new(run.batches()).flatten() {
            let header = batch.batch.header();
            let start = run.position + batch.position as u64;
            let end = start + header.total_bytes() as u64;
            if end <= synced {
                kept = ReadStart { position: end, offset: StartOffset::First(header.last_offset() + 1) };
            } else if !is_behind {
                kept = ReadStart { position: start, offset: StartOffset::First(header.base_offset) };
                is_behind = true;
            }
        }
        Ok(())
    })
    .await?;
    let before = walked.written.into_iter().filter(|range| range.start < kept.position);
    Ok((kept, before.collect()))
}
