//! Makes the checkpoint of a shard anew, of which both have rotted: from the segments' files and what can be read of the
//! journal, which is replaced by an empty one (`new_journal`).

use std::collections::BTreeSet;
use std::path::Path;

use super::Repair;
use super::backup;
use super::journaled::contents_of;
use super::new_journal::{self, NewJournal};
use super::repair_log;
use super::salvage::salvage;
use super::slots::Slots;
use crate::base::ids::ShardId;
use crate::log::LogError;
use crate::log::checkpoint::{Checkpoint, CheckpointHeader};
use crate::log::journal::file_header::JournalIdentity;
use crate::log::journal::ring::FileStart;
use crate::log::recovery::{ShardPaths, examine};
use crate::offline::error::OfflineError;
use crate::offline::progress::Progress;
use crate::offline::site::Site;

/// A checkpoint that is ready to be made.
pub struct CheckpointPlan {
    /// What it does and costs.
    pub repair: Repair,
    paths: ShardPaths,
    new: NewJournal,
}

/// Works out how to make the checkpoint of `shard` anew, or of the only one that has none. Changes nothing.
pub async fn plan_checkpoint(site: &Site, shard: Option<ShardId>) -> Result<CheckpointPlan, OfflineError> {
    let (mut without, mut known) = (Vec::new(), BTreeSet::new());
    for (of, paths) in &site.shards {
        match examine(&site.runtime, paths, site.disk_id).await {
            Ok(examined) => known.extend(examined.partitions(|_| true).into_keys()),
            Err(LogError::NoCheckpoint { .. }) => without.push((*of, paths.clone())),
            Err(error) => return Err(error.into()),
        }
    }
    let is_last = without.len() == 1;
    without.retain(|(of, _)| shard.is_none_or(|shard| shard == *of));
    if without.len() > 1 {
        let shards: Vec<String> = without.iter().map(|(shard, _)| format!("--shard {shard}")).collect();
        let what = format!("several shards have no checkpoint: say {}", shards.join(" or "));
        return Err(OfflineError::NothingToRepair(what));
    }
    let Some((shard, paths)) = without.pop() else {
        return Err(OfflineError::NothingToRepair("a checkpoint can be read".to_owned()));
    };
    let slots = Slots::look(site, &paths, None).await?;
    let contents = contents_of(slots.as_ref()).await?;
    // Those of which no journal speaks are dealt to the shard that is repaired last; a start puts them where they belong.
    let ids = site.partitions().filter(|id| !known.contains(id) && (is_last || contents.names(*id)));
    let (mut partitions, mut files, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for id in ids {
        let Some(directory) = site.directory(id) else { continue };
        let salvaged = salvage(site, id, directory, contents.of(id)).await?;
        lost.extend(new_journal::unknown_behind(site, id, salvaged.as_ref(), &contents));
        let Some(salvaged) = salvaged else { continue };
        partitions.push(salvaged.record);
        files.extend(salvaged.files);
        lost.extend(salvaged.lost);
    }
    let shape = match &slots {
        Some(slots) => slots.shape,
        None => new_journal::shape_of(site, &paths).await?,
    };
    let count = partitions.len();
    let identity = JournalIdentity { journal_id: [0; 16], disk_id: site.disk_id };
    let header = CheckpointHeader { generation: 0, identity, start: FileStart::FIRST };
    let new = NewJournal { checkpoint: Checkpoint { header, partitions }, shape, files };
    let repair = Repair {
        kind: "checkpoint",
        shard,
        what: format!(
            "make the checkpoint of shard {shard} anew from the segments of {count} partitions and what can be read of the \
             journal, and a new, empty journal. Records that had been deleted and are still in a segment come back, \
             and what neither segment nor journal has in one piece is lost. Partitions that were marked as damaged are \
             not any more, and begin anew at the end that is left"
        ),
        lost,
        backed_up: backup::shard_files(&paths, shape)
            .into_iter()
            .chain(new.cut_files().map(Path::to_owned))
            .collect(),
        backup: backup::directory(site),
    };
    Ok(CheckpointPlan { repair, paths, new })
}

impl CheckpointPlan {
    /// Makes it. Durable when it returns.
    pub async fn carry_out(self, site: &Site, progress: &dyn Progress) -> Result<Repair, OfflineError> {
        let CheckpointPlan { repair, paths, new } = self;
        backup::copy_all(site, &repair.backed_up, &repair.backup, progress).await?;
        repair_log::note(site, "begun", &repair).await?;
        new.make(site, &paths).await?;
        repair_log::note(site, "done", &repair).await?;
        Ok(repair)
    }
}
