//! A partition's log from its segments' files and whatever groups of the journal can be read: all of it where no checkpoint
//! says what it was, and otherwise what is behind its complete segments. What is there and cannot be reached is told.

use std::io;
use std::path::{Path, PathBuf};

use super::Lost;
use super::journaled::Journaled;
use super::overlaid::Overlaid;
use super::walk::{Rest, Walked, boundary, connects, is_remainder, walk};
use crate::base::ids::{LeaderEpoch, Offset, PartitionId};
use crate::log::LogError;
use crate::log::checkpoint::PartitionRecord;
use crate::log::journal::writer::JournalPosition;
use crate::log::recovery::StateChange;
use crate::log::run::Run;
use crate::log::segment::index::{ReadStart, SparseIndex, StartOffset};
use crate::log::segment::{NewBatch, Segment, SegmentName, SegmentRecord, path};
use crate::log::snapshot::StateSnapshot;
use crate::offline::error::OfflineError;
use crate::offline::finding::OffsetRange;
use crate::offline::site::Site;
use crate::protocol::batch::Batches;
use crate::shard::restored_state;

/// A segment's file that has to hold all that was found of it before a checkpoint may say so.
pub(super) struct SalvagedFile {
    source: Overlaid,
    end_position: u64,
    /// Whether bytes behind that go which are not empty.
    pub is_cut: bool,
}

