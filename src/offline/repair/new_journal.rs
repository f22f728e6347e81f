//! A new, empty journal in the place of one that is gone or belongs elsewhere. The checkpoint that names it is what makes
//! it count: until then everything starts as little as before, and the repair can be made again.

use std::collections::BTreeSet;
use std::path::Path;

use super::Lost;
use super::journaled::{JournalContents, contents_of};
use super::salvage::{Salvaged, SalvagedFile, salvage, salvage_behind};
use super::slots::Slots;
use crate::base::ids::{PartitionId, ShardId};
use crate::base::limits::{BLOCK_BYTES, JOURNAL_FILE_BYTES, JOURNAL_FILES_MIN};
use crate::config::units::format_size;
use crate::log::LogError;
use crate::log::checkpoint::{self, BodyBuilder, Checkpoint, CheckpointHeader, PartitionRecord};
use crate::log::journal::file_header::{self, JournalIdentity};
use crate::log::journal::files;
use crate::log::journal::ring::{FileStart, RingShape};
use crate::log::journal::writer::JournalPosition;
use crate::log::recovery::{ShardPaths, examine, note_recovery};
use crate::offline::error::OfflineError;
use crate::offline::finding::OffsetRange;
use crate::offline::site::Site;
use crate::runtime::OpenMode;

/// A journal that is ready to be made.
pub(super) struct NewJournal {
    pub(super) checkpoint: Checkpoint,
    pub(super) shape: RingShape,
    /// The segments that must hold what the checkpoint says of them.
    pub(super) files: Vec<SalvagedFile>,
}

/// Whether a start is refused for want of the journal, and not of the checkpoints.
pub(super) fn is_wanted(error: &LogError) -> bool {
    matches!(error, LogError::MissingJournal { .. } | LogError::ForeignJournal { .. })
}

/// What the journal is made from, and what is known to be lost. What checkpoint and complete segments say stays; behind
/// these, logs go on as far as their segments' files and what is left of the old journal do.
pub(super) async fn plan(
    site: &Site,
    shard: ShardId,
    paths: &ShardPaths,
    slots: Option<&Slots>,
) -> Result<(NewJournal, Vec<Lost>), OfflineError> {
    let mut checkpoint = checkpoint::read(&site.runtime, &paths.directory).await?;
    if checkpoint.header.identity.disk_id != site.disk_id {
        return Err(LogError::ForeignCheckpoint { path: paths.directory.clone() }.into());
    }
    let contents = contents_of(slots).await?;
    let (mut files, mut lost) = (Vec::new(), Vec::new());
    for record in &mut checkpoint.partitions {
        let id = record.id();
        let Some(directory) = site.directory(id) else { continue };
        let salvaged = salvage_behind(site, record, directory, contents.of(id)).await?;
        lost.extend(unknown_behind(site, id, Some(&salvaged), &contents));
        *record = salvaged.record;
        files.extend(salvaged.files);
        lost.extend(salvaged.lost);
    }
    let known = checkpoint.partitions.iter().map(PartitionRecord::id).collect();
    for id in younger(site, shard, known).await {
        let Some(directory) = site.directory(id) else { continue };
        let salvaged = salvage(site, id, directory, contents.of(id)).await?;
        lost.extend(unknown_behind(site, id, salvaged.as_ref(), &contents));
        let Some(salvaged) = salvaged else { continue };
        checkpoint.partitions.push(salvaged.record);
        files.extend(salvaged.files);
        lost.extend(salvaged.lost);
    }
    let shape = match slots {
        Some(slots) => slots.shape,
        None => shape_of(site, paths).await?,
    };
    Ok((NewJournal { checkpoint, shape, files }, lost))
}

/// What groups held of a partition that are missing, if any are: nobody knows what.
pub(super) fn unknown_behind(
    site: &Site,
    id: PartitionId,
    salvaged: Option<&Salvaged>,
    contents: &JournalContents,
) -> Option<Lost> {
    if !contents.lacks_groups || salvaged.is_some_and(|it| it.lost.iter().any(|lost| lost.and_more)) {
        return None;
    }
    let end = salvaged.map_or(0, |salvaged| salvaged.record.state.log_end_offset);
    let note = Some(
        "if what is missing of the journal held any; if it held a cut, what was cut off is back in the place of what followed"
            .to_owned(),
    );
    Some(Lost {
        partition: site.name(id),
        offsets: OffsetRange { from: end, until: end },
        and_more: true,
        note,
    })
}

