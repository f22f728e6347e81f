//! Cuts one partition's log, as the journal's truncate entries do in a running broker: the entry, written behind the
//! journal's end, is what makes it count. A partition that the journal cannot be replayed for gets a record in a new
//! checkpoint besides, which says that everything before the cut is in it.

use std::rc::Rc;

use bytes::Bytes;

use super::backup;
use super::boundary::{self, Cut};
use super::repair_log;
use super::{Lost, Repair};
use crate::base::ids::{Offset, PartitionId, ShardId};
use crate::base::limits::BLOCK_BYTES;
use crate::log::LogError;
use crate::log::checkpoint::{self, BodyBuilder, CheckpointHeader, PartitionRecord};
use crate::log::journal::entry::{Entry, EntryKind};
use crate::log::journal::files;
use crate::log::journal::reader::JournalFiles;
use crate::log::journal::writer::{Journal, JournalPosition};
use crate::log::recovery::{Examined, ExaminedPartition, ShardPaths, examine};
use crate::log::segment::path;
use crate::offline::error::OfflineError;
use crate::offline::finding::OffsetRange;
use crate::offline::progress::Progress;
use crate::offline::site::Site;
use crate::shard::restored_state;

/// A cut that is ready to be made.
pub struct TruncatePlan {
    /// What it does and costs.
    pub repair: Repair,
    /// The log's new end: where a batch begins, at or before the offset that was asked for.
    pub offset: Offset,
    paths: ShardPaths,
    examined: Examined,
    entry: Entry,
    kept_block: Bytes,
    /// For a partition that cannot be replayed otherwise.
    record: Option<PartitionRecord>,
}

/// Works out how to cut a partition's log at `offset`. Changes nothing.
pub async fn plan_truncate(
    site: &Site,
    id: PartitionId,
    offset: Offset,
) -> Result<TruncatePlan, OfflineError> {
    let name = site.name(id);
    let refused = |why: String| OfflineError::CannotCut { partition: name.clone(), offset, why };
    let (shard, paths, examined, partition) = find_partition(site, id).await?;
    if let Some(LogError::CorruptJournal { sequence, .. } | LogError::OldJournal { sequence, .. }) =
        examined.damage
    {
        return Err(OfflineError::JournalBroken { shard, sequence });
    }
    let (log_start, log_end) = (partition.log_start(), known_end(&examined, &partition));
    if offset < log_start {
        return Err(refused(format!("the log starts at {log_start}; delete the topic instead")));
    }
    if offset >= log_end && partition.damage.is_none() {
        return Err(OfflineError::NothingToRepair(format!("{name} ends at {log_end} already")));
    }
    let directory = site.directory(id).ok_or_else(|| OfflineError::UnknownPartition(name.clone()))?;
    let offset = offset.min(partition.next_offset());
    let cut = boundary::find(site, &partition, directory, offset).await?;
    let cut = cut.ok_or_else(|| refused("no segment holds it".to_owned()))?;
    if cut.offset < log_start {
        return Err(refused(format!(
            "the last batch boundary before it, {}, is below the log start {log_start}",
            cut.offset
        )));
    }
    let kept_block = boundary::kept_block(site, &partition, directory, cut).await?;
    let entry = entry_of(id, &partition, cut);
    let record = match &partition.damage {
        Some(_) => Some(record_of(&examined, &name, &entry, &kept_block)?),
        None => None,
    };
    let repair = describe(site, shard, &paths, &examined, &partition, cut, log_end);
    Ok(TruncatePlan { repair, offset: cut.offset, paths, examined, entry, kept_block, record })
}

/// The partition and the shard in whose files it is.
async fn find_partition(
    site: &Site,
    id: PartitionId,
) -> Result<(ShardId, ShardPaths, Examined, ExaminedPartition), OfflineError> {
    for (shard, paths) in &site.shards {
        let examined = examine(&site.runtime, paths, site.disk_id).await?;
        if let Some(partition) = examined.partitions(|known| known == id).remove(&id) {
            return Ok((*shard, paths.clone(), examined, partition));
        }
    }
    Err(OfflineError::NothingToRepair(format!("{} holds no records", site.name(id))))
}

/// Where the log ended, as far as checkpoint and journal tell: also what cannot be replayed.
fn known_end(examined: &Examined, partition: &ExaminedPartition) -> Offset {
    let recorded = partition.record.as_ref().map_or(0, |record| record.state.log_end_offset);
    let entries = examined.groups().iter().flat_map(|group| &group.entries).map(|(entry, _)| entry);
    let end =
        entries.filter(|entry| entry.partition == partition.id).fold(recorded, |end, entry| {
            match entry.kind {
                EntryKind::Truncate => entry.base_offset,
                EntryKind::LogStart => end,
                _ => end.max(entry.last_offset + 1),
            }
        });
    end.max(partition.next_offset())
}

