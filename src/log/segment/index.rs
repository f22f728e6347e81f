//! A segment's sparse index: from offsets and times to positions.
//!
//! The rows are Kafka's, in memory as on disk, where they are written when a segment is sealed (big-endian, so
//! that Kafka's tools read them). `.index` rows are (last offset of a batch - base: u32, position of the batch:
//! u32); `.timeindex` rows are (largest timestamp so far: i64, last offset of the first batch that has it - base:
//! u32), each timestamp larger than the one before, the last row that of the whole segment. Neither file is ever
//! trusted: a reader checks the batch that it finds, and an index that does not fit its segment is built anew.

use rkyv::{Archive, Deserialize, Serialize};

use crate::base::ids::Offset;
use crate::base::limits::INDEX_INTERVAL_BYTES;
use crate::protocol::batch::BatchHeader;

/// Length of an `.index` row.
const OFFSET_ROW_BYTES: usize = 8;
/// Length of a `.timeindex` row.
const TIME_ROW_BYTES: usize = 12;

/// Where a batch is.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct OffsetRow {
    /// Offset of the batch's last record.
    pub last_offset: i64,
    /// Position of the batch in the segment, in bytes.
    pub position: u64,
}

/// How late the records up to some batch are.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeRow {
    /// The largest timestamp so far, in ms since 1970.
    pub timestamp: i64,
    /// Offset of the last record of the first batch that has it.
    pub offset: i64,
}

/// Where a batch begins that is at or before what is looked for, and what is known of its offsets: a reader checks it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadStart {
    /// Position of the batch in the segment, in bytes.
    pub position: u64,
    /// An offset of the batch.
    pub offset: StartOffset,
}

/// What is known of a batch's offsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartOffset {
    /// That of its first record.
    First(Offset),
    /// That of its last record.
    Last(Offset),
}

impl StartOffset {
    /// The offset, whichever it is.
    pub fn value(self) -> Offset {
        let (StartOffset::First(offset) | StartOffset::Last(offset)) = self;
        offset
    }

    /// Whether a batch with this header is the one.
    pub fn is_of(self, header: &BatchHeader) -> bool {
        match self {
            StartOffset::First(offset) => header.base_offset == offset,
            StartOffset::Last(offset) => header.last_offset() == offset,
        }
    }
}

impl ReadStart {
    /// A segment's first batch.
    pub fn of_segment(segment_base: Offset) -> Self {
        ReadStart { position: 0, offset: StartOffset::First(segment_base) }
    }
}

/// The index of one segment, ordered by offset.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct SparseIndex {
    offsets: Vec<OffsetRow>,
    times: Vec<TimeRow>,
}

impl SparseIndex {
    /// Takes note of a batch behind all earlier ones, and of the largest timestamp of the segment including that
    /// batch; keeps them if the last kept batch, or the segment's start, is far enough away.
    pub fn note(&mut self, batch: OffsetRow, largest: TimeRow) {
        let last_position = self.offsets.last().map_or(0, |last| last.position);
        if batch.position >= last_position + INDEX_INTERVAL_BYTES {
            self.offsets.push(batch);
            self.times.extend(self.is_later(largest).then_some(largest));
        }
    }

    /// Whether a row may follow the last one: as in Kafka, timestamps are not negative and only grow.
    fn is_later(&self, row: TimeRow) -> bool {
        row.timestamp > self.times.last().map_or(-1, |last| last.timestamp)
    }

    /// The indexed batch at or before the one that holds `offset`, or the segment's first.
    pub fn start_for_offset(&self, segment_base: Offset, offset: Offset) -> ReadStart {
        let behind = self.offsets.partition_point(|row| row.last_offset <= offset);
        behind.checked_sub(1).map_or(ReadStart::of_segment(segment_base), |at| {
            let OffsetRow { last_offset, position } = self.offsets[at];
            ReadStart { position, offset: StartOffset::Last(last_offset) }
        })
    }

    /// An offset at or before the first record that may be of `timestamp` or later.
    pub fn offset_for_time(&self, segment_base: Offset, timestamp: i64) -> Offset {
        let behind = self.times.partition_point(|row| row.timestamp < timestamp);
        behind.checked_sub(1).map_or(segment_base, |at| self.times[at].offset)
    }

    /// Forgets what lies behind a cut at a batch boundary.
    pub fn truncate(&mut self, next_offset: Offset, position: u64) {
        self.offsets.truncate(self.offsets.partition_point(|row| row.position < position));
        self.times.truncate(self.times.partition_point(|row| row.offset < next_offset));
    }

