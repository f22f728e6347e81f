//! What can be read of a damaged journal: where in it bytes of segments are, by partition. The bytes themselves stay in the
//! journal until they are wanted, and one of its files at a time is read, however long it is.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use super::slots::Slots;
use crate::base::ids::{Offset, PartitionId};
use crate::log::journal::entry::{Entry, EntryKind};
use crate::log::journal::extent::{self, whole_blocks};
use crate::log::journal::reader::{PlacedGroup, whole_groups_in};
use crate::offline::error::OfflineError;
use crate::protocol::batch::HEADER_BYTES;
use crate::runtime::File;

/// Bytes of a segment that a journal's file has.
#[derive(Clone)]
pub(super) struct Patch {
    /// The segment, as it was filled.
    pub segment_base: Offset,
    /// Where in the segment they begin, in bytes.
    pub position: u64,
    /// How many.
    pub length: u64,
    /// Where they are.
    pub file: Rc<dyn File>,
    /// Position in that, in bytes.
    pub at: u64,
}

impl Patch {
    /// Position behind the last byte in the segment.
    pub(super) fn end(&self) -> u64 {
        self.position.saturating_add(self.length)
    }

    /// What of it is outside of a place in the segment, in bytes.
    pub(super) fn outside(&self, place: &Range<u64>) -> impl Iterator<Item = Patch> {
        let piece = |from: u64, until: u64| Patch {
            position: from,
            length: until.saturating_sub(from),
            at: self.at + (from - self.position),
            ..self.clone()
        };
        let before = piece(self.position, self.end().min(place.start));
        let behind = piece(self.position.max(place.end), self.end());
        let pieces = match place.start < self.end() && self.position < place.end {
            true => vec![before, behind],
            false => vec![self.clone()],
        };
        pieces.into_iter().filter(|piece| piece.length > 0)
    }
}

/// What a journal has of one partition.
#[derive(Default)]
pub(super) struct Journaled {
    /// In the order of the journal: later ones win.
    pub patches: Vec<Patch>,
    /// Behind the last record that an entry names, whether its bytes are there or not; 0 if none does.
    pub end: Offset,
}

/// What a journal has of each partition that it names.
#[derive(Default)]
pub(super) struct JournalContents {
    partitions: BTreeMap<PartitionId, Journaled>,
    /// Whether groups of it are known to be missing, with records of partitions that nobody knows.
    pub lacks_groups: bool,
    nothing: Journaled,
}

impl JournalContents {
    /// Whether it has anything to say of a partition.
    pub(super) fn names(&self, id: PartitionId) -> bool {
        self.partitions.contains_key(&id)
    }

    /// What it has of a partition.
    pub(super) fn of(&self, id: PartitionId) -> &Journaled {
        self.partitions.get(&id).unwrap_or(&self.nothing)
    }
}

/// An entry, and where its payload is, if that is whole.
struct Found {
    recovery_count: u64,
    sequence: u64,
    index: usize,
    entry: Entry,
    patch: Option<Patch>,
}

/// Reads all files of a journal that are left, one at a time.
pub(super) async fn contents_of(slots: Option<&Slots>) -> Result<JournalContents, OfflineError> {
    let mut contents =
        JournalContents { lacks_groups: slots.is_none_or(Slots::lacks_files), ..Default::default() };
    let Some(slots) = slots else { return Ok(contents) };
    let (mut found, mut begun, mut placed_in) = (Vec::new(), BTreeMap::new(), Vec::new());
    for slot in slots.readable.values() {
        let journal_id = slots.identity.journal_id;
        let groups = whole_groups_in(&*slot.file, &slot.path, slots.shape.file_bytes, journal_id).await?;
        let headers = groups.iter().map(|placed| &placed.group.header);
        placed_in.push(headers.map(|header| (header.recovery_count, header.sequence)).collect());
        for placed in groups {
            let header = &placed.group.header;
            let first = begun.entry(header.recovery_count).or_insert(header.sequence);
            *first = header.sequence.min(*first);
            found.extend(entries_of(&placed, &slot.file));
        }
    }
    let begun = lowest_behind(begun.into_iter().collect());
    contents.lacks_groups |= has_gaps(&placed_in, &begun);
    found.retain(|it: &Found| !is_dead((it.recovery_count, it.sequence), &begun));
    found.sort_by_key(|it| (it.recovery_count, it.sequence, it.index));
    for Found { entry, patch, .. } in found {
        let of_partition = contents.partitions.entry(entry.partition).or_default();
        match entry.kind {
            EntryKind::Truncate => cut(of_partition, &entry),
            EntryKind::Append | EntryKind::Extent => {
                of_partition.end = of_partition.end.max(entry.last_offset + 1);
            }
            EntryKind::Carry | EntryKind::LogStart => {}
        }
        of_partition.patches.extend(patch);
    }
    Ok(contents)
}

