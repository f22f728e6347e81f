//! Checks every checksum of a data directory, and says what a start would make of it.

use std::path::Path;

use serde::Serialize;

use super::error::OfflineError;
use super::finding::{Finding, FindingKind, Findings};
use super::journal::ShardCheck;
use super::progress::Progress;
use super::segments::{BatchPlace, Visitor, walk_partition};
use super::site::Site;
use crate::base::ids::{Offset, PartitionId, ShardId};
use crate::log::LogError;
use crate::log::recovery::ExaminedPartition;
use crate::log::segment::{SegmentName, SegmentRecord, path};
use crate::log::snapshot::EpochStart;
use crate::log::walk::BadRange;
use crate::protocol::batch::BatchView;
use crate::shard::restored_state;

/// How much was looked at.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize)]
pub struct Totals {
    /// Shards.
    pub shards: u64,
    /// Live groups of journals.
    pub journal_groups: u64,
    /// Their entries.
    pub journal_entries: u64,
    /// Partitions.
    pub partitions: u64,
    /// Their segments.
    pub segments: u64,
    /// Good batches, in segments and journals.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What was found.
#[derive(Debug, Default, Serialize)]
pub struct Verified {
    /// What is wrong, in the order in which it was met.
    pub findings: Findings,
    /// How much was looked at.
    pub totals: Totals,
}

impl Verified {
    /// Whether everything is as it was written, but for what a crash leaves and a start sets right.
    pub fn is_sound(&self) -> bool {
        self.findings.corruptions == 0
    }
}

/// Verifies a data directory, or one partition and the journal that it is in.
pub async fn verify(
    site: &Site,
    wanted: Option<PartitionId>,
    progress: &dyn Progress,
) -> Result<Verified, OfflineError> {
    let mut verified = Verified::default();
    let mut known = std::collections::BTreeSet::new();
    let mut is_complete = true;
    for (shard, paths) in &site.shards {
        let findings = &mut verified.findings;
        let examined = ShardCheck { site, shard: *shard, paths, findings }.check().await?;
        verified.totals.shards += 1;
        let Some(examined) = examined else {
            is_complete = false;
            continue;
        };
        verified.totals.journal_groups += examined.groups().len() as u64;
        verified.totals.journal_entries +=
            examined.groups().iter().map(|group| group.entries.len() as u64).sum::<u64>();
        let is_wanted = |id| wanted.is_none_or(|wanted| wanted == id);
        let partitions = examined.partitions(is_wanted);
        let on_disk = partitions.values().flat_map(|it| &it.segments).map(|(segment, _)| segment.synced);
        progress.begin(&format!("shard {shard}"), on_disk.sum());
        for partition in partitions.values() {
            known.insert(partition.id);
            PartitionCheck { site, shard: *shard, partition, verified: &mut verified, progress }
                .check()
                .await?;
        }
        progress.end();
    }
    // Whose files they are cannot be told where a shard's could not be read.
    if is_complete {
        for id in site.partitions().filter(|id| wanted.is_none_or(|wanted| wanted == *id)) {
            if !known.contains(&id) {
                check_leftovers(site, id, &[], &mut verified.findings).await?;
            }
        }
    }
    Ok(verified)
}

struct PartitionCheck<'a> {
    site: &'a Site,
    shard: ShardId,
    partition: &'a ExaminedPartition,
    verified: &'a mut Verified,
    progress: &'a dyn Progress,
}

impl PartitionCheck<'_> {
    async fn check(self) -> Result<(), OfflineError> {
        let PartitionCheck { site, shard, partition, verified, progress } = self;
        let name = site.name(partition.id);
        let Some(directory) = site.directory(partition.id) else {
            // A start makes the directories of those that the metadata knows.
            let on_disk = partition.segments.iter().any(|(segment, _)| segment.synced > 0);
            let what = match on_disk {
                true => "the partition has no directory, and records of it were in segments",
                false => "the partition has no directory, and no records in segments",
            };
            let outcome = "it was deleted, and a start forgets it; if it was not, its segments are lost";
            let topics = path::topics_directory(&site.data);
            let finding = Finding::new(FindingKind::Note, topics, what, outcome);
            verified.findings.push(finding.of_shard(shard).of_partition(&name));
            return Ok(());
        };
        let (epochs, log_start) = (Vec::new(), partition.log_start());
        verified.totals.partitions += 1;
        let mut visitor = Checking { shard, name, directory, partition, epochs, log_start, verified };
        visitor.tell_state();
        walk_partition(site, partition, directory, &mut visitor, progress).await?;
        let names: Vec<SegmentName> = partition.segments.iter().map(|(segment, _)| segment.name()).collect();
        check_leftovers(site, partition.id, &names, &mut verified.findings).await
    }
}

