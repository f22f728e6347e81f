//! One pass of compaction over one partition, in small steps with everything else of the shard in between.

use std::borrow::Cow;
use std::rc::Rc;

use super::compactor_output::OutputFile;
use super::compactor_pace::Pace;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::guard::guarded;
use crate::base::ids::Offset;
use crate::base::limits::{CODEC_STEP_BYTES, COMPACTION_IO_BYTES};
use crate::log::compaction::{Dirt, Group, KeyMap, KeyNotes, Noted, Rebase, Rewrite, Rules, Sift, Sifted};
use crate::log::read::ReadError;
use crate::log::run::{Run, read_run};
use crate::log::segment::index::ReadStart;
use crate::log::segment::{Segment, SegmentLease, SegmentShape};
use crate::protocol::batch::{BatchHeader, BatchView, Batches, Compression};
use crate::protocol::codec::{Packer, Unpacker};
use crate::runtime::File;

/// How a pass has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PassEnd {
    /// All that may be compacted now is.
    Done,
    /// There was no memory for more keys; the next pass goes on.
    MemoryFull,
    /// The log was cut or became shorter at its start meanwhile; the next pass begins again.
    LogChanged,
}

/// Why a pass has ended early. What it had put in place stays.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PassError {
    /// The storage stops, or the partition was deleted.
    #[error("interrupted")]
    Interrupted,
    /// A segment is not as it was written, which was noted.
    #[error("corrupt")]
    Corrupt,
    /// The disk has too little room for what the pass would write (`disk.free.min`).
    #[error("the disk has too little room")]
    NoRoom,
    /// The disk refused to read, to write or to give space.
    #[error("disk: {0}")]
    Disk(String),
}

impl PassError {
    /// The disk's answer, for `map_err`.
    pub(super) fn disk(error: impl std::fmt::Display) -> Self {
        PassError::Disk(error.to_string())
    }
}

/// How far keys were noted.
struct Noting {
    /// Records from this offset on are not noted.
    end: Offset,
    outcome: PassEnd,
}

/// Segments' batches one after the other, as they are on disk.
struct Scan {
    file: Rc<dyn File>,
    segment: SegmentShape,
    from: ReadStart,
    /// Keeps the file as it is.
    _lease: SegmentLease,
}

impl Storage {
    pub(super) async fn compaction_pass(&self, replica: &Rc<Replica>) -> Result<PassEnd, PassError> {
        let dirt = self.dirt(replica);
        let cuts = replica.log.borrow().cuts();
        if dirt.dirty_bytes == 0 {
            return Ok(PassEnd::Done);
        }
        let pace = Pace::begin(self, replica);
        let bytes = KeyMap::bytes_for((dirt.end - dirt.from) as u64, self.cleaner_key_map_bytes());
        let mut keys = KeyMap::new(bytes, (self.runtime.random_u64(), self.runtime.random_u64()));
        self.meters.compaction.key_map_bytes.set(bytes as u64);
        let ended = async {
            let noting = self.note_keys(replica, &dirt, &mut keys, &pace).await?;
            if noting.end == dirt.from {
                return Ok(noting.outcome);
            }
            let last_offsets = replica.state.borrow().producers().last_offsets();
            let rules = Rules {
                keys: &keys,
                end: noting.end,
                now_ms: self.steady_ms(),
                delete_retention_ms: replica.settings().delete_retention_ms,
                last_offsets: &last_offsets,
            };
            self.write_groups(replica, &rules, cuts, &pace).await.map(|all| match all {
                true => noting.outcome,
                false => PassEnd::LogChanged,
            })
        };
        let ended = ended.await;
        self.meters.compaction.key_map_bytes.set(0);
        ended
    }

    /// Notes the keys of dirty records, as many as the map takes.
    async fn note_keys(
        &self,
        replica: &Rc<Replica>,
        dirt: &Dirt,
        keys: &mut KeyMap,
        pace: &Pace<'_>,
    ) -> Result<Noting, PassError> {
        let is_dirty = |segment: &&Segment| segment.next_offset > dirt.from && segment.base_offset < dirt.end;
        let segments: Vec<_> = replica.log.borrow().segments().filter(is_dirty).map(Segment::shape).collect();
        let mut end = dirt.from;
        for segment in segments {
            let Some(mut scan) = self.scan(replica, segment).await? else {
                return Ok(Noting { end: dirt.from, outcome: PassEnd::LogChanged });
            };
            while let Some(run) = self.next_run(&mut scan, pace).await? {
                for batch in Batches::new(run.batches()).flatten() {
                    let header = batch.batch.header();
                    if header.last_offset() < dirt.from {
                        continue;
                    }
                    if header.attributes.is_transactional() || header.attributes.is_control() {
                        return Ok(Noting { end, outcome: PassEnd::Done });
                    }
                    if let Noted::Full(offset) = self.note_batch(&batch.batch, dirt.from, keys, pace).await? {
                        return Ok(Noting { end: offset, outcome: PassEnd::MemoryFull });
                    }
                    end = header.last_offset() + 1;
                }
            }
            end = segment.next_offset;
        }
        Ok(Noting { end, outcome: PassEnd::Done })
    }