fn entry_of(id: PartitionId, partition: &ExaminedPartition, cut: Cut) -> Entry {
    let epochs = partition.record.as_ref().map(|record| &record.state.epochs);
    Entry {
        kind: EntryKind::Truncate,
        partition: id,
        // Replay does not look at it: the terms that stay are those of the records that do.
        leader_epoch: epochs.and_then(|epochs| epochs.last()).map_or(0, |epoch| epoch.leader_epoch),
        base_offset: cut.offset,
        last_offset: cut.offset - 1,
        segment_base: cut.segment_base,
        position: cut.position,
        first_batch_position: cut.position,
    }
}

/// The start group takes the next sequence, and the cut comes behind it.
fn moment_of_cut(examined: &Examined) -> JournalPosition {
    JournalPosition { sequence: examined.live.end().link.sequence + 1, entries: 0 }
}

fn record_of(
    examined: &Examined,
    name: &str,
    entry: &Entry,
    kept_block: &Bytes,
) -> Result<PartitionRecord, OfflineError> {
    let state = |record: Option<&PartitionRecord>, changes: &[_]| {
        restored_state(record, changes, 0)
            .map_err(|why| OfflineError::State { partition: name.to_owned(), why })
    };
    let made = examined.record_of_cut(moment_of_cut(examined), entry, kept_block, state);
    made.map_err(|error| match error {
        OfflineError::Log(LogError::DamagedPartition { offset, what, .. }) => OfflineError::CannotCut {
            partition: name.to_owned(),
            offset: entry.base_offset,
            why: format!("not all before it is there: {what}; cut at {offset} or before"),
        },
        error => error,
    })
}

fn describe(
    site: &Site,
    shard: ShardId,
    paths: &ShardPaths,
    examined: &Examined,
    partition: &ExaminedPartition,
    cut: Cut,
    log_end: Offset,
) -> Repair {
    let name = site.name(partition.id);
    let mut files = backup::shard_files(paths, examined.shape);
    if let Some(directory) = site.directory(partition.id) {
        let names = partition.segments.iter().map(|(segment, _)| segment.name());
        for name in names.filter(|name| name.base >= cut.segment_base) {
            files.extend([
                path::log_file(directory, name),
                path::index_file(directory, name),
                path::time_index_file(directory, name),
            ]);
        }
    }
    let note = partition.damage.as_ref().map(|damage| format!("it was offline: {damage}"));
    let until = log_end.max(cut.offset);
    Repair {
        kind: "truncate",
        shard,
        what: format!("cut {name} so that it ends at offset {}", cut.offset),
        lost: vec![Lost {
            partition: name,
            offsets: OffsetRange { from: cut.offset, until },
            and_more: false,
            note,
        }],
        backed_up: files,
        backup: backup::directory(site),
    }
}

impl TruncatePlan {
    /// Makes the cut. Durable when it returns.
    pub async fn carry_out(self, site: &Site, progress: &dyn Progress) -> Result<Repair, OfflineError> {
        let TruncatePlan { repair, paths, examined, entry, kept_block, record, .. } = self;
        backup::copy_all(site, &repair.backed_up, &repair.backup, progress).await?;
        repair_log::note(site, "begun", &repair).await?;
        let moment = moment_of_cut(&examined);
        let (identity, generation, start) =
            (examined.identity(), examined.checkpoint.generation, examined.checkpoint.start);
        let records = examined.records;
        let (files, shape) = files::open(&site.runtime, &paths.journal_directory, identity).await?;
        let journal = JournalFiles { directory: &paths.journal_directory, files: &files, shape, identity };
        let (begun, _) = examined.live.begin(&journal).await?;
        let journal = Journal::new(Rc::clone(&site.runtime), files.clone(), begun, 2 * BLOCK_BYTES);
        if !journal.has_reserve(kept_block.len()) {
            return Err(LogError::JournalFull { path: paths.journal_directory }.into());
        }
        let sequence = journal.append(&entry, &[&kept_block]);
        assert_eq!(sequence, moment.sequence, "the cut comes right behind the start group");
        let durable = journal.wait_durable(sequence).await;
        durable.map_err(|reason| LogError::OutOfService(reason.to_string()))?;
        if let Some(record) = record {
            let header = CheckpointHeader { generation: generation + 1, identity, start };
            let body = body_with(records, record);
            checkpoint::write(&site.runtime, &paths.directory, &header, body).await?;
        }
        repair_log::note(site, "done", &repair).await?;
        Ok(repair)
    }
}

fn body_with(records: Vec<PartitionRecord>, changed: PartitionRecord) -> BodyBuilder {
    let mut body = BodyBuilder::default();
    records.iter().filter(|record| record.id() != changed.id()).for_each(|record| body.push(record));
    body.push(&changed);
    body
}