/// Partitions that have a directory, and of which no checkpoint and no other shard's journal speaks. Where another shard
/// cannot be read either, nobody knows of which of the two they are: the one that is repaired first takes them, and a start
/// puts them where they belong.
pub(super) async fn younger(
    site: &Site,
    shard: ShardId,
    mut known: BTreeSet<PartitionId>,
) -> Vec<PartitionId> {
    for (of, paths) in site.shards.iter().filter(|(of, _)| *of != shard) {
        match examine(&site.runtime, paths, site.disk_id).await {
            Ok(examined) => known.extend(examined.partitions(|_| true).into_keys()),
            Err(error) => {
                tracing::debug!(shard = %of, %error, "what its journal knows of partitions cannot be asked");
                if let Ok(checkpoint) = checkpoint::read(&site.runtime, &paths.directory).await {
                    known.extend(checkpoint.partitions.iter().map(PartitionRecord::id));
                }
            }
        }
    }
    site.partitions().filter(|id| !known.contains(id)).collect()
}

/// The plan in a sentence.
pub(super) fn describe(shard: ShardId, paths: &ShardPaths, shape: RingShape, why: &LogError) -> String {
    format!(
        "make a new, empty journal of {} for shard {shard} in {}, with which every record goes that neither a segment nor \
         what is left of the old journal holds. What came after the last checkpoint and is in neither is \
         not known. Because: {why}. If the journals are elsewhere, say no, and pass --journal-dir",
        format_size(shape.file_count * shape.file_bytes),
        paths.journal_directory.display()
    )
}

/// The shape that the journal had, if a file of it or of another shard's tells; else that of the length that was asked
/// for, or the usual one.
pub(super) async fn shape_of(site: &Site, paths: &ShardPaths) -> Result<RingShape, OfflineError> {
    let others = site.shards.iter().map(|(_, paths)| paths);
    for paths in std::iter::once(paths).chain(others) {
        for slot in 0..JOURNAL_FILES_MIN {
            let path = files::path(&paths.journal_directory, slot);
            let Ok(file) = site.runtime.open(&path, OpenMode::Read).await else { continue };
            let block = file.read_at(0, BLOCK_BYTES).await.map_err(LogError::io(&path))?;
            let header = file_header::decode(block.as_slice());
            let header = header.filter(|it| it.shape.is_workable() && it.identity.disk_id == site.disk_id);
            if let Some(header) = header {
                return Ok(header.shape);
            }
        }
    }
    Ok(RingShape::of_bytes(site.journal_bytes.unwrap_or(JOURNAL_FILES_MIN * JOURNAL_FILE_BYTES)))
}

impl NewJournal {
    /// Segments of which bytes are cut away.
    pub(super) fn cut_files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().filter(|file| file.is_cut).map(SalvagedFile::path)
    }

    /// Makes the journal and has it count. Durable when it returns.
    pub(super) async fn make(self, site: &Site, paths: &ShardPaths) -> Result<(), OfflineError> {
        let (runtime, NewJournal { checkpoint, shape, files: salvaged }) = (&site.runtime, self);
        // Before anything of the old journal goes.
        for file in &salvaged {
            file.make(site).await?;
        }
        let mut journal_id = [0; 16];
        journal_id[..8].copy_from_slice(&runtime.random_u64().to_le_bytes());
        journal_id[8..].copy_from_slice(&runtime.random_u64().to_le_bytes());
        let identity = JournalIdentity { journal_id, disk_id: site.disk_id };
        let directory = &paths.journal_directory;
        runtime.create_dir(directory).await.map_err(LogError::io(directory))?;
        files::create(runtime, directory, identity, shape).await?;
        // The journals' directory may be as new as the journal: shard, layout, and where they are.
        for parent in directory.ancestors().skip(1).take(3) {
            runtime.sync_dir(parent).await.map_err(LogError::io(parent))?;
        }
        note_recovery(runtime, &paths.directory, journal_id, 0).await?;
        // Both of the two: what was there before is of another journal, or cannot be read.
        for generation in [1, 2].map(|it| checkpoint.header.generation + it) {
            let header = CheckpointHeader { generation, identity, start: FileStart::FIRST };
            let mut body = BodyBuilder::default();
            checkpoint.partitions.iter().for_each(|record| body.push(&at_start(record)));
            checkpoint::write(runtime, &paths.directory, &header, body).await?;
        }
        Ok(())
    }
}

/// The record as of the beginning of a journal.
fn at_start(record: &PartitionRecord) -> PartitionRecord {
    let start = JournalPosition { sequence: FileStart::FIRST.link.sequence, entries: 0 };
    PartitionRecord::new(record.id(), start, record.state.clone(), record.segments.clone())
        .compacted_to(record.compacted_to)
        .damaged(record.damage.clone())
}
