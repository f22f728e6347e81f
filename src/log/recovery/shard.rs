//! Makes and recovers the files of one shard.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;

use super::fold::{PartitionFold, StateChange};
use super::recoveries;
use crate::base::ids::PartitionId;
use crate::base::planted::{Bug, is_planted};
use crate::log::LogError;
use crate::log::checkpoint::{self, BodyBuilder, CheckpointHeader, PartitionRecord};
use crate::log::journal::file_header::JournalIdentity;
use crate::log::journal::files;
use crate::log::journal::group::Group;
use crate::log::journal::reader::{self, JournalFiles};
use crate::log::journal::ring::{FileStart, RingShape};
use crate::log::journal::writer::{JournalPosition, JournalStart};
use crate::log::segment::Segment;
use crate::runtime::{File, Runtime};

/// Where a shard's files are.
#[derive(Clone, Debug)]
pub struct ShardPaths {
    /// Checkpoints.
    pub directory: PathBuf,
    /// Journal files.
    pub journal_directory: PathBuf,
}

/// A partition as the crash left it.
pub struct RecoveredPartition {
    /// What the checkpoint says of it; `None` if it is younger.
    pub record: Option<PartitionRecord>,
    /// What happened to the state since.
    pub changes: Vec<StateChange>,
    /// The segments, with what is not on disk in memory.
    pub segments: VecDeque<Segment>,
}

/// A shard as the crash left it; its journal accepts work, unless it is damaged.
pub struct RecoveredShard {
    /// The journal's files by slot.
    pub files: Vec<Rc<dyn File>>,
    /// Where the journal goes on.
    pub journal: JournalStart,
    /// The journal and the disk.
    pub identity: JournalIdentity,
    /// Generation of the checkpoint that was read.
    pub generation: u64,
    /// Damage among acknowledged groups of the journal: everything here is of before it, and the journal must be left
    /// as it is.
    pub damage: Option<LogError>,
    /// Every partition that the checkpoint or the journal knows.
    pub partitions: HashMap<PartitionId, Result<RecoveredPartition, Box<DamagedPartition>>>,
}

/// A partition of which acknowledged data is damaged. The others are not affected.
pub struct DamagedPartition {
    /// What is wrong.
    pub error: LogError,
    /// What the checkpoint says of it: kept in later checkpoints, so that nothing more is lost.
    pub record: Option<PartitionRecord>,
    /// The partition up to the damage, where that much is all there.
    pub whole: Option<RecoveredPartition>,
}

/// Makes the files of a new shard; all is durable when it returns. Repeating it after a crash is safe as long
/// as nothing has used the shard.
pub async fn create(
    runtime: &Rc<dyn Runtime>,
    paths: &ShardPaths,
    disk_id: [u8; 16],
    shape: RingShape,
) -> Result<(), LogError> {
    for directory in [&paths.directory, &paths.journal_directory] {
        runtime.create_dir(directory).await.map_err(LogError::io(directory))?;
    }
    let mut journal_id = [0; 16];
    journal_id[..8].copy_from_slice(&runtime.random_u64().to_le_bytes());
    journal_id[8..].copy_from_slice(&runtime.random_u64().to_le_bytes());
    let identity = JournalIdentity { journal_id, disk_id };
    files::create(runtime, &paths.journal_directory, identity, shape).await?;
    recoveries::note(runtime, &paths.directory, journal_id, 0).await?;
    let header = CheckpointHeader { generation: 1, identity, start: FileStart::FIRST };
    checkpoint::make_other(runtime, &paths.directory, header.generation).await?;
    checkpoint::write(runtime, &paths.directory, &header, BodyBuilder::default()).await?;
    for directory in [&paths.directory, &paths.journal_directory] {
        let parent = directory.parent().expect("below the data directory");
        runtime.sync_dir(parent).await.map_err(LogError::io(parent))?;
    }
    Ok(())
}