impl SalvagedFile {
    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.source.path
    }

    /// Makes it so. Durable when it returns.
    pub(super) async fn make(&self, site: &Site) -> Result<(), OfflineError> {
        let directory = self.path().parent().expect("a segment is in a directory");
        if self.is_cut || self.source.has_patches() {
            // What is left of an index may be of other bytes. It is made again where it is missing.
            self.remove_indexes(site, directory).await?;
        }
        self.source.make_whole(site, self.end_position).await?;
        Ok(site.runtime.sync_dir(directory).await.map_err(LogError::io(directory))?)
    }

    async fn remove_indexes(&self, site: &Site, directory: &Path) -> Result<(), OfflineError> {
        let Some(name) = path::segment_of(self.path()) else { return Ok(()) };
        for index in [path::index_file(directory, name), path::time_index_file(directory, name)] {
            match site.runtime.remove_file(&index).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(LogError::io(&index)(error).into());
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A log that was put together.
pub(super) struct Salvaged {
    /// As it is for a next checkpoint: all segments are complete.
    pub record: PartitionRecord,
    /// To be made first.
    pub files: Vec<SalvagedFile>,
    /// What is not in it, as far as that is known.
    pub lost: Vec<Lost>,
}

/// Puts the log of a partition together of which no checkpoint speaks; `None` if there is nothing of it.
pub(super) async fn salvage(
    site: &Site,
    id: PartitionId,
    directory: &Path,
    journaled: &Journaled,
) -> Result<Option<Salvaged>, OfflineError> {
    let files = segments_in(site, directory).await?;
    if files.is_empty() && journaled.patches.is_empty() && journaled.end == 0 {
        return Ok(None);
    }
    let record = PartitionRecord::new(id, JournalPosition::default(), StateSnapshot::default(), Vec::new());
    let mut building = Building::new(site, directory, journaled, record, files);
    building.is_new = true;
    building.all().await.map(Some)
}

/// Goes on behind the complete segments of a partition that a checkpoint describes. Those, and its state up to there, stay
/// as they are.
pub(super) async fn salvage_behind(
    site: &Site,
    record: &PartitionRecord,
    directory: &Path,
    journaled: &Journaled,
) -> Result<Salvaged, OfflineError> {
    let files = segments_in(site, directory).await?;
    let mut building = Building::new(site, directory, journaled, record.clone(), files);
    building.drop_removed().await?;
    let complete = building.segments.iter().take_while(|segment| segment.sealed).count();
    let unsealed = building.segments.split_off(complete);
    if let Some(first) = unsealed.into_iter().next() {
        building.resume(first).await?;
    }
    building.all().await
}

async fn segments_in(site: &Site, directory: &Path) -> Result<Vec<SegmentName>, OfflineError> {
    let files = site.runtime.list_dir(directory).await.map_err(LogError::io(directory))?;
    let logs = files.iter().filter(|file| file.extension().is_some_and(|kind| kind == "log"));
    let mut names: Vec<SegmentName> = logs.filter_map(|file| path::segment_of(file)).collect();
    names.sort_unstable();
    Ok(names)
}

struct Building<'a> {
    site: &'a Site,
    directory: &'a Path,
    journaled: &'a Journaled,
    /// The segments that have files, in order.
    on_disk: Vec<SegmentName>,
    /// What is known beforehand.
    record: PartitionRecord,
    /// Whether that is nothing.
    is_new: bool,
    now_ms: i64,
    state: StateSnapshot,
    segments: Vec<SegmentRecord>,
    files: Vec<SalvagedFile>,
    lost: Vec<Lost>,
    /// Whether the last segment's end is only known by its batches, and compaction may have left nothing of the last ones.
    may_skip: bool,
    /// Why the last segment ends where it does, if not because it was its end.
    why: Option<String>,
}

impl<'a> Building<'a> {
    fn new(
        site: &'a Site,
        directory: &'a Path,
        journaled: &'a Journaled,
        record: PartitionRecord,
        on_disk: Vec<SegmentName>,
    ) -> Self {
        let (state, segments) = (record.state.clone(), record.segments.clone());
        let now_ms = site.runtime.wall_clock_ms();
        Building {
            site,
            directory,
            journaled,
            on_disk,
            record,
            is_new: false,
            now_ms,
            state,
            segments,
            files: Vec::new(),
            lost: Vec::new(),
            may_skip: false,
            why: None,
        }
    }

    fn end(&self) -> Offset {
        self.state.log_end_offset
    }

    /// The segments' names in order: those of the files, and of segments of which the journal has all that there is.
    fn names(&self) -> Vec<SegmentName> {
        let first = self.on_disk.first().map_or(0, |name| name.base);
        let journaled = self.journaled.patches.iter().map(|patch| SegmentName::filled(patch.segment_base));
        let journaled = journaled.filter(|name| name.base >= first);
        let mut names: Vec<SegmentName> = journaled.chain(self.on_disk.iter().copied()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn lose(&mut self, from: Offset, until: Offset, and_more: bool, note: String) {
        let offsets = OffsetRange { from, until: until.max(from) };
        let partition = self.site.name(self.record.id());
        self.lost.push(Lost { partition, offsets, and_more, note: Some(note) });
    }

    /// Complete segments at the start of which the files are gone, or being removed: retention goes on behind a checkpoint.
    async fn drop_removed(&mut self) -> Result<(), OfflineError> {
        let mut gone = 0;
        for segment in self.segments.iter().take_while(|segment| segment.sealed) {
            let source = Overlaid::open(self.site, self.directory, segment.name(), None).await?;
            if source.length >= segment.end_position {
                break;
            }
            gone += 1;
        }
        // Not all of a log: then it is its directory that is wrong, and readers say so.
        if gone == 0 || gone == self.segments.len() {
            return Ok(());
        }
        let (from, until) = (self.state.log_start_offset, self.segments[gone].base_offset);
        self.segments.drain(..gone);
        if from < until {
            self.state.log_start_offset = until;
            let note = "their files are gone or cut short, as when retention removes them; a start removes what is left";
            self.lose(from, until, false, note.to_owned());
        }
        Ok(())
    }

    /// Goes on in a segment that was not complete, from where its file is known to be durable.
    async fn resume(&mut self, mut segment: SegmentRecord) -> Result<(), OfflineError> {
        let name = segment.name();
        let source = Overlaid::open(self.site, self.directory, name, Some(self.journaled)).await?;
        let rows = segment.index.rows().0.iter();
        let row = rows.take_while(|row| row.position <= segment.synced).last();
        let by_row =
            row.map(|row| ReadStart { position: row.position, offset: StartOffset::Last(row.last_offset) });
        let start = ReadStart::of_segment(name.base);
        let (mut kept, mut written) = (start, Vec::new());
        for from in by_row.into_iter().chain([start]) {
            let (reached, mut before) = boundary(&source, name, from, segment.synced).await?;
            // A row of the index need not be right.
            if reached.position > from.position || reached == start {
                // What was synced before the row is as it was.
                before.push(0..from.position);
                (kept, written) = (reached, before);
                break;
            }
        }
        self.cut(&mut segment, kept.position, kept.offset.value())?;
        let term = self.term();
        let mut walked = walk(&source, name, kept, term, |run| self.note(&mut segment, run)).await?;
        walked.written.append(&mut written);
        self.push(segment, source, &walked);
        Ok(())
    }

    /// Takes back what the checkpoint says of a segment behind a boundary.
    fn cut(
        &mut self,
        segment: &mut SegmentRecord,
        position: u64,
        offset: Offset,
    ) -> Result<(), OfflineError> {
        if (position, offset) != (segment.end_position, segment.next_offset) {
            segment.truncate(offset, position);
        }
        // A log start behind it holds again once the log reaches it.
        self.state.log_start_offset = self.state.log_start_offset.min(offset);
        self.apply(vec![StateChange::Truncate(offset)])
    }

    /// All segments up to the first that does not follow.
    async fn all(mut self) -> Result<Salvaged, OfflineError> {
        let names = self.names();
        let mut bases: Vec<Offset> = names.iter().map(|name| name.base).collect();
        bases.dedup();
        for (at, &base) in bases.iter().enumerate() {
            let is_first = self.is_new && self.segments.is_empty();
            let is_taken = self.segments.last().is_some_and(|last| last.base_offset == base);
            // One in the place of several stood before it.
            if is_taken || (base < self.end() && !is_first) {
                continue;
            }
            let is_behind_compacted = self.why.is_none() && self.may_skip;
            if base > self.end() && !is_first && !is_behind_compacted {
                break;
            }
            let later = &bases[at + 1..];
            let candidates: Vec<SegmentName> = names.iter().copied().filter(|it| it.base == base).collect();
            let mut name = candidates[0];
            if candidates.len() > 1 || is_first || is_behind_compacted {
                let (chosen, walked) = self.choose(&candidates, later).await?;
                name = chosen;
                let may_miss = is_first || is_behind_compacted;
                let on_disk: Vec<Offset> =
                    later.iter().copied().filter(|base| self.is_on_disk(*base)).collect();
                if may_miss && is_remainder(name, &walked, &on_disk) {
                    self.leave_out(name, &on_disk);
                    continue;
                }
            }
            self.skip_to(base, is_first);
            self.take(name).await?;
            if later.contains(&self.end()) {
                // What follows its last batch is of no segment then.
                self.why = None;
            } else if self.why.is_some() {
                break;
            }
        }
        Ok(self.finish(&names))
    }

    /// The last one that the log has.
    fn term(&self) -> LeaderEpoch {
        self.state.epochs.last().map_or(0, |last| last.leader_epoch)
    }

    fn is_on_disk(&self, base: Offset) -> bool {
        self.on_disk.iter().any(|name| name.base == base)
    }

    /// Tells of a file that is left out before others that are not.
    fn leave_out(&mut self, name: SegmentName, later: &[Offset]) {
        if self.on_disk.contains(&name) {
            let note = format!(
                "{} ends too early, as when retention or compaction removes it: it is left out, and a start removes it, \
                 so copy it first",
                path::log_file(self.directory, name).display()
            );
            let until = later.first().map_or(name.base, |next| *next);
            self.lose(name.base, until, false, note);
        }
    }

    /// Of segments that begin at one offset the first that reaches the next one: compaction removes it only when the one in
    /// its place counts, and shortens it before. Else the one that reaches furthest.
    async fn choose(
        &self,
        candidates: &[SegmentName],
        later: &[Offset],
    ) -> Result<(SegmentName, Walked), OfflineError> {
        let mut best: Option<((bool, Offset), SegmentName, Walked)> = None;
        for &name in candidates {
            let source = Overlaid::open(self.site, self.directory, name, Some(self.journaled)).await?;
            let walked = walk(&source, name, ReadStart::of_segment(name.base), 0, |_| Ok(())).await?;
            if later.contains(&walked.end()) {
                return Ok((name, walked));
            }
            // One that compaction wrote may have been shortened at a batch's end by chance.
            let rank = (connects(name, &walked, later), walked.end());
            if best.as_ref().is_none_or(|(highest, ..)| rank > *highest) {
                best = Some((rank, name, walked));
            }
        }
        let (_, name, walked) = best.expect("a base has a name");
        Ok((name, walked))
    }

    /// Nothing is left of the offsets before this one.
    fn skip_to(&mut self, offset: Offset, is_first: bool) {
        if is_first {
            self.state.log_start_offset = offset;
        }
        if let Some(last) = self.segments.last_mut() {
            last.next_offset = last.next_offset.max(offset);
        }
        self.leave_hole(offset);
    }

    fn leave_hole(&mut self, until: Offset) {
        self.state.log_end_offset = self.state.log_end_offset.max(until);
        self.state.high_watermark = self.state.log_end_offset;
    }

    /// One segment behind the others.
    async fn take(&mut self, name: SegmentName) -> Result<(), OfflineError> {
        let source = Overlaid::open(self.site, self.directory, name, Some(self.journaled)).await?;
        let mut segment = Segment::new(name.base).record();
        segment.generation = name.generation;
        let (start, term) = (ReadStart::of_segment(name.base), self.term());
        let walked = walk(&source, name, start, term, |run| self.note(&mut segment, run)).await?;
        self.push(segment, source, &walked);
        Ok(())
    }

    fn push(&mut self, mut segment: SegmentRecord, source: Overlaid, walked: &Walked) {
        self.why = match &walked.rest {
            Rest::Nothing => None,
            Rest::Part => Some(format!("{} ends inside a batch", source.path.display())),
            Rest::Bad(what) => Some(format!("{}: {what}", source.path.display())),
        };
        if segment.end_position > 0 {
            segment.synced = segment.end_position;
            segment.sealed = true;
            segment.index = SparseIndex::default();
            let (end_position, is_cut) = (segment.end_position, walked.rest != Rest::Nothing);
            let source = source.without_patches_in(&walked.written).closed();
            self.files.push(SalvagedFile { source, end_position, is_cut });
            self.may_skip = segment.generation > 0;
            self.segments.push(segment);
        }
    }

    /// Whole batches that follow in a segment.
    fn note(&mut self, segment: &mut SegmentRecord, run: &Run) -> Result<(), OfflineError> {
        let mut changes = Vec::new();
        for batch in Batches::new(run.batches()).flatten() {
            let header = *batch.batch.header();
            if header.base_offset > segment.next_offset {
                self.apply(std::mem::take(&mut changes))?;
                self.leave_hole(header.base_offset);
                segment.next_offset = header.base_offset;
            }
            segment.note_batch(&NewBatch::of(&header, self.now_ms));
            changes.push(StateChange::Append(header));
        }
        self.apply(changes)
    }

    fn apply(&mut self, changes: Vec<StateChange>) -> Result<(), OfflineError> {
        let id = self.record.id();
        let before = std::mem::take(&mut self.state);
        let record = PartitionRecord::new(id, JournalPosition::default(), before, Vec::new());
        let state = restored_state(Some(&record), &changes, self.now_ms);
        self.state = state.map_err(|why| OfflineError::State { partition: self.site.name(id), why })?;
        Ok(())
    }

    fn finish(mut self, names: &[SegmentName]) -> Salvaged {
        self.tell_left_out(names);
        let Building { record, mut state, segments, files, lost, .. } = self;
        let wanted = record.state.log_start_offset;
        state.log_start_offset =
            wanted.clamp(state.log_start_offset, state.log_end_offset.max(state.log_start_offset));
        let compacted_to = record.compacted_to.min(state.log_end_offset);
        let record = PartitionRecord::new(record.id(), record.as_of(), state, segments)
            .compacted_to(compacted_to)
            .damaged(record.damage);
        Salvaged { record, files, lost }
    }

    /// What is behind the end of the log, by anything that names it.
    fn tell_left_out(&mut self, names: &[SegmentName]) {
        let end = self.end();
        let known = self.record.state.log_end_offset.max(self.journaled.end);
        // One that begins at the end and is no reason for it has space and no records.
        let is_behind = |name: &SegmentName| name.base > end || (name.base == end && self.why.is_some());
        let is_taken = |name: &SegmentName| self.segments.iter().any(|it| it.base_offset == name.base);
        let behind: Vec<SegmentName> =
            names.iter().copied().filter(|name| is_behind(name) && !is_taken(name)).collect();
        let until = behind.last().map_or(known, |last| last.base.max(known));
        if until <= end && self.why.is_none() && behind.is_empty() {
            return;
        }
        let and_more = self.why.is_some() || !behind.is_empty();
        let mut notes: Vec<String> = self.why.take().into_iter().collect();
        let files = behind.iter().filter(|name| self.on_disk.contains(name));
        let files: Vec<PathBuf> = files.map(|name| path::log_file(self.directory, *name)).collect();
        if let (Some(first), Some(last)) = (files.first(), files.last()) {
            notes.push(format!(
                "a start removes the segments' files from {} to {}, so copy them first",
                first.display(),
                last.display()
            ));
        }
        if notes.is_empty() {
            notes.push("neither a segment nor what is left of the journal has them in one piece".to_owned());
        }
        self.lose(end, until, and_more, notes.join("; "));
    }
}
