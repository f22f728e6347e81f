//! Walks through a partition's log, segment by segment: what is in files, and behind that what is in the journal only.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};

use super::error::OfflineError;
use super::indexes::{IndexFiles, RowCheck};
use super::progress::Progress;
use super::site::Site;
use crate::base::ids::Offset;
use crate::base::limits::OFFLINE_READ_BYTES;
use crate::log::LogError;
use crate::log::recovery::ExaminedPartition;
use crate::log::run::Run;
use crate::log::segment::index::{ReadStart, SparseIndex};
use crate::log::segment::{SegmentName, SegmentRecord, path};
use crate::log::walk::{BadRange, SegmentWalk, Step};
use crate::protocol::batch::{BatchView, Batches};
use crate::runtime::{File, OpenMode};

/// Where a batch was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BatchPlace {
    /// The segment.
    pub segment: SegmentName,
    /// Position in it, in bytes.
    pub position: u64,
    /// Whether all of it is in the segment's file.
    pub is_on_disk: bool,
}

/// Who is told of what a walk finds.
pub(super) trait Visitor {
    /// A segment begins. `false` leaves it out.
    fn segment(&mut self, _segment: &SegmentRecord, _file: &Path) -> bool {
        true
    }
    /// A good batch.
    fn batch(&mut self, _place: BatchPlace, _batch: &BatchView<'_>) {}
    /// Bytes of a segment that are damaged; the offsets are those that a reader cannot have.
    fn bad(&mut self, _file: &Path, _bad: &BadRange, _until: Offset) {}
    /// Something is wrong with a segment's index files; one that is missing was perhaps never written.
    fn index(&mut self, _file: &Path, _what: String, _is_missing: bool) {}
    /// Whether the walk may end here.
    fn is_done(&self) -> bool {
        false
    }
}

/// Goes through all of a partition's log. `directory` is where its segments are.
pub(super) async fn walk_partition(
    site: &Site,
    partition: &ExaminedPartition,
    directory: &Path,
    visitor: &mut dyn Visitor,
    progress: &dyn Progress,
) -> Result<(), OfflineError> {
    let mut expected: Option<Offset> = None;
    for (segment, journaled) in &partition.segments {
        let file = path::log_file(directory, segment.name());
        if let Some(end) = expected.filter(|end| *end != segment.base_offset) {
            let what = format!("the segment before it ends at offset {end}");
            visitor.bad(&file, &bad(end, 0, what), segment.base_offset.max(end));
        }
        expected = Some(segment.next_offset);
        if visitor.segment(segment, &file) {
            let walk = Walking { site, segment, directory, file, visitor: &mut *visitor, progress };
            walk.run(journaled).await?;
        }
        if visitor.is_done() {
            break;
        }
    }
    Ok(())
}

fn bad(from: Offset, position: u64, what: impl Into<String>) -> BadRange {
    BadRange { from, until: None, position, what: what.into(), is_refused: false }
}

struct Walking<'a> {
    site: &'a Site,
    segment: &'a SegmentRecord,
    directory: &'a Path,
    file: PathBuf,
    visitor: &'a mut dyn Visitor,
    progress: &'a dyn Progress,
}