    /// Of records that cannot be read no keys are noted: these stay, and earlier ones with their keys as well.
    async fn note_batch(
        &self,
        batch: &BatchView<'_>,
        from: Offset,
        keys: &mut KeyMap,
        pace: &Pace<'_>,
    ) -> Result<Noted, PassError> {
        let Some(records) = self.unpacked(batch, pace).await? else { return Ok(Noted::All) };
        let mut notes = KeyNotes::new(batch.header(), &records);
        loop {
            match notes.step(keys, from, CODEC_STEP_BYTES) {
                Ok(Noted::Some) => pace.worked(CODEC_STEP_BYTES).await?,
                Ok(noted) => {
                    pace.worked(records.len() % CODEC_STEP_BYTES).await?;
                    return Ok(noted);
                }
                Err(_) => return Ok(Noted::All),
            }
        }
    }

    /// Writes what stays of all segments that have keys noted; whether all went well.
    async fn write_groups(
        &self,
        replica: &Rc<Replica>,
        rules: &Rules<'_>,
        cuts: u64,
        pace: &Pace<'_>,
    ) -> Result<bool, PassError> {
        let segment_bytes = replica.settings().segment_bytes.into();
        let groups = replica.log.borrow().compaction_groups(rules.end, segment_bytes);
        for group in groups {
            let Some(mut output) = self.begin_output(replica, &group).await? else { return Ok(false) };
            let written = self.write_group(replica, &group, rules, &mut output, pace).await;
            let is_changed = output.is_changed || group.inputs.len() > 1;
            let in_place = match written {
                Ok(true) if is_changed => match self.complete_output(replica, output, &group, pace).await {
                    Ok(segment) => self.put_in_place(replica, &group, cuts, segment).await,
                    Err(error) => Err(error),
                },
                // Nothing of it would be different.
                Ok(true) => {
                    self.remove_output(replica, &group).await;
                    continue;
                }
                other => other,
            };
            if in_place != Ok(true) {
                self.remove_output(replica, &group).await;
                return in_place;
            }
            self.meters.compaction.replaced_segments.add(group.inputs.len() as u64);
        }
        let mut log = replica.log.borrow_mut();
        let is_same = log.cuts() == cuts;
        if is_same {
            log.set_compacted_to(rules.end);
        }
        Ok(is_same)
    }

    /// Writes what stays of a group; `false` if one of its segments is gone.
    async fn write_group(
        &self,
        replica: &Rc<Replica>,
        group: &Group,
        rules: &Rules<'_>,
        output: &mut OutputFile,
        pace: &Pace<'_>,
    ) -> Result<bool, PassError> {
        for segment in &group.inputs {
            let Some(mut scan) = self.scan(replica, *segment).await? else { return Ok(false) };
            while let Some(run) = self.next_run(&mut scan, pace).await? {
                for batch in Batches::new(run.batches()).flatten() {
                    self.write_batch(&batch.batch, rules, output, pace).await?;
                }
            }
        }
        Ok(true)
    }

    /// Writes what stays of a batch. One whose records cannot be read stays as it is.
    async fn write_batch(
        &self,
        batch: &BatchView<'_>,
        rules: &Rules<'_>,
        output: &mut OutputFile,
        pace: &Pace<'_>,
    ) -> Result<(), PassError> {
        let header = batch.header();
        let sifted = match rules.leave(header) {
            true => Sifted::Keep,
            false => self.sifted(batch, rules, pace).await?,
        };
        let meters = &self.meters.compaction;
        match sifted {
            Sifted::Keep => return output.push(header, &[batch.bytes()], pace).await,
            Sifted::Drop => {
                output.is_changed = true;
                meters.removed_records.add(header.record_count.max(0) as u64);
            }
            Sifted::Empty(empty) => {
                output.is_changed = true;
                meters.removed_records.add(header.record_count.max(0) as u64);
                output.push(&empty, &[&empty.encode()], pace).await?;
            }
            Sifted::Rewrite(rewrite) => match self.packed(rewrite, batch.bytes().len(), pace).await? {
                None => output.push(header, &[batch.bytes()], pace).await?,
                Some((kept, records)) => {
                    output.is_changed = true;
                    meters.removed_records.add((header.record_count - kept.record_count).max(0) as u64);
                    output.push(&kept, &[&kept.encode(), &records], pace).await?;
                }
            },
        }
        Ok(())
    }

