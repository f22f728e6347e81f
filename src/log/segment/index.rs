//! A segment's sparse index: from offsets and times to positions.
//!
//! In memory one list serves both. On disk (written when a segment is sealed) it is Kafka's two files,
//! big-endian, so that Kafka's tools read them: `.index` rows are (offset - base: u32, position: u32),
//! `.timeindex` rows are (largest timestamp so far: i64, offset - base: u32). Neither file is ever trusted:
//! a reader checks the batch that it finds, and an index that does not fit its segment is built anew.

use rkyv::{Archive, Deserialize, Serialize};

use super::memory::BatchPlace;
use crate::base::ids::Offset;
use crate::base::limits::INDEX_INTERVAL_BYTES;

/// One indexed batch.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct IndexEntry {
    /// Base offset of the batch.
    pub offset: i64,
    /// Position of the batch in the segment, in bytes.
    pub position: u64,
    /// The largest timestamp of the segment before this batch, in ms since 1970.
    pub max_timestamp_before: i64,
}

/// The index of one segment, ordered by offset.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SparseIndex {
    entries: Vec<IndexEntry>,
}

impl SparseIndex {
    /// From entries that a checkpoint kept.
    pub fn from_entries(entries: Vec<IndexEntry>) -> Self {
        SparseIndex { entries }
    }

    /// The entries.
    pub fn entries(&self) -> &[IndexEntry] {
        &self.entries
    }

    /// Takes note of a batch behind all earlier ones; keeps it if the last kept one is far enough away.
    pub fn note(&mut self, entry: IndexEntry) {
        let due =
            self.entries.last().is_none_or(|last| entry.position >= last.position + INDEX_INTERVAL_BYTES);
        if due {
            self.entries.push(entry);
        }
    }

    /// The indexed batch at or before the one that holds `offset`.
    pub fn batch_for_offset(&self, segment_base: Offset, offset: Offset) -> BatchPlace {
        let behind = self.entries.partition_point(|entry| entry.offset <= offset);
        behind.checked_sub(1).map_or(BatchPlace { base_offset: segment_base, position: 0 }, |at| {
            let IndexEntry { offset, position, .. } = self.entries[at];
            BatchPlace { base_offset: offset, position }
        })
    }

    /// Offset of a batch at or before the first one that may hold a record of `timestamp` or later.
    pub fn offset_for_time(&self, segment_base: Offset, timestamp: i64) -> Offset {
        let behind = self.entries.partition_point(|entry| entry.max_timestamp_before < timestamp);
        behind.checked_sub(1).map_or(segment_base, |at| self.entries[at].offset)
    }

    /// Forgets batches at or behind a position.
    pub fn truncate(&mut self, position: u64) {
        self.entries.truncate(self.entries.partition_point(|entry| entry.position < position));
    }

    /// Length of the longer of the two files for a segment of `end_position` bytes, at most.
    pub fn encoded_bytes_max(end_position: u64) -> u64 {
        end_position.div_ceil(INDEX_INTERVAL_BYTES) * 12
    }

    /// The two files' contents: `.index`, `.timeindex`.
    pub fn encode(&self, segment_base: Offset) -> (Vec<u8>, Vec<u8>) {
        let (mut offsets, mut times) = (Vec::new(), Vec::new());
        // Offsets of a segment are bounded to 32 bits when it is rolled, positions by its largest size.
        for entry in self.entries.iter().skip(1) {
            let relative = (entry.offset - segment_base) as u32;
            offsets.extend_from_slice(&relative.to_be_bytes());
            offsets.extend_from_slice(&(entry.position as u32).to_be_bytes());
            times.extend_from_slice(&entry.max_timestamp_before.to_be_bytes());
            times.extend_from_slice(&relative.to_be_bytes());
        }
        (offsets, times)
    }

    /// Reads the two files back; `None` if they do not fit each other or a segment of `end_position` bytes.
    pub fn decode(segment_base: Offset, end_position: u64, offsets: &[u8], times: &[u8]) -> Option<Self> {
        if !offsets.len().is_multiple_of(8) || times.len() != offsets.len() / 8 * 12 {
            return None;
        }
        let mut entries =
            vec![IndexEntry { offset: segment_base, position: 0, max_timestamp_before: i64::MIN }];
        for (offset, time) in offsets.chunks_exact(8).zip(times.chunks_exact(12)) {
            let u32_of = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("4 bytes"));
            let entry = IndexEntry {
                offset: segment_base + i64::from(u32_of(&offset[..4])),
                position: u64::from(u32_of(&offset[4..])),
                max_timestamp_before: i64::from_be_bytes(time[..8].try_into().expect("8 bytes")),
            };
            let last = entries.last().expect("never empty");
            if entry.offset <= last.offset
                || entry.position <= last.position
                || entry.position >= end_position
            {
                return None;
            }
            entries.push(entry);
        }
        Some(SparseIndex { entries })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index_of(gaps: &[(u8, u32, u16)]) -> (SparseIndex, u64) {
        let mut index = SparseIndex::default();
        let (mut offset, mut position, mut time) = (1000, 0, i64::MIN);
        for &(records, bytes, later) in gaps {
            index.note(IndexEntry { offset, position, max_timestamp_before: time });
            offset += i64::from(records) + 1;
            position += u64::from(bytes % 50_000) + 61;
            time = time.max(0) + i64::from(later);
        }
        (index, position)
    }

    proptest! {
        #[test]
        fn an_index_comes_back_from_its_files(gaps in prop::collection::vec(any::<(u8, u32, u16)>(), 1..200)) {
            let (index, end) = index_of(&gaps);
            let (offsets, times) = index.encode(1000);
            prop_assert_eq!(SparseIndex::decode(1000, end, &offsets, &times), Some(index));
        }

        #[test]
        fn a_position_is_never_behind_what_is_looked_for(
            gaps in prop::collection::vec(any::<(u8, u32, u16)>(), 1..200), at in any::<prop::sample::Index>(),
        ) {
            let (index, _) = index_of(&gaps);
            let wanted = at.index(gaps.len());
            let (mut offset, mut position, mut time) = (1000, 0, i64::MIN);
            for &(records, bytes, later) in &gaps[..wanted] {
                offset += i64::from(records) + 1;
                position += u64::from(bytes % 50_000) + 61;
                time = time.max(0) + i64::from(later);
            }
            let before = index.batch_for_offset(1000, offset);
            prop_assert!(before.position <= position && before.base_offset <= offset);
            prop_assert!(position - before.position < INDEX_INTERVAL_BYTES + 50_061);
            // The batch at `position` may be the first that is later than everything before it.
            prop_assert!(index.offset_for_time(1000, time.saturating_add(1)) <= offset);
        }
    }

    #[test]
    fn files_of_another_segment_are_refused() {
        let (index, end) = index_of(&[(1, 49_000, 1); 10]);
        let (offsets, times) = index.encode(1000);
        assert!(SparseIndex::decode(1000, end / 2, &offsets, &times).is_none());
        assert!(SparseIndex::decode(1000, end, &offsets[1..], &times).is_none());
        assert!(SparseIndex::decode(1000, end, &offsets, &times[12..]).is_none());
        let swapped: Vec<u8> = offsets.chunks_exact(8).rev().flatten().copied().collect();
        assert!(SparseIndex::decode(1000, end, &swapped, &times).is_none());
    }
}
