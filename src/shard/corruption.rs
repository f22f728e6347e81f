//! Damage that is found while the shard runs, and how far it reaches.
//!
//! A segment that is not as it was written takes its partition out of service for producers: acknowledged records are
//! lost, and somebody has to decide. Reads go on where the log is whole, and fail where it is not. The segment may
//! be deleted like any other, by DeleteRecords or retention; then the partition is whole again.
//!
//! Where a journal has lost acknowledged groups, nobody knows where its partitions end. They are read up to where the
//! journal is whole; beyond, and at what depends on the end, the answer is an error, never "there is no more". The same
//! holds for a single partition of which the journal has lost records (lost_records.rs).

use std::rc::Rc;
use std::sync::Arc;

use super::error::StorageError;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::ids::Offset;
use crate::base::limits::DAMAGE_NAMED_MAX;

impl Replica {
    /// Topic, partition and topic id, as its directory is called.
    pub(super) fn name(&self) -> String {
        let log = self.log.borrow();
        let name = log.directory().file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Why the partition takes no records although it is read, if so.
    pub fn check_intact(&self) -> Result<(), StorageError> {
        self.check_not_cut_short()?;
        let corrupt = self.corrupt_segments.borrow();
        corrupt.first_key_value().map_or(Ok(()), |(_, reason)| Err(StorageError::Damaged(Arc::clone(reason))))
    }

    /// Whether the log is all that there was, and not only what is before a damage.
    pub(super) fn check_not_cut_short(&self) -> Result<(), StorageError> {
        let reason = self.cut_short.borrow();
        reason.as_ref().map_or(Ok(()), |reason| Err(StorageError::Damaged(Arc::clone(reason))))
    }

    /// Why the copy may neither lead others nor follow, if so: it is not all that it was.
    pub(super) fn check_whole(&self) -> Result<(), StorageError> {
        self.check_online()?;
        self.check_intact()?;
        let lost_end = self.lost_end.borrow();
        lost_end.as_ref().map_or(Ok(()), |reason| Err(StorageError::OutOfService(Arc::clone(reason))))
    }

    /// Whether a segment is known not to be as it was written.
    pub(super) fn is_known_corrupt(&self, segment_base: Offset) -> bool {
        self.corrupt_segments.borrow().contains_key(&segment_base)
    }

    /// Refuses what needs to know the log's end, where that is lost: the log holds `offset` for sure only below the
    /// end that is known.
    pub(super) fn check_end_known(&self, offset: Offset) -> Result<(), StorageError> {
        if offset < self.state.borrow().progress().log_end() {
            return Ok(());
        }
        self.check_not_cut_short()?;
        match &*self.lost_end.borrow() {
            Some(reason) => Err(StorageError::OutOfService(Arc::clone(reason))),
            None => Ok(()),
        }
    }
}

impl Storage {
    /// Notes that a segment is not as it was written: found by a read of `offset`, or by whoever checks the files.
    pub fn note_corruption(&self, replica: &Rc<Replica>, segment_base: Offset, offset: Offset, what: &str) {
        let last = {
            let log = replica.log.borrow();
            let segment = log.segments().find(|segment| segment.base_offset == segment_base);
            // It may have been deleted meanwhile.
            let Some(segment) = segment else { return };
            segment.next_offset - 1
        };
        if replica.is_known_corrupt(segment_base) {
            return;
        }
        let reason = format!(
            "partition {}: the segment of offsets {segment_base} to {last} is damaged at offset {offset} or shortly \
             before: {what}",
            replica.name()
        );
        tracing::error!(
            reason,
            "acknowledged records are damaged: the partition takes no records until the segment is deleted \
             (delete records up to its end) or repaired; reads go on where it is whole"
        );
        replica.corrupt_segments.borrow_mut().insert(segment_base, reason.into());
        replica.tell_watchers();
    }

    /// A partition is whole again when its damaged segments are deleted.
    pub(super) fn forget_corruption(&self, replica: &Replica) {
        if replica.check_intact().is_ok() {
            return;
        }
        let log = replica.log.borrow();
        let first = log.segments().next().map_or(log.next_offset(), |segment| segment.base_offset);
        replica.corrupt_segments.borrow_mut().retain(|&base, _| base >= first);
        drop(log);
        if replica.check_intact().is_ok() {
            tracing::info!(
                partition = replica.name(),
                "the damaged segments are deleted: it takes records again"
            );
        }
    }

    /// Partitions that take no records because a segment is damaged, or records of theirs are lost.
    pub(super) fn corrupt_partitions(&self) -> usize {
        self.replicas.borrow().values().filter(|replica| replica.check_intact().is_err()).count()
    }

    /// What is damaged, in words, for the operator: so many partitions by name, and the number of the others.
    pub(super) fn damage_in_words(&self) -> Vec<String> {
        let mut reasons: Vec<String> =
            self.damaged.borrow().values().map(|damaged| damaged.in_words()).collect();
        let replicas = self.replicas.borrow();
        let others = replicas.values().filter(|replica| replica.check_not_cut_short().is_ok());
        reasons.extend(others.filter_map(|replica| match replica.check_intact() {
            Err(StorageError::Damaged(reason)) => Some(reason.to_string()),
            _ => None,
        }));
        reasons.sort_unstable();
        let others = reasons.len().saturating_sub(DAMAGE_NAMED_MAX);
        if others > 0 {
            reasons.truncate(DAMAGE_NAMED_MAX);
            reasons.push(format!("{others} more partitions are damaged"));
        }
        reasons
    }
}