    /// Its rows, in order.
    pub fn rows(&self) -> (&[OffsetRow], &[TimeRow]) {
        (&self.offsets, &self.times)
    }

    /// Bytes of memory in use.
    pub fn memory_bytes(&self) -> usize {
        self.offsets.capacity() * size_of::<OffsetRow>() + self.times.capacity() * size_of::<TimeRow>()
    }

    /// Length of the longer of the two files for a segment of `end_position` bytes, at most.
    pub fn encoded_bytes_max(end_position: u64) -> u64 {
        (end_position / INDEX_INTERVAL_BYTES + 1) * TIME_ROW_BYTES as u64
    }

    /// The two files' contents: `.index`, `.timeindex`. `largest` is that of the whole segment.
    pub fn encode(&self, segment_base: Offset, largest: TimeRow) -> (Vec<u8>, Vec<u8>) {
        let (mut offsets, mut times) = (Vec::new(), Vec::new());
        // Offsets of a segment are bounded to 32 bits when it is rolled, positions by its largest size.
        for row in &self.offsets {
            offsets.extend_from_slice(&((row.last_offset - segment_base) as u32).to_be_bytes());
            offsets.extend_from_slice(&(row.position as u32).to_be_bytes());
        }
        for row in self.times.iter().chain(self.is_later(largest).then_some(&largest)) {
            times.extend_from_slice(&row.timestamp.to_be_bytes());
            times.extend_from_slice(&((row.offset - segment_base) as u32).to_be_bytes());
        }
        (offsets, times)
    }

    /// Reads the two files back; `None` if they do not fit a segment of `end_position` bytes.
    pub fn decode(segment_base: Offset, end_position: u64, offsets: &[u8], times: &[u8]) -> Option<Self> {
        if !offsets.len().is_multiple_of(OFFSET_ROW_BYTES) || !times.len().is_multiple_of(TIME_ROW_BYTES) {
            return None;
        }
        let u32_of = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("4 bytes"));
        let offset_row = |bytes: &[u8]| OffsetRow {
            last_offset: segment_base + i64::from(u32_of(&bytes[..4])),
            position: u64::from(u32_of(&bytes[4..])),
        };
        let time_row = |bytes: &[u8]| TimeRow {
            timestamp: i64::from_be_bytes(bytes[..8].try_into().expect("8 bytes")),
            offset: segment_base + i64::from(u32_of(&bytes[8..])),
        };
        let offsets: Vec<_> = offsets.chunks_exact(OFFSET_ROW_BYTES).map(offset_row).collect();
        let times: Vec<_> = times.chunks_exact(TIME_ROW_BYTES).map(time_row).collect();
        let offsets_fit = offsets
            .is_sorted_by(|a, b| a.last_offset < b.last_offset && a.position < b.position)
            && offsets.last().is_none_or(|last| last.position < end_position);
        let times_fit = times.is_sorted_by(|a, b| a.timestamp < b.timestamp && a.offset < b.offset)
            && times.len() <= offsets.len() + 1;
        (offsets_fit && times_fit).then_some(SparseIndex { offsets, times })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: Offset = 1000;

    /// Records, bytes and largest timestamp of a batch.
    type Shape = (u8, u32, u16);

    struct Batch {
        base_offset: Offset,
        last_offset: Offset,
        position: u64,
        timestamp: i64,
    }

    fn batches_of(shapes: &[Shape]) -> (Vec<Batch>, u64) {
        let (mut base_offset, mut position) = (BASE, 0);
        let place = |&(records, bytes, timestamp): &Shape| {
            let last_offset = base_offset + i64::from(records);
            let batch = Batch { base_offset, last_offset, position, timestamp: i64::from(timestamp) };
            base_offset = last_offset + 1;
            position += u64::from(bytes % 50_000) + 61;
            batch
        };
        let batches = shapes.iter().map(place).collect();
        (batches, position)
    }

    fn index_of(batches: &[Batch]) -> (SparseIndex, TimeRow) {
        let mut index = SparseIndex::default();
        let mut largest = TimeRow { timestamp: i64::MIN, offset: BASE };
        for batch in batches {
            if batch.timestamp > largest.timestamp {
                largest = TimeRow { timestamp: batch.timestamp, offset: batch.last_offset };
            }
            index.note(OffsetRow { last_offset: batch.last_offset, position: batch.position }, largest);
        }
        (index, largest)
    }

    fn shapes() -> impl Strategy<Value = Vec<Shape>> {
        prop::collection::vec(any::<Shape>(), 1..200)
    }

