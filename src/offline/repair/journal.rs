//! Ends a damaged journal before the first group that is not there any more: a start group with a recovery count above
//! all others, after which everything behind it is dead. Partitions whose checkpoint speaks of what is lost are first
//! taken back in a new checkpoint. Where there is no journal to end, a new one is made (`new_journal`).

use std::collections::BTreeSet;
use std::path::Path;

use super::backup;
use super::new_journal::{self, NewJournal};
use super::repair_log;
use super::slots::Slots;
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

/// A repair of a journal that is ready to be made.
pub struct JournalPlan {
    /// What it does and costs.
    pub repair: Repair,
    paths: ShardPaths,
    means: Means,
}

enum Means {
    End(Box<End>),
    New(NewJournal),
    Headers(Slots),
}

/// An end of a journal.
struct End {
    examined: Examined,
    recovery_count: u64,
    /// Whether the records in `examined` are others than in its checkpoint.
    is_taken_back: bool,
}

/// What is wrong with a journal.
enum Damage {
    /// It lacks a group that was durable.
    Group(Box<Examined>),
    /// There is none, or not this shard's.
    Missing(LogError),
}

/// Works out how to repair the journal of `shard`, or of the only one that is damaged. Changes nothing.
pub async fn plan_journal(site: &Site, shard: Option<ShardId>) -> Result<JournalPlan, OfflineError> {
    let mut damaged = Vec::new();
    for (of, paths) in site.shards.iter().filter(|(of, _)| shard.is_none_or(|shard| shard == *of)) {
        match examine(&site.runtime, paths, site.disk_id).await {
            Ok(examined) if examined.damage.is_none() => {}
            Ok(examined) => damaged.push((*of, paths.clone(), Damage::Group(Box::new(examined)))),
            Err(error) if new_journal::is_wanted(&error) => {
                damaged.push((*of, paths.clone(), Damage::Missing(error)));
            }
            Err(error) => return Err(error.into()),
        }
    }
    if damaged.len() > 1 {
        let shards: Vec<String> = damaged.iter().map(|(shard, ..)| format!("--shard {shard}")).collect();
        let what = format!("several journals are damaged: say {}", shards.join(" or "));
        return Err(OfflineError::NothingToRepair(what));
    }
    match damaged.pop() {
        None => Err(OfflineError::NothingToRepair("no journal lacks a group that was durable".to_owned())),
        Some((shard, paths, Damage::Group(examined))) => plan_end(site, shard, paths, *examined).await,
        Some((shard, paths, Damage::Missing(error))) => plan_new(site, shard, paths, &error).await,
    }
}

async fn plan_new(
    site: &Site,
    shard: ShardId,
    paths: ShardPaths,
    error: &LogError,
) -> Result<JournalPlan, OfflineError> {
    let checkpoint = checkpoint::read(&site.runtime, &paths.directory).await?;
    let slots = Slots::look(site, &paths, Some(checkpoint.header.identity)).await?;
    if let Some(slots) = slots.as_ref().filter(|slots| slots.lacks_headers_only()) {
        let repair = Repair {
            kind: "journal headers",
            shard,
            what: format!(
                "write the headers of journal files of shard {shard} in {} again that are damaged, which loses nothing; \
                 `corelane log verify` then says whether anything else is",
                paths.journal_directory.display()
            ),
            lost: Vec::new(),
            backed_up: backup::shard_files(&paths, slots.shape),
            backup: backup::directory(site),
        };
        let slots = slots.clone();
        return Ok(JournalPlan { repair, paths, means: Means::Headers(slots) });
    }
    let (new, lost) = new_journal::plan(site, shard, &paths, slots.as_ref()).await?;
    let cut = new.cut_files().map(Path::to_owned);
    let repair = Repair {
        kind: "new journal",
        shard,
        what: new_journal::describe(shard, &paths, new.shape, error),
        lost,
        backed_up: backup::shard_files(&paths, new.shape).into_iter().chain(cut).collect(),
        backup: backup::directory(site),
    };
    Ok(JournalPlan { repair, paths, means: Means::New(new) })
}

async fn plan_end(
    site: &Site,
    shard: ShardId,
    paths: ShardPaths,
    mut examined: Examined,
) -> Result<JournalPlan, OfflineError> {
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
    // Where nothing is left behind the end, nothing tells what was there.
    let is_old = matches!(examined.damage, Some(LogError::OldJournal { .. }))
        || groups.iter().all(|(header, _)| header.sequence <= link.sequence);
    let mut lost: Vec<Lost> = lost_offsets(&groups, &link)
        .into_iter()
        .map(|(id, offsets)| Lost { partition: site.name(id), offsets, and_more: false, note: None })
        .collect();
    let taken_back = take_back(&mut examined);
    lost.extend(offline_after(site, &examined));
    if is_old {
        lost.extend(unknown_after(site, shard, &examined).await);
    }
    let repair = Repair {
        kind: "journal",
        shard,
        what: match is_old {
            true => format!(
                "end the journal of shard {shard}, which is an older copy or lacks its end, before group {}. Everything that \
                 was acknowledged since that copy, or behind that end, and is in no segment is lost, and nobody knows what \
                 that was",
                link.sequence
            ),
            false => format!(
                "end the journal of shard {shard} before group {}; what that group held besides is not known",
                link.sequence
            ),
        },
        lost,
        backed_up: backup::shard_files(&paths, examined.shape),
        backup: backup::directory(site),
    };
    let is_taken_back = !taken_back.is_empty();
    let means = Means::End(Box::new(End { examined, recovery_count, is_taken_back }));
    Ok(JournalPlan { repair, paths, means })
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

/// What an older copy of a journal does not name: records behind the end of any log, and whole partitions.
async fn unknown_after(site: &Site, shard: ShardId, examined: &Examined) -> Vec<Lost> {
    let mut known = examined.partitions(|_| true);
    let of_no_other = new_journal::younger(site, shard, BTreeSet::new()).await;
    let ids: BTreeSet<PartitionId> = known.keys().copied().chain(of_no_other).collect();
    let unknown = ids.into_iter().map(|id| {
        let end = known.remove(&id).map_or(0, |partition| partition.next_offset());
        let offsets = OffsetRange { from: end, until: end };
        Lost { partition: site.name(id), offsets, and_more: true, note: None }
    });
    unknown.collect()
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
            Lost { partition: site.name(partition.id), offsets, and_more: false, note: Some(note) }
        })
        .collect()
}

impl JournalPlan {
    /// Repairs the journal. Durable when it returns.
    pub async fn carry_out(self, site: &Site, progress: &dyn Progress) -> Result<Repair, OfflineError> {
        let JournalPlan { repair, paths, means } = self;
        backup::copy_all(site, &repair.backed_up, &repair.backup, progress).await?;
        repair_log::note(site, "begun", &repair).await?;
        match means {
            Means::End(end) => end.make(site, &paths).await?,
            Means::New(new) => new.make(site, &paths).await?,
            Means::Headers(slots) => slots.write_headers(site).await?,
        }
        repair_log::note(site, "done", &repair).await?;
        Ok(repair)
    }
}

impl End {
    async fn make(self, site: &Site, paths: &ShardPaths) -> Result<(), OfflineError> {
        let End { examined, recovery_count, is_taken_back } = self;
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
        Ok(())
    }
}