/// Reads a shard's checkpoint and journal and begins a new recovery count; a journal of which acknowledged groups are
/// damaged is left as it is. `disk_id` is the data directory's.
pub async fn recover(
    runtime: &Rc<dyn Runtime>,
    paths: &ShardPaths,
    disk_id: [u8; 16],
) -> Result<RecoveredShard, LogError> {
    let checkpoint = checkpoint::read(runtime, &paths.directory).await?;
    let header = checkpoint.header;
    if header.identity.disk_id != disk_id {
        return Err(LogError::ForeignCheckpoint { path: paths.directory.clone() });
    }
    let (files, shape) = files::open(runtime, &paths.journal_directory, header.identity).await?;
    let journal =
        JournalFiles { directory: &paths.journal_directory, files: &files, shape, identity: header.identity };
    let known_durable = durable_through(&checkpoint.partitions);
    let noted = recoveries::read(runtime, &paths.directory, header.identity.journal_id).await?;
    let (scan, damage) = reader::scan_whole(&journal, header.start, known_durable).await?;
    let damage = damage.or_else(|| recoveries::missing(&scan, &paths.journal_directory, noted));
    let (start, groups) = match damage {
        None => {
            let (start, groups) = scan.begin(&journal).await?;
            let journal_id = header.identity.journal_id;
            recoveries::note(runtime, &paths.directory, journal_id, start.link.recovery_count).await?;
            (start, groups)
        }
        // What lies behind the damage may be wanted by whoever repairs it.
        Some(_) => scan.stand_still(&journal),
    };
    let file_of_sequence = |sequence| start.ring.file_of(sequence);
    let partitions = fold(&checkpoint.partitions, &groups, &file_of_sequence, runtime.wall_clock_ms());
    let (identity, generation) = (header.identity, header.generation);
    Ok(RecoveredShard { files, journal: start, identity, generation, damage, partitions })
}

/// A checkpoint counts only once everything that it reflects is durable: a journal that ends before that was
/// damaged since. (Were it taken for torn, new groups would get the sequences of those that are reflected.)
pub(super) fn durable_through(records: &[PartitionRecord]) -> u64 {
    if is_planted(Bug::IgnoreCheckpoint) {
        return 0;
    }
    records.iter().map(|record| record.as_of().reflected_through()).max().unwrap_or(0)
}

fn fold(
    records: &[PartitionRecord],
    groups: &[Group],
    file_of_sequence: &dyn Fn(u64) -> u64,
    now_ms: i64,
) -> HashMap<PartitionId, Result<RecoveredPartition, Box<DamagedPartition>>> {
    let mut folds: HashMap<PartitionId, PartitionFold> =
        records.iter().map(|record| (record.id(), PartitionFold::from_record(record, now_ms))).collect();
    for group in groups {
        for (index, (entry, payload)) in group.entries.iter().enumerate() {
            let at = JournalPosition { sequence: group.header.sequence, entries: index as u64 };
            let id = entry.partition;
            let fold = folds.entry(id).or_insert_with(|| PartitionFold::new(id, now_ms));
            fold.take(at, entry, payload.as_ref());
        }
    }
    let mut records: HashMap<PartitionId, &PartitionRecord> =
        records.iter().map(|record| (record.id(), record)).collect();
    let finish = |(id, mut fold): (PartitionId, PartitionFold)| {
        let record = records.remove(&id).cloned();
        let damage = fold.take_damage();
        let folded = fold.finish(file_of_sequence).map(|(segments, changes)| RecoveredPartition {
            record: record.clone(),
            changes,
            segments,
        });
        let outcome = match (damage, folded) {
            (None, Ok(partition)) => Ok(partition),
            (None, Err(error)) => Err(Box::new(DamagedPartition { error, record, whole: None })),
            (Some(error), folded) => Err(Box::new(DamagedPartition { error, record, whole: folded.ok() })),
        };
        (id, outcome)
    };
    folds.into_iter().map(finish).collect()
}
