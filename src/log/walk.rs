//! Steps through everything that a segment's file holds and checks it: for scrubbing and for the offline tools. Bounded
//! memory: one run at a time. Goes on behind what is damaged, so that a finding has an end.

use bytes::Bytes;

use super::read::{ReadError, from_disk};
use super::run::{Run, read_run};
use super::segment::SegmentShape;
use super::segment::index::{ReadStart, SparseIndex, StartOffset};
use crate::base::ids::Offset;
use crate::base::limits::BLOCK_BYTES;
use crate::protocol::batch::{BatchHeader, HEADER_BYTES};
use crate::runtime::File;

/// A stretch of a segment that is not what was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadRange {
    /// The first offset in doubt.
    pub from: Offset,
    /// The offset of the first record behind it that is good; `None` if there is none in the segment.
    pub until: Option<Offset>,
    /// Position of its first byte in the segment.
    pub position: u64,
    /// What is wrong there.
    pub what: String,
    /// Whether the disk refused to read it: what is there is not known then.
    pub is_refused: bool,
}

/// What the next bytes of a segment are.
pub enum Step {
    /// Whole, good batches.
    Run(Run),
    /// Bytes that are damaged.
    Bad(BadRange),
}

/// A walk through a segment's file.
pub struct SegmentWalk<'a> {
    segment: SegmentShape,
    end: u64,
    next: ReadStart,
    index: Option<&'a SparseIndex>,
    /// Nothing good can be found any more.
    is_lost: bool,
}

impl<'a> SegmentWalk<'a> {
    /// Will go from the segment's first batch to position `end`, where its file is known to hold bytes up to there. The index,
    /// which need not be right, tells where to go on behind damage.
    pub fn new(segment: SegmentShape, end: u64, index: Option<&'a SparseIndex>) -> Self {
        let next = ReadStart::of_segment(segment.name.base);
        SegmentWalk { segment, end, next, index, is_lost: false }
    }

    /// Where the next batch is expected: beyond the last one that was whole.
    pub fn next(&self) -> ReadStart {
        self.next
    }

    /// Whether its last batch is where the segment's last one is known to be: that ends where the segment does, and with
    /// the segment's last offset, unless compaction has taken later ones away.
    pub fn is_complete(&self) -> bool {
        self.segment.ends_at(self.next)
    }

    /// Whether it ended in damage behind which nothing good was found.
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// The next about `length` bytes; `None` at the end, and before a batch that goes on beyond it.
    pub async fn step(&mut self, file: &dyn File, length: usize) -> Option<Step> {
        if self.is_lost || self.next.position >= self.end {
            return None;
        }
        match read_run(file, &self.segment, self.next, self.end, length).await {
            Ok(Some(run)) => {
                self.next = run.behind();
                Some(Step::Run(run))
            }
            Ok(None) => None,
            Err(error) => Some(Step::Bad(self.skip(file, &error).await)),
        }
    }

    async fn skip(&mut self, file: &dyn File, error: &ReadError) -> BadRange {
        let bad = self.next;
        let resumed = self.first_good_behind(file, bad).await;
        match resumed {
            Some((start, _)) => self.next = start,
            None => self.is_lost = true,
        }
        let until = resumed.map(|(_, offset)| offset);
        BadRange {
            from: bad.offset.value(),
            until,
            position: bad.position,
            what: error.to_string(),
            is_refused: matches!(error, ReadError::Io { .. }),
        }
    }

    /// The first batch behind a bad one that is good, and the offset of its first record: the next one if the bad
    /// batch's header still tells its length, or else one that the index knows.
    async fn first_good_behind(&self, file: &dyn File, bad: ReadStart) -> Option<(ReadStart, Offset)> {
        let by_length = self.behind_by_length(file, bad).await;
        let rows = self.index.map_or(&[][..], |index| index.rows().0);
        let by_index = rows
            .iter()
            .filter(|row| row.position > bad.position && row.position < self.end)
            .map(|row| ReadStart { position: row.position, offset: StartOffset::Last(row.last_offset) });
        for start in by_length.into_iter().chain(by_index) {
            // Little is read before the batch there is known to be one.
            let run = read_run(file, &self.segment, start, self.end, BLOCK_BYTES).await;
            if let Ok(Some(run)) = run
                && run.base_offset > bad.offset.value()
            {
                return Some((start, run.base_offset));
            }
        }
        None
    }

    async fn behind_by_length(&self, file: &dyn File, bad: ReadStart) -> Option<ReadStart> {
        let head = self.end.min(bad.position + HEADER_BYTES as u64);
        let head = from_disk(file, bad.position, head).await.ok()?;
        let header = BatchHeader::parse(&head).ok()?;
        if !self.segment.admits(bad.offset, &header)
            || header.last_offset_delta < 0
            || header.last_offset() == i64::MAX
        {
            return None;
        }
        let position = bad.position + header.total_bytes() as u64;
        let offset = StartOffset::First(header.last_offset() + 1);
        (position < self.end).then_some(ReadStart { position, offset })
    }

    /// The bytes of the file between the last whole batch and the end: the beginning of a batch of which the journal
    /// has the rest.
    pub async fn rest(&self, file: &dyn File) -> Result<Bytes, ReadError> {
        from_disk(file, self.next.position, self.end).await
    }
}