fn entries_of(placed: &PlacedGroup, file: &Rc<dyn File>) -> Vec<Found> {
    let header = &placed.group.header;
    let entries = placed.group.entries.iter().zip(&placed.payloads).enumerate();
    let found = entries.map(|(index, ((entry, payload), at))| {
        let bytes = payload.as_ref().zip(*at).and_then(|(payload, at)| {
            let (position, length, at) = match entry.kind {
                EntryKind::Append | EntryKind::Carry => (entry.position, payload.len(), at),
                EntryKind::Extent => {
                    let extent = extent::decode(entry, payload).ok()?;
                    (extent.durable_to(), extent.tail.len(), at + HEADER_BYTES as u64)
                }
                EntryKind::Truncate => (whole_blocks(entry.position), payload.len(), at),
                EntryKind::LogStart => return None,
            };
            let segment_base = entry.segment_base;
            Some(Patch { segment_base, position, length: length as u64, file: Rc::clone(file), at })
        });
        let (recovery_count, sequence) = (header.recovery_count, header.sequence);
        Found { recovery_count, sequence, index, entry: *entry, patch: bytes.filter(|it| it.length > 0) }
    });
    found.collect()
}

/// For each recovery count, of which the lowest sequence that is left is given, in order, the lowest that it or a later one
/// has. The start group of a recovery may be lost: it has begun at or before any group of it.
fn lowest_behind(mut begun: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    let mut lowest = u64::MAX;
    for (_, sequence) in begun.iter_mut().rev() {
        lowest = lowest.min(*sequence);
        *sequence = lowest;
    }
    begun
}

/// Whether a later recovery has begun before the group: what is behind its start group was never acknowledged.
fn is_dead((recovery_count, sequence): (u64, u64), begun: &[(u64, u64)]) -> bool {
    let later = begun.partition_point(|(count, _)| *count <= recovery_count);
    begun.get(later).is_some_and(|(_, lowest)| *lowest <= sequence)
}

/// Whether a group is missing between others: those of each file, of which recovery count and sequence are given in the order
/// of their places, follow one another up to what an earlier round has left, and then those of the next file follow. The
/// last groups of all are not missed: they look like what a crash tears.
fn has_gaps(files: &[Vec<(u64, u64)>], begun: &[(u64, u64)]) -> bool {
    let mut runs = Vec::new();
    for groups in files {
        let mut run: Vec<u64> = Vec::new();
        for &(recovery_count, sequence) in groups {
            if is_dead((recovery_count, sequence), begun) {
                continue;
            }
            if run.last().is_some_and(|last| sequence <= *last) {
                break;
            }
            run.push(sequence);
        }
        runs.push(run);
    }
    runs.sort_unstable();
    runs.concat().windows(2).any(|two| two[1] != two[0] + 1)
}

/// Bytes behind a cut are void.
fn cut(of_partition: &mut Journaled, entry: &Entry) {
    of_partition.end = of_partition.end.min(entry.base_offset);
    of_partition.patches.retain_mut(|patch| {
        if patch.segment_base == entry.segment_base && patch.position < entry.position {
            patch.length = patch.length.min(entry.position - patch.position);
            return true;
        }
        patch.segment_base < entry.segment_base
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_recovery_began_before_is_dead() {
        // Recovery 3 has begun at group 7, before the start of recovery 2 at group 9.
        let begun = lowest_behind(vec![(1, 1), (2, 9), (3, 7)]);
        for (recovery_count, sequence, dead) in
            [(1, 6, false), (1, 7, true), (2, 9, true), (2, 6, false), (3, 7, false), (3, 20, false)]
        {
            assert_eq!(is_dead((recovery_count, sequence), &begun), dead, "{recovery_count}, {sequence}");
        }
        assert!(!is_dead((5, 5), &[]));
    }

    #[test]
    fn groups_that_are_missing_between_others_are_missed() {
        let of = |sequences: &[u64]| sequences.iter().map(|sequence| (1, *sequence)).collect::<Vec<_>>();
        let begun = lowest_behind(vec![(1, 1), (2, 9)]);
        for (files, lacks) in [
            (vec![of(&[7, 8, 3]), of(&[4, 5, 6]), of(&[])], false),
            (vec![of(&[7, 8]), of(&[4, 6])], true),
            (vec![of(&[7, 8]), of(&[4, 5])], true),
            // Behind group 8 the first recovery went on to group 10, and the second began anew.
            (vec![[of(&[7, 8, 9, 10]), vec![(2, 9), (2, 10), (2, 11)]].concat()], false),
            (vec![[of(&[7, 8, 9]), vec![(2, 9), (2, 11)]].concat()], true),
        ] {
            assert_eq!(has_gaps(&files, &begun), lacks, "{files:?}");
        }
    }
}
