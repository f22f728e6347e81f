//! Ends a damaged journal before the first group that is not there any more: a start group with a recovery count above
//! all others, after which everything behind it is dead. Partitions whose checkpoint speaks of what is lost are first
//! taken back in a new checkpoint.

use super::backup;
use super::repair_log;
use super::{Lost, Repair};
use crate::base::ids::{PartitionId, ShardId};
use crate::log::LogError;
use crate::log::checkpoint::{self, BodyBuilder, CheckpointHeader, PartitionRecord};
use crate::log::journal::files;
use crate::log::journal::reader::{self, JournalFiles};
use crate::log::journal::writer::JournalPosition;
use crate::log::recovery::{Examined, ShardPaths, examine, note_recovery};
use crate::offline::damage::lost_offsets;
use crate::offline::error::OfflineError;
use crate::offline::finding::OffsetRange;
use crate::offline::progress::Progress;
use crate::offline::site::Site;

/// An end of a journal that is ready to be made.
pub struct JournalPlan {
    /// What it does and costs.
    pub repair: Repair,
    /// The group that is missing, with which the lost part begins.
    pub sequence: u64,
    paths: ShardPaths,
    examined: Examined,
    recovery_count: u64,
    /// Whether the records in `examined` are others than in its checkpoint.
    is_taken_back: bool,
}

/// Works out how to end the journal of `shard`, or of the only one that is damaged. Changes nothing.
pub async fn plan_journal(site: &Site, shard: Option<ShardId>) -> Result<JournalPlan, OfflineError> {
    let mut damaged = Vec::new();
    for (of, paths) in site.shards.iter().filter(|(of, _)| shard.is_none_or(|shard| shard == *of)) {
        let examined = examine(&site.runtime, paths, site.disk_id).await?;
        if examined.damage.is_some() {
            damaged.push((*of, paths.clone(), examined));
        }
    }
    if damaged.len() > 1 {
        let shards: Vec<String> = damaged.iter().map(|(shard, ..)| format!("--shard {shard}")).collect();
        let what = format!("several journals are damaged: say {}", shards.join(" or "));
        return Err(OfflineError::NothingToRepair(what));
    }
    let Some((shard, paths, mut examined)) = damaged.pop() else {
        return Err(OfflineError::NothingToRepair("no journal lacks a group that was durable".to_owned()));
    };
    let link = examined.live.end().link;
    let groups = reader::all_groups(&JournalFiles {
        directory: &paths.journal_directory,
        files: &examined.files,
        shape: examined.shape,
        identity: examined.identity(),
    })
    .await?;
    let counts = groups.iter().map(|(header, _)| header.recovery_count);
    let recovery_count = counts.fold(link.recovery_count.max(examined.recoveries), u64::max) + 1;
    let mut lost: Vec<Lost> = lost_offsets(&groups, &link)
        .into_iter()
        .map(|(id, offsets)| Lost { partition: site.name(id), offsets, note: None })
        .collect();
    let taken_back = take_back(&mut examined);
    lost.extend(offline_after(site, &examined));
    let repair = Repair {
        kind: "journal",
        shard,
        what: format!(
            "end the journal of shard {shard} before group {}; what that group held besides is not known",
            link.sequence
        ),
        lost,
        backed_up: backup::shard_files(&paths, examined.shape),
        backup: backup::directory(site),
    };
    let is_taken_back = !taken_back.is_empty();
    Ok(JournalPlan { repair, sequence: link.sequence, paths, examined, recovery_count, is_taken_back })
}

/// Has records of a later moment than the journal's end speak of its end: the sequences behind it will be those of other
/// groups.
fn take_back(examined: &mut Examined) -> Vec<PartitionId> {
    let end = examined.live.end().link.sequence;
    let mut taken_back = Vec::new();
    for record in examined.records.iter_mut().filter(|record| record.as_of().reflected_through() >= end) {
        let at_end = JournalPosition { sequence: end, entries: 0 };
        let (state, segments) = (record.state.clone(), record.segments.clone());
        let damage = record.damage.take();
        *record = PartitionRecord::new(record.id(), at_end, state, segments).damaged(damage);
        taken_back.push(record.id());
    }
    taken_back
}

/// Partitions whose checkpoint promises bytes that only the lost groups had.
fn offline_after(site: &Site, examined: &Examined) -> Vec<Lost> {
    let partitions = examined.partitions(|_| true);
    let damaged = partitions.values().filter_map(|it| Some((it, it.damage.as_ref()?)));
    damaged
        .map(|(partition, damage)| {
            let end = partition.next_offset();
            let from = match damage {
                LogError::DamagedPartition { offset, .. } => (*offset).min(end),
                _ => end,
            };
            let note = format!("goes offline until it is cut with --truncate-at: {damage}");
            let offsets = OffsetRange { from, until: end };
            Lost { partition: site.name(partition.id), offsets, note: Some(note) }
        })
        .collect()
}

impl JournalPlan {
    /// Ends the journal. Durable when it returns.
    pub async fn carry_out(self, site: &Site, progress: &dyn Progress) -> Result<Repair, OfflineError> {
        let JournalPlan { repair, paths, examined, recovery_count, is_taken_back, .. } = self;
        backup::copy_all(site, &repair.backed_up, &repair.backup, progress).await?;
        repair_log::note(site, "begun", &repair).await?;
        let (identity, checkpoint) = (examined.identity(), examined.checkpoint);
        if is_taken_back {
            // The journal is as damaged as before: nothing starts on this.
            let header = CheckpointHeader { generation: checkpoint.generation + 1, ..checkpoint };
            let mut body = BodyBuilder::default();
            examined.records.iter().for_each(|record| body.push(record));
            checkpoint::write(&site.runtime, &paths.directory, &header, body).await?;
        }
        let (files, shape) = files::open(&site.runtime, &paths.journal_directory, identity).await?;
        let journal = JournalFiles { directory: &paths.journal_directory, files: &files, shape, identity };
        examined.live.begin_count(&journal, recovery_count).await?;
        note_recovery(&site.runtime, &paths.directory, identity.journal_id, recovery_count).await?;
        repair_log::note(site, "done", &repair).await?;
        Ok(repair)
    }
}