impl Walking<'_> {
    async fn run(mut self, journaled: &Bytes) -> Result<(), OfflineError> {
        let (base, synced) = (self.segment.base_offset, self.segment.synced);
        let opened = match self.site.runtime.open(&self.file, OpenMode::Read).await {
            Ok(file) => Some(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(LogError::io(&self.file)(error).into()),
        };
        let Some(file) = opened.filter(|_| synced > 0) else {
            if synced > 0 {
                self.tell_bad(&bad(base, 0, "the file is missing"));
            } else {
                self.in_journal(ReadStart::of_segment(base), journaled.clone(), 0);
            }
            return Ok(());
        };
        let files = match self.segment.sealed {
            true => Some(IndexFiles::read(self.site, self.directory, self.segment).await?),
            false => None,
        };
        let index = files.as_ref().map_or(Some(&self.segment.index), |files| files.index.as_ref());
        let (walk_end, is_whole) = self.on_disk(&*file, synced, index).await;
        if let Some(files) = files.as_ref().filter(|_| is_whole) {
            files.tell(&mut *self.visitor);
        }
        let Some(walk) = walk_end.filter(|_| !self.visitor.is_done()) else { return Ok(()) };
        if self.segment.sealed {
            self.check_end(walk.next());
            return Ok(());
        }
        match walk.rest(&*file).await {
            Ok(rest) => {
                let rest_bytes = rest.len() as u64;
                let mut bytes = BytesMut::from(&rest[..]);
                bytes.extend_from_slice(journaled);
                self.in_journal(walk.next(), bytes.freeze(), rest_bytes);
            }
            Err(error) => {
                self.tell_bad(&bad(walk.next().offset.value(), walk.next().position, error.to_string()));
            }
        }
        Ok(())
    }

    /// Walks through the file. What is left of the walk, unless nothing good follows damage; and whether all was good.
    async fn on_disk<'b>(
        &mut self,
        file: &dyn File,
        end: u64,
        index: Option<&'b SparseIndex>,
    ) -> (Option<SegmentWalk<'b>>, bool) {
        let mut walk = SegmentWalk::new(self.segment.shape(), end, index);
        let mut rows = RowCheck::new(index.filter(|_| self.segment.sealed));
        let (mut is_whole, mut done) = (true, 0);
        while let Some(step) = walk.step(file, OFFLINE_READ_BYTES).await {
            match step {
                Step::Run(run) => {
                    self.tell_batches(&run, true, &mut rows);
                    if self.visitor.is_done() {
                        return (Some(walk), is_whole);
                    }
                }
                Step::Bad(range) => {
                    is_whole = false;
                    self.tell_bad(&range);
                }
            }
            self.progress.advance(walk.next().position - done);
            done = walk.next().position;
        }
        self.progress.advance(end - done);
        if is_whole && let Some(what) = rows.finish() {
            self.visitor.index(&path::index_file(self.directory, self.segment.name()), what, false);
        }
        (if walk.is_lost() { None } else { Some(walk) }, is_whole)
    }

    /// The batches from `from` on that the journal has the end of; `on_disk` of the bytes are in the file.
    fn in_journal(&mut self, mut from: ReadStart, mut bytes: Bytes, on_disk: u64) {
        let disk_end = from.position + on_disk;
        loop {
            match Run::of(&bytes, &self.segment.shape(), from) {
                Ok(Some(run)) => {
                    let is_on_disk = run.end_position() <= disk_end;
                    self.tell_batches(&run, is_on_disk, &mut RowCheck::new(None));
                    bytes = bytes.slice(run.length()..);
                    from = run.behind();
                }
                Ok(None) => return self.check_end(from),
                Err(error) => {
                    return self.tell_bad(&bad(from.offset.value(), from.position, error.to_string()));
                }
            }
        }
    }

    /// A log must end where it is known to have ended.
    fn check_end(&mut self, reached: ReadStart) {
        let (offset, position) = (reached.offset.value(), reached.position);
        if !self.segment.shape().ends_at(reached) {
            let what = format!(
                "whole batches end at byte {position} with offset {offset}, where {} bytes with offset {} were",
                self.segment.end_position, self.segment.next_offset
            );
            self.tell_bad(&bad(offset, position, what));
        }
    }

    fn tell_batches(&mut self, run: &Run, is_on_disk: bool, rows: &mut RowCheck<'_>) {
        for batch in Batches::new(run.batches()).flatten() {
            let position = run.position + batch.position as u64;
            rows.note(position, batch.batch.header());
            let place = BatchPlace { segment: self.segment.name(), position, is_on_disk };
            self.visitor.batch(place, &batch.batch);
            if self.visitor.is_done() {
                return;
            }
        }
    }

    fn tell_bad(&mut self, range: &BadRange) {
        // Where nothing good follows, the rest of the segment cannot be had.
        let until = range.until.unwrap_or(self.segment.next_offset).max(range.from);
        self.visitor.bad(&self.file, range, until);
    }
}
