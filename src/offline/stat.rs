//! How much there is of what, by checkpoints and journals alone: segments are not read.

use serde::Serialize;

use super::error::OfflineError;
use super::finding::Findings;
use super::journal::ShardCheck;
use super::site::Site;
use crate::base::ids::{LeaderEpoch, Offset, PartitionId, ShardId};
use crate::log::recovery::{Examined, ExaminedPartition};
use crate::shard::restored_state;

/// A data directory in numbers.
#[derive(Debug, Default, Serialize)]
pub struct Stat {
    /// Its shards.
    pub shards: Vec<ShardStat>,
    /// Its partitions, by shard.
    pub partitions: Vec<PartitionStat>,
    /// What is wrong with checkpoints and journals.
    pub findings: Findings,
}

/// One shard's files.
#[derive(Debug, Serialize)]
pub struct ShardStat {
    /// The shard.
    pub shard: ShardId,
    /// Generation of the checkpoint that counts.
    pub checkpoint_generation: u64,
    /// Length of all files of its journal.
    pub journal_bytes: u64,
    /// Live groups: those that a start replays.
    pub live_groups: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// How often the journal was recovered.
    pub recovery_count: u64,
}

/// One partition.
#[derive(Debug, Serialize)]
pub struct PartitionStat {
    /// Its name.
    pub partition: String,
    /// The shard in whose files it is.
    pub shard: ShardId,
    /// `online`, or `offline` if it is damaged, `deleted` if it has no directory any more: after the next start.
    pub state: &'static str,
    /// The first offset that may be read.
    pub log_start: Offset,
    /// Offset of the next record.
    pub log_end: Offset,
    /// The term of its last records.
    pub leader_epoch: Option<LeaderEpoch>,
    /// Its segments.
    pub segments: usize,
    /// Bytes of its batches.
    pub bytes: u64,
    /// Of these, bytes that are in the journal only.
    pub journal_only_bytes: u64,
    /// Idempotent producers that are known.
    pub producers: usize,
}

/// Counts a data directory, or one partition of it.
pub async fn stat(site: &Site, wanted: Option<PartitionId>) -> Result<Stat, OfflineError> {
    let mut stat = Stat::default();
    for (shard, paths) in &site.shards {
        let findings = &mut stat.findings;
        let examined = ShardCheck { site, shard: *shard, paths, findings }.check().await?;
        let Some(examined) = examined else { continue };
        let partitions = examined.partitions(|id| wanted.is_none_or(|wanted| wanted == id));
        if wanted.is_none() || !partitions.is_empty() {
            stat.shards.push(shard_stat(*shard, &examined));
        }
        stat.partitions.extend(partitions.values().map(|partition| partition_stat(site, *shard, partition)));
    }
    Ok(stat)
}

fn shard_stat(shard: ShardId, examined: &Examined) -> ShardStat {
    ShardStat {
        shard,
        checkpoint_generation: examined.checkpoint.generation,
        journal_bytes: examined.shape.file_count * examined.shape.file_bytes,
        live_groups: examined.groups().len() as u64,
        live_bytes: examined.groups().iter().map(|group| group.total_bytes as u64).sum(),
        recovery_count: examined.live.end().link.recovery_count,
    }
}

fn partition_stat(site: &Site, shard: ShardId, partition: &ExaminedPartition) -> PartitionStat {
    let state = restored_state(partition.record.as_ref(), &partition.changes, 0);
    let is_sound = partition.damage.is_none() && state.is_ok();
    let state = state.unwrap_or_default();
    let segments = || partition.segments.iter().map(|(segment, _)| segment);
    PartitionStat {
        partition: site.name(partition.id),
        shard,
        state: match (site.directory(partition.id), is_sound) {
            (None, _) => "deleted",
            (Some(_), true) => "online",
            (Some(_), false) => "offline",
        },
        log_start: partition.log_start(),
        log_end: partition.next_offset(),
        leader_epoch: state.epochs.last().map(|epoch| epoch.leader_epoch),
        segments: partition.segments.len(),
        bytes: segments().map(|segment| segment.end_position).sum(),
        journal_only_bytes: segments()
            .map(|segment| segment.end_position - segment.synced.min(segment.end_position))
            .sum(),
        producers: state.producers.len(),
    }
}
