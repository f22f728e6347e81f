//! What is lost with groups of a journal that cannot be replayed.

use std::collections::BTreeMap;

use super::finding::OffsetRange;
use crate::base::ids::PartitionId;
use crate::log::journal::entry::{Entry, EntryKind};
use crate::log::journal::group::GroupHeader;
use crate::log::journal::ring::Link;

/// Whether a group was written behind the end of a chain, or in the place of what is missing there.
pub(super) fn is_behind(header: &GroupHeader, end: &Link) -> bool {
    header.sequence >= end.sequence && header.recovery_count >= end.recovery_count
}

/// The offsets of records that groups behind the end of a chain hold, by partition. What the group that is missing
/// held besides cannot be told.
pub(super) fn lost_offsets(
    groups: &[(GroupHeader, Vec<Entry>)],
    end: &Link,
) -> BTreeMap<PartitionId, OffsetRange> {
    let mut lost: BTreeMap<PartitionId, OffsetRange> = BTreeMap::new();
    let behind = groups.iter().filter(|(header, _)| is_behind(header, end));
    let brings_no_records =
        |kind| matches!(kind, EntryKind::Carry | EntryKind::Truncate | EntryKind::LogStart);
    let appends = behind.flat_map(|(_, entries)| entries).filter(|entry| !brings_no_records(entry.kind));
    for entry in appends {
        let (from, until) = (entry.base_offset, entry.last_offset + 1);
        let range = lost.entry(entry.partition).or_insert(OffsetRange { from, until });
        range.from = range.from.min(from);
        range.until = range.until.max(until);
    }
    lost
}