    proptest! {
        #[test]
        fn an_index_comes_back_from_its_files(shapes in shapes()) {
            let (batches, end) = batches_of(&shapes);
            let (index, largest) = index_of(&batches);
            let (offsets, times) = index.encode(BASE, largest);
            prop_assert!(offsets.len().max(times.len()) as u64 <= SparseIndex::encoded_bytes_max(end));
            let read = SparseIndex::decode(BASE, end, &offsets, &times).expect("our own");
            prop_assert_eq!(&read.offsets, &index.offsets);
            prop_assert_eq!(read.times.last(), Some(&largest), "the last row is that of the segment");
            prop_assert!(read.times.starts_with(&index.times) && read.times.len() <= index.times.len() + 1);
        }

        /// What Kafka's dump tool checks of every row, and that look-ups never skip what is looked for.
        #[test]
        fn rows_are_those_of_batches_and_never_behind_what_is_looked_for(shapes in shapes()) {
            let (batches, _) = batches_of(&shapes);
            let (index, _) = index_of(&batches);
            for row in &index.offsets {
                let batch = batches.iter().find(|it| it.position == row.position).expect("a batch is there");
                prop_assert_eq!(batch.last_offset, row.last_offset);
            }
            for row in &index.times {
                let batch = batches.iter().find(|it| it.last_offset == row.offset).expect("a batch ends there");
                prop_assert_eq!(batch.timestamp, row.timestamp);
            }
            for batch in &batches {
                let position = index.start_for_offset(BASE, batch.base_offset).position;
                prop_assert!(position <= batch.position);
                prop_assert!(batch.position - position < 2 * (INDEX_INTERVAL_BYTES + 50_061));
                let first = batches.iter().find(|it| it.timestamp >= batch.timestamp).expect("itself");
                prop_assert!(index.offset_for_time(BASE, batch.timestamp) <= first.last_offset);
            }
        }

        #[test]
        fn an_index_that_was_cut_is_that_of_what_stays(shapes in shapes(), at in any::<prop::sample::Index>()) {
            let (batches, _) = batches_of(&shapes);
            let (mut index, _) = index_of(&batches);
            let kept = at.index(batches.len());
            index.truncate(batches[kept].base_offset, batches[kept].position);
            let (expected, largest) = index_of(&batches[..kept]);
            prop_assert_eq!(&index.offsets, &expected.offsets);
            // A row that was made behind the cut may be of a batch before it.
            prop_assert!(index.times.starts_with(&expected.times));
            prop_assert!(index.times.len() == expected.times.len() || index.times.last() == Some(&largest));
        }
    }

    #[test]
    fn files_of_another_segment_are_refused() {
        let shapes: Vec<_> = (0..10).map(|time| (1, 49_000, time)).collect();
        let (batches, end) = batches_of(&shapes);
        let (index, largest) = index_of(&batches);
        let (offsets, times) = index.encode(BASE, largest);
        assert!(SparseIndex::decode(BASE, end, &offsets, &times).is_some());
        assert!(SparseIndex::decode(BASE, end / 2, &offsets, &times).is_none());
        assert!(SparseIndex::decode(BASE, end, &offsets[1..], &times).is_none());
        assert!(SparseIndex::decode(BASE, end, &[], &times).is_none());
        let swapped =
            |rows: &[u8], length| rows.chunks_exact(length).rev().flatten().copied().collect::<Vec<_>>();
        assert!(SparseIndex::decode(BASE, end, &swapped(&offsets, 8), &times).is_none());
        assert!(SparseIndex::decode(BASE, end, &offsets, &swapped(&times, 12)).is_none());
    }

    #[test]
    fn the_files_have_kafkas_rows() {
        let mut index = SparseIndex::default();
        let interval = INDEX_INTERVAL_BYTES;
        index.note(OffsetRow { last_offset: 1004, position: 0 }, TimeRow { timestamp: 70, offset: 1004 });
        index.note(
            OffsetRow { last_offset: 1009, position: interval },
            TimeRow { timestamp: 70, offset: 1004 },
        );
        index.note(
            OffsetRow { last_offset: 1010, position: 2 * interval },
            TimeRow { timestamp: 70, offset: 1004 },
        );
        let (offsets, times) = index.encode(BASE, TimeRow { timestamp: 258, offset: 1011 });
        assert_eq!(offsets, [0, 0, 0, 9, 0, 0, 0x80, 0, 0, 0, 0, 10, 0, 1, 0, 0]);
        assert_eq!(times, [0, 0, 0, 0, 0, 0, 0, 70, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 11]);
        let (_, timeless) = SparseIndex::default().encode(BASE, TimeRow { timestamp: -1, offset: 1011 });
        assert!(timeless.is_empty(), "records without timestamps have no rows");
    }
}