/// Files in a partition's directory that belong to none of its segments: a crash or a stop may leave those that compaction
/// has put others in the place of, or that were to take the place of others.
async fn check_leftovers(
    site: &Site,
    id: PartitionId,
    segments: &[SegmentName],
    findings: &mut Findings,
) -> Result<(), OfflineError> {
    let Some(directory) = site.directory(id) else { return Ok(()) };
    let files = site.runtime.list_dir(directory).await.map_err(LogError::io(directory))?;
    for file in files {
        if path::segment_of(&file).is_some_and(|name| !segments.contains(&name)) {
            let what = "the file belongs to no segment that checkpoint or journal know";
            let outcome = "a start removes it";
            let finding = Finding::new(FindingKind::Note, file, what, outcome);
            findings.push(finding.of_partition(&site.name(id)));
        }
    }
    Ok(())
}

/// Counts what is good and tells what is not.
struct Checking<'a> {
    shard: ShardId,
    name: String,
    directory: &'a Path,
    partition: &'a ExaminedPartition,
    epochs: Vec<EpochStart>,
    log_start: Offset,
    verified: &'a mut Verified,
}

impl Checking<'_> {
    fn tell(&mut self, finding: Finding) {
        self.verified.findings.push(finding.of_shard(self.shard).of_partition(&self.name));
    }

    /// Whether a start would find the partition damaged, and its terms, for the batches to be held against.
    fn tell_state(&mut self) {
        let directory = self.directory;
        const OUTCOME: &str = "the partition takes no records from the next start on, and is read as far as it is whole; \
                               `corelane log repair --truncate-at` gives up what cannot be had";
        let end = self.partition.next_offset();
        if let Some(damage) = &self.partition.damage {
            let from = match damage {
                LogError::DamagedPartition { offset, .. } => *offset,
                _ => end,
            };
            let finding = Finding::new(FindingKind::Corruption, directory, damage.to_string(), OUTCOME);
            self.tell(finding.on_offsets(from, end.max(from)));
            return;
        }
        match restored_state(self.partition.record.as_ref(), &self.partition.changes, 0) {
            Ok(state) => self.epochs = state.epochs,
            Err(what) => self.tell(Finding::new(FindingKind::Corruption, directory, what, OUTCOME)),
        }
    }

    /// The term that a batch at an offset is of, where it is known.
    fn epoch_at(&self, offset: Offset) -> Option<i32> {
        let behind = self.epochs.partition_point(|epoch| epoch.start_offset <= offset);
        behind.checked_sub(1).map(|at| self.epochs[at].leader_epoch)
    }
}

impl Visitor for Checking<'_> {
    fn segment(&mut self, segment: &SegmentRecord, _file: &Path) -> bool {
        // What is below the log start may be amid its removal.
        let is_read = segment.next_offset > self.log_start;
        self.verified.totals.segments += u64::from(is_read);
        is_read
    }

    fn batch(&mut self, place: BatchPlace, batch: &BatchView<'_>) {
        self.verified.totals.batches += 1;
        self.verified.totals.bytes += batch.bytes().len() as u64;
        let header = batch.header();
        // The CRC does not cover it.
        let (found, offset) = (header.partition_leader_epoch, header.base_offset);
        let expected = self.epoch_at(offset).filter(|_| offset >= self.log_start);
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            let what = format!("a batch is of leader epoch {found}, where the log has {expected}");
            let outcome = "it is served so; the records are as they were written";
            let file = path::log_file(self.directory, place.segment);
            let finding = Finding::new(FindingKind::Corruption, file, what, outcome).at(place.position);
            self.tell(finding.on_offsets(offset, header.last_offset() + 1));
        }
    }

    fn bad(&mut self, file: &Path, bad: &BadRange, until: Offset) {
        let outcome = if until <= self.log_start && until > bad.from {
            "nobody reads it: it is below the log start"
        } else {
            "a reader gets an error there, and the records before and behind; `corelane log repair --truncate-at` \
             gives up these and all later ones"
        };
        let finding = Finding::new(FindingKind::Corruption, file, bad.what.clone(), outcome);
        self.tell(finding.at(bad.position).on_offsets(bad.from, until));
    }

    fn index(&mut self, file: &Path, what: String, is_missing: bool) {
        let kind = if is_missing { FindingKind::Note } else { FindingKind::Corruption };
        let outcome = "reads by offset find their way without it; remove the segment's .index and .timeindex files, and \
                       it is built anew in memory when it is needed";
        self.tell(Finding::new(kind, file, what, outcome));
    }
}
