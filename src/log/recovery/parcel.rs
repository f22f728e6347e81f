//! A partition on its way from one shard's files to another's.

use bytes::Bytes;

use super::fold::PartitionFold;
use super::shard::{DamagedPartition, RecoveredPartition};
use crate::log::checkpoint::PartitionRecord;
use crate::log::journal::entry::Entry;
use crate::log::journal::writer::JournalPosition;

/// All that the next shard has to know of a partition whose whole blocks are in its segments, durably.
#[derive(Debug)]
pub struct Parcel {
    /// As in a checkpoint; the moment that it names is one of the old shard's journal.
    pub record: PartitionRecord,
    /// A carry entry with its payload: the bytes that are in no segment, less than a block.
    pub remainder: Option<(Entry, Bytes)>,
}

impl Parcel {
    /// The partition as if it had just been recovered. Its pins name file 0, which holds for a journal that has
    /// just been made.
    pub fn unpack(self, now_ms: i64) -> Result<RecoveredPartition, Box<DamagedPartition>> {
        let mut fold = PartitionFold::from_record(&self.record, now_ms);
        let applied = self.remainder.iter().try_for_each(|(entry, payload)| {
            // Before everything: what is carried is reflected in the record.
            fold.apply(JournalPosition::default(), entry, Some(payload))
        });
        match applied.and_then(|()| fold.finish(&|_| 0)) {
            Ok((segments, changes)) => {
                Ok(RecoveredPartition { record: Some(self.record), changes, segments })
            }
            Err(error) => Err(Box::new(DamagedPartition { error, record: Some(self.record), whole: None })),
        }
    }
}
