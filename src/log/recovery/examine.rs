//! What a start would find in a shard's files, without changing any of them: for the tools that look at a data
//! directory while no broker runs.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;

use super::fold::{PartitionFold, StateChange};
use super::recoveries;
use super::shard::{ShardPaths, durable_through};
use crate::base::ids::{Offset, PartitionId};
use crate::log::LogError;
use crate::log::checkpoint::{self, CheckpointHeader, PartitionRecord};
use crate::log::journal::entry::Entry;
use crate::log::journal::file_header::JournalIdentity;
use crate::log::journal::files;
use crate::log::journal::group::Group;
use crate::log::journal::reader::{self, JournalFiles, Scan};
use crate::log::journal::ring::RingShape;
use crate::log::journal::writer::JournalPosition;
use crate::log::segment::SegmentRecord;
use crate::runtime::{File, Runtime};

/// A shard's files as they are.
pub struct Examined {
    /// The journal's files by slot.
    pub files: Vec<Rc<dyn File>>,
    /// Their shape.
    pub shape: RingShape,
    /// The checkpoint that counts.
    pub checkpoint: CheckpointHeader,
    /// The partitions that it describes.
    pub records: Vec<PartitionRecord>,
    /// What is alive in the journal.
    pub live: Scan,
    /// How many recoveries it is known to have begun.
    pub recoveries: u64,
    /// What is wrong with it, if a group that was durable is not there any more. Nothing behind it can be replayed.
    pub damage: Option<LogError>,
}

/// One partition of it.
pub struct ExaminedPartition {
    /// The partition.
    pub id: PartitionId,
    /// What the checkpoint says of it; `None` if it is younger.
    pub record: Option<PartitionRecord>,
    /// Its segments, oldest first, and behind each the bytes of it that are in the journal only.
    pub segments: Vec<(SegmentRecord, Bytes)>,
    /// What the journal does to its state.
    pub changes: Vec<StateChange>,
    /// Why a start would take it offline. All before that is as it was up to there.
    pub damage: Option<LogError>,
}

/// Reads a shard's checkpoint and journal.
pub async fn examine(
    runtime: &Rc<dyn Runtime>,
    paths: &ShardPaths,
    disk_id: [u8; 16],
) -> Result<Examined, LogError> {
    let checkpoint = checkpoint::read(runtime, &paths.directory).await?;
    let header = checkpoint.header;
    if header.identity.disk_id != disk_id {
        return Err(LogError::ForeignCheckpoint { path: paths.directory.clone() });
    }
    let (files, shape) = files::open_to_read(runtime, &paths.journal_directory, header.identity).await?;
    let journal =
        JournalFiles { directory: &paths.journal_directory, files: &files, shape, identity: header.identity };
    let known_durable = durable_through(&checkpoint.partitions);
    let recoveries = recoveries::read(runtime, &paths.directory, header.identity.journal_id).await?;
    let (live, damage) = reader::scan_whole(&journal, header.start, known_durable).await?;
    let damage = damage.or_else(|| recoveries::missing(&live, &paths.journal_directory, recoveries));
    let records = checkpoint.partitions;
    Ok(Examined { files, shape, checkpoint: header, records, live, recoveries, damage })
}

impl Examined {
    /// Which journal, of which disk.
    pub fn identity(&self) -> JournalIdentity {
        self.checkpoint.identity
    }

    /// The live groups, in order.
    pub fn groups(&self) -> &[Group] {
        &self.live.groups
    }

    /// The partitions that are wanted, as the checkpoint and the live groups have them.
    pub fn partitions(
        &self,
        is_wanted: impl Fn(PartitionId) -> bool,
    ) -> BTreeMap<PartitionId, ExaminedPartition> {
        let mut folds: BTreeMap<PartitionId, PartitionFold> = BTreeMap::new();
        let mut records: BTreeMap<PartitionId, &PartitionRecord> = BTreeMap::new();
        for record in self.records.iter().filter(|record| is_wanted(record.id())) {
            folds.insert(record.id(), PartitionFold::from_record(record, 0));
            records.insert(record.id(), record);
        }
        for group in &self.live.groups {
            for (index, (entry, payload)) in group.entries.iter().enumerate() {
                let id = entry.partition;
                if is_wanted(id) {
                    let at = JournalPosition { sequence: group.header.sequence, entries: index as u64 };
                    let fold = folds.entry(id).or_insert_with(|| PartitionFold::new(id, 0));
                    fold.take(at, entry, payload.as_ref());
                }
            }
        }
        folds.into_iter().map(|(id, fold)| (id, finished(id, records.get(&id).copied(), fold))).collect()
    }

    /// A partition's record for a next checkpoint in which its log ends at a cut that its checkpoint and journal reach:
    /// `cut` as the journal has it, as its only entry at `at`, with what stays of the block as its payload. `state`
    /// makes of a record and the changes since what the partition's state comes to.
    pub fn record_of_cut<E: From<LogError>>(
        &self,
        at: JournalPosition,
        cut: &Entry,
        payload: &Bytes,
        state: impl FnOnce(
            Option<&PartitionRecord>,
            &[StateChange],
        ) -> Result<crate::log::snapshot::StateSnapshot, E>,
    ) -> Result<PartitionRecord, E> {
        let id = cut.partition;
        let record = self.records.iter().find(|record| record.id() == id);
        let new = || PartitionFold::new(id, 0);
        let mut fold = record.map_or_else(new, |record| PartitionFold::from_record(record, 0));
        for group in &self.live.groups {
            for (index, (entry, payload)) in group.entries.iter().enumerate() {
                if entry.partition == id {
                    let at = JournalPosition { sequence: group.header.sequence, entries: index as u64 };
                    fold.take(at, entry, payload.as_ref());
                }
            }
        }
        fold.apply(at, cut, Some(payload))?;
        let (segments, changes) = fold.finish(&|_| 0)?;
        let state = state(record, &changes)?;
        let behind = JournalPosition { sequence: at.sequence + 1, entries: 0 };
        let segments = segments.iter().map(|segment| segment.record()).collect();
        let compacted_to = record.map_or(0, |record| record.compacted_to).min(cut.base_offset);
        Ok(PartitionRecord::new(id, behind, state, segments).compacted_to(compacted_to))
    }
}

/// What a fold comes to, whatever is missing.
fn finished(id: PartitionId, record: Option<&PartitionRecord>, mut fold: PartitionFold) -> ExaminedPartition {
    let segments = fold.segments().iter();
    let segments = segments.map(|segment| (segment.clone(), Bytes::from(fold.journaled(segment)))).collect();
    let mut damage = fold.take_damage();
    let changes = match fold.finish(&|_| 0) {
        Ok((_, changes)) => changes,
        Err(error) => {
            damage.get_or_insert(error);
            Vec::new()
        }
    };
    ExaminedPartition { id, record: record.cloned(), segments, changes, damage }
}

impl ExaminedPartition {
    /// Offset of the next record, as far as checkpoint and journal tell.
    pub fn next_offset(&self) -> Offset {
        let recorded = self.record.as_ref().map_or(0, |record| record.state.log_end_offset);
        self.segments.last().map_or(recorded, |(last, _)| last.next_offset)
    }

    /// The first offset that may be read.
    pub fn log_start(&self) -> Offset {
        let recorded = self.record.as_ref().map_or(0, |record| record.state.log_start_offset);
        let moves = self.changes.iter().filter_map(|change| match change {
            StateChange::LogStart(offset) => Some(*offset),
            _ => None,
        });
        moves.max().unwrap_or(0).max(recorded)
    }
}