    async fn sifted(
        &self,
        batch: &BatchView<'_>,
        rules: &Rules<'_>,
        pace: &Pace<'_>,
    ) -> Result<Sifted, PassError> {
        let Some(records) = self.unpacked(batch, pace).await? else { return Ok(Sifted::Keep) };
        let mut sift = Sift::new(batch.header(), &records, rules);
        loop {
            match sift.step(CODEC_STEP_BYTES) {
                Ok(true) => pace.worked(CODEC_STEP_BYTES).await?,
                Ok(false) => break,
                Err(_) => return Ok(Sifted::Keep),
            }
        }
        pace.worked(records.len() % CODEC_STEP_BYTES).await?;
        Ok(sift.finish())
    }

    /// A batch's records; `None` if they cannot be unpacked, or come to more than may be.
    async fn unpacked<'a>(
        &self,
        batch: &BatchView<'a>,
        pace: &Pace<'_>,
    ) -> Result<Option<Cow<'a, [u8]>>, PassError> {
        let bytes_max = self.config.compaction.batch_bytes_max;
        let codec = match batch.header().attributes.compression() {
            Ok(Compression::None) if batch.records().len() <= bytes_max => {
                return Ok(Some(Cow::Borrowed(batch.records())));
            }
            Ok(Compression::None) | Err(_) => return Ok(None),
            Ok(codec) => codec,
        };
        // The bytes are a client's, and decoders are intricate.
        let Some(Ok(mut unpacker)) = guarded(|| Unpacker::new(codec, batch.records(), bytes_max)) else {
            return Ok(None);
        };
        loop {
            match guarded(|| unpacker.step()) {
                Some(Ok(true)) => pace.worked(CODEC_STEP_BYTES).await?,
                Some(Ok(false)) => return Ok(Some(Cow::Owned(unpacker.into_unpacked()))),
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }

    /// The batch's header and records as they are stored, `None` if they do not become about as short as they were.
    async fn packed(
        &self,
        rewrite: Rewrite,
        batch_bytes: usize,
        pace: &Pace<'_>,
    ) -> Result<Option<(BatchHeader, Vec<u8>)>, PassError> {
        let Rewrite { header, records, shift } = rewrite;
        let records = match shift {
            None => records,
            Some(shift) => {
                let mut rebase = Rebase::new(&header, &records, shift);
                while rebase.step(CODEC_STEP_BYTES).expect("sifting has met all of them") {
                    pace.worked(CODEC_STEP_BYTES).await?;
                }
                rebase.finish()
            }
        };
        let codec = header.attributes.compression().expect("its records were unpacked");
        let records = match codec {
            Compression::None => records,
            codec => {
                // Fewer records, perhaps packed at a lower level.
                let bytes_max = 2 * batch_bytes + CODEC_STEP_BYTES;
                let Ok(mut packer) = Packer::new(codec, records.len(), Vec::new(), bytes_max) else {
                    return Ok(None);
                };
                for piece in records.chunks(CODEC_STEP_BYTES) {
                    if packer.step(piece).is_err() {
                        return Ok(None);
                    }
                    pace.worked(piece.len()).await?;
                }
                let Ok(packed) = packer.finish() else { return Ok(None) };
                packed
            }
        };
        let header = header.with_records_of(records.len()).with_crc_over(&records);
        Ok(Some((header, records)))
    }

    /// `None` if the segment is no longer in the log.
    async fn scan(&self, replica: &Rc<Replica>, segment: SegmentShape) -> Result<Option<Scan>, PassError> {
        let lease = {
            let mut log = replica.log.borrow_mut();
            let found = log.segment_mut(segment.name.base).filter(|found| found.shape() == segment);
            let Some(found) = found else { return Ok(None) };
            found.lease.clone()
        };
        let file = self.segment_reader(replica, segment.name).await;
        let file = file.map_err(PassError::disk)?;
        Ok(Some(Scan { file, segment, from: ReadStart::of_segment(segment.name.base), _lease: lease }))
    }

    async fn next_run(&self, scan: &mut Scan, pace: &Pace<'_>) -> Result<Option<Run>, PassError> {
        let (segment, from) = (&scan.segment, scan.from);
        if from.position >= segment.end_position {
            return Ok(None);
        }
        let run = read_run(&*scan.file, segment, from, segment.end_position, COMPACTION_IO_BYTES).await;
        let corrupt = |what: &str| {
            self.meters.corrupt_reads.increment();
            self.note_corruption(pace.replica, segment.name.base, from.offset.value(), what);
            PassError::Corrupt
        };
        let run = match run {
            Ok(Some(run)) => run,
            Ok(None) => return Err(corrupt("it ends amid a batch")),
            Err(error @ ReadError::Corrupt { .. }) => return Err(corrupt(&error.to_string())),
            Err(error @ ReadError::Io { .. }) => return Err(PassError::disk(error)),
        };
        scan.from = run.behind();
        self.meters.compaction.read_bytes.add(run.length() as u64);
        pace.moved(run.length() as u64).await?;
        Ok(Some(run))
    }
}
