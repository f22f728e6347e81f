//! A checkpoint file: one block of header, then the partitions' records.
//!
//! ```text
//! offset size  (little-endian)
//!      0    4  magic "CLCP"
//!      4    4  format version
//!      8    8  generation
//!     16   16  journal id
//!     32   16  disk id
//!     48    8  file_number: replay begins at the start of this journal file
//!     56    8  sequence of that file's first group
//!     64    8  recovery count of the group before it
//!     72    4  checksum of the group before it
//!     76    4  checksum of the body, CRC-32
//!     80    8  length of the body
//!     88    4  checksum, CRC-32 of bytes 0 to 87
//!   4096       body: for each partition a u64 length, a u64 0, an rkyv archive of that length (record.rs), zeros
//!              up to a multiple of 16; where compaction was at it, behind that the same with a u64 1 and an
//!              archive of compaction.rs; where records of it are lost, behind that with a u64 2 and one of damage.rs
//! ```
//! Version 2 has no frames of compaction, and version 3 none of damage; version 4 is written only where there is one.
//! Two files take turns, so that a torn one leaves the other.

use bytes::Bytes;

use super::compaction::CompactionRecord;
use super::damage::DamageRecord;
use super::record::PartitionRecord;
use crate::base::buffer::AlignedBuf;
use crate::base::limits::{BLOCK_BYTES, CHECKPOINT_IO_BYTES};
use crate::log::journal::file_header::JournalIdentity;
use crate::log::journal::ring::{FileStart, Link};

const MAGIC: [u8; 4] = *b"CLCP";
const VERSION: u32 = 4;
/// What is written where no partition is marked as damaged, so that an earlier version reads it too.
const VERSION_UNMARKED: u32 = 3;
/// The oldest version that is read.
const VERSION_MIN: u32 = 2;
const HEADER_BYTES: usize = 92;
/// rkyv archives are read in place at this alignment.
const FRAME_ALIGN: usize = 16;
/// A frame with a partition.
const PARTITION_FRAME: u64 = 0;
/// A frame with what compaction has done to the partition before.
const COMPACTION_FRAME: u64 = 1;
/// A frame with what is lost of the partition before.
const DAMAGE_FRAME: u64 = 2;

/// The header of a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CheckpointHeader {
    /// Counts checkpoints, from 1.
    pub generation: u64,
    /// The journal that it belongs to.
    pub identity: JournalIdentity,
    /// Where replay begins.
    pub start: FileStart,
}

/// Collects a checkpoint's body in the pieces in which it will be written, so that no step takes long however
/// many partitions there are.
#[derive(Default)]
pub struct BodyBuilder {
    pieces: Vec<AlignedBuf>,
    length: usize,
    checksum: crc32fast::Hasher,
    is_marked: bool,
}

impl BodyBuilder {
    /// Adds a partition.
    pub fn push(&mut self, record: &PartitionRecord) {
        let archive = rkyv::to_bytes::<rkyv::rancor::Error>(record).expect("memory is the only limit");
        self.frame(PARTITION_FRAME, &archive);
        if let Some(compaction) = CompactionRecord::of(record) {
            let archive =
                rkyv::to_bytes::<rkyv::rancor::Error>(&compaction).expect("memory is the only limit");
            self.frame(COMPACTION_FRAME, &archive);
        }
        if let Some(damage) = &record.damage {
            let archive = rkyv::to_bytes::<rkyv::rancor::Error>(damage).expect("memory is the only limit");
            self.frame(DAMAGE_FRAME, &archive);
            self.is_marked = true;
        }
    }

    fn frame(&mut self, kind: u64, archive: &[u8]) {
        self.append(&(archive.len() as u64).to_le_bytes());
        self.append(&kind.to_le_bytes());
        self.append(archive);
        self.append(&[0; FRAME_ALIGN][..self.length.next_multiple_of(FRAME_ALIGN) - self.length]);
    }

    /// Length of the body so far, in bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    fn append(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len();
        self.checksum.update(bytes);
        while !bytes.is_empty() {
            if self.pieces.last().is_none_or(|piece| piece.remaining() == 0) {
                self.pieces.push(AlignedBuf::with_capacity(CHECKPOINT_IO_BYTES));
            }
            let piece = self.pieces.last_mut().expect("just made");
            let (fitting, rest) = bytes.split_at(bytes.len().min(piece.remaining()));
            piece.append(fitting);
            bytes = rest;
        }
    }

    /// Header block and the pieces of the body as they stand in the file one behind the other: the body must be
    /// durable before the header is written.
    pub fn finish(mut self, header: &CheckpointHeader) -> (Bytes, Vec<AlignedBuf>) {
        let mut head = AlignedBuf::with_capacity(BLOCK_BYTES);
        head.append(&MAGIC);
        let version = if self.is_marked { VERSION } else { VERSION_UNMARKED };
        head.append(&version.to_le_bytes());
        head.append(&header.generation.to_le_bytes());
        head.append(&header.identity.journal_id);
        head.append(&header.identity.disk_id);
        head.append(&header.start.file_number.to_le_bytes());
        head.append(&header.start.link.sequence.to_le_bytes());
        head.append(&header.start.link.recovery_count.to_le_bytes());
        head.append(&header.start.link.previous_checksum.to_le_bytes());
        head.append(&self.checksum.finalize().to_le_bytes());
        head.append(&(self.length as u64).to_le_bytes());
        let checksum = crc32fast::hash(head.as_slice());
        head.append(&checksum.to_le_bytes());
        head.pad_to_block();
        self.pieces.last_mut().into_iter().for_each(AlignedBuf::pad_to_block);
        (head.view(0..BLOCK_BYTES), self.pieces)
    }
}

/// Decodes the header block: the header, the body's length and its checksum.
pub fn decode_header(block: &[u8]) -> Option<(CheckpointHeader, usize, u32)> {
    let bytes = block.get(..HEADER_BYTES)?;
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let is_known = bytes[0..4] == MAGIC && (VERSION_MIN..=VERSION).contains(&u32_at(4));
    let intact = is_known && u32_at(88) == crc32fast::hash(&bytes[..88]);
    let link = Link { sequence: u64_at(56), recovery_count: u64_at(64), previous_checksum: u32_at(72) };
    let header = CheckpointHeader {
        generation: u64_at(8),
        identity: JournalIdentity {
            journal_id: bytes[16..32].try_into().expect("16 bytes"),
            disk_id: bytes[32..48].try_into().expect("16 bytes"),
        },
        start: FileStart { file_number: u64_at(48), link },
    };
    intact.then_some((header, u64_at(80) as usize, u32_at(76)))
}

/// Decodes the body, which must begin at a 16-byte boundary of memory; `None` if it is damaged.
pub fn decode_body(body: &[u8], checksum: u32) -> Option<Vec<PartitionRecord>> {
    if crc32fast::hash(body) != checksum {
        return None;
    }
    let mut records: Vec<PartitionRecord> = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let u64_at = |at: usize| Some(u64::from_le_bytes(body.get(at..at + 8)?.try_into().expect("8 bytes")));
        let (length, kind) = (u64_at(at)? as usize, u64_at(at + 8)?);
        let archive = body.get(at + FRAME_ALIGN..)?.get(..length)?;
        match kind {
            PARTITION_FRAME => records.push(rkyv::from_bytes::<_, rkyv::rancor::Error>(archive).ok()?),
            COMPACTION_FRAME => {
                let compaction = rkyv::from_bytes::<CompactionRecord, rkyv::rancor::Error>(archive).ok()?;
                compaction.complete(records.last_mut()?)?;
            }
            DAMAGE_FRAME => {
                let damage = rkyv::from_bytes::<DamageRecord, rkyv::rancor::Error>(archive).ok()?;
                records.last_mut()?.damage = Some(damage);
            }
            _ => return None,
        }
        at = (at + FRAME_ALIGN + length).next_multiple_of(FRAME_ALIGN);
    }
    Some(records)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::ids::{PartitionId, TopicId};
    use crate::base::limits::INDEX_INTERVAL_BYTES;
    use crate::log::journal::writer::JournalPosition;
    use crate::log::segment::index::{OffsetRow, SparseIndex, TimeRow};
    use crate::log::segment::{SegmentClock, SegmentRecord};
    use crate::log::snapshot::{EpochStart, StateSnapshot};

    fn header() -> CheckpointHeader {
        CheckpointHeader {
            generation: 7,
            identity: JournalIdentity { journal_id: [1; 16], disk_id: [2; 16] },
            start: FileStart {
                file_number: 9,
                link: Link { sequence: 4711, previous_checksum: 0xfeed, recovery_count: 3 },
            },
        }
    }

    fn index_of(entries: usize) -> SparseIndex {
        let mut index = SparseIndex::default();
        for at in 1..=entries as i64 {
            let row = OffsetRow { last_offset: at, position: at as u64 * INDEX_INTERVAL_BYTES };
            index.note(row, TimeRow { timestamp: at, offset: at });
        }
        index
    }

    fn record(index: i32, entries: usize) -> PartitionRecord {
        let segment = SegmentRecord {
            base_offset: 5,
            next_offset: 99,
            end_position: 12_345,
            synced: 8192,
            largest: TimeRow { timestamp: 17, offset: 98 },
            clock: SegmentClock { first_timestamp: 3, first_append_ms: 4, last_append_ms: 5 },
            index: index_of(entries),
            sealed: false,
            was_cut: true,
            generation: index as u32,
        };
        let epochs = vec![EpochStart { leader_epoch: 1, start_offset: 5 }];
        let state = StateSnapshot { log_end_offset: 99, epochs, ..StateSnapshot::default() };
        let id = PartitionId { topic: TopicId::from_bytes([3; 16]), index };
        let as_of = JournalPosition { sequence: 4, entries: 2 };
        let damage = (index % 2 == 1).then(|| DamageRecord { offset: 42, what: "rot".to_owned() });
        PartitionRecord::new(id, as_of, state, vec![segment])
            .compacted_to(i64::from(index) * 10)
            .damaged(damage)
    }

    fn encoded(records: &[PartitionRecord]) -> (Vec<u8>, AlignedBuf, usize) {
        let mut builder = BodyBuilder::default();
        records.iter().for_each(|record| builder.push(record));
        let length = builder.length();
        let (head, pieces) = builder.finish(&header());
        let whole: Vec<u8> = pieces.iter().flat_map(|piece| piece.as_slice().to_vec()).collect();
        assert!(whole.len() == length.next_multiple_of(BLOCK_BYTES));
        (head.to_vec(), AlignedBuf::copy_of(&whole), length)
    }

    fn version_of(records: &[PartitionRecord]) -> u32 {
        let (head, _, _) = encoded(records);
        u32::from_le_bytes(head[4..8].try_into().expect("4 bytes"))
    }

    /// Whoever has no damage can go back to the version before.
    #[test]
    fn the_version_tells_whether_a_partition_is_marked() {
        assert_eq!(version_of(&[]), 3);
        assert_eq!(version_of(&[record(0, 3), record(2, 3)]), 3);
        assert_eq!(version_of(&[record(0, 3), record(1, 3)]), 4);
    }

    #[test]
    fn a_mark_without_a_partition_is_no_checkpoint() {
        let mut builder = BodyBuilder::default();
        let damage = DamageRecord { offset: 1, what: String::new() };
        let archive = rkyv::to_bytes::<rkyv::rancor::Error>(&damage).expect("memory");
        builder.frame(DAMAGE_FRAME, &archive);
        let length = builder.length();
        let (head, pieces) = builder.finish(&header());
        let (_, _, checksum) = decode_header(&head).expect("whole");
        assert_eq!(decode_body(&pieces[0].as_slice()[..length], checksum), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_checkpoint_comes_back_and_damage_is_noticed(
            // Up to several pieces: an entry of the index takes 32 bytes.
            sizes in prop::collection::vec(0usize..10_000, 0..4), at in any::<prop::sample::Index>(),
        ) {
            let records: Vec<_> = sizes.iter().enumerate().map(|(i, &n)| record(i as i32, n)).collect();
            let (head, body, length) = encoded(&records);
            let (got, got_length, checksum) = decode_header(&head).expect("whole");
            prop_assert_eq!((got, got_length), (header(), length));
            prop_assert_eq!(decode_body(&body.as_slice()[..length], checksum), Some(records));
            if length > 0 {
                let mut damaged = body.as_slice()[..length].to_vec();
                damaged[at.index(length)] ^= 4;
                prop_assert_eq!(decode_body(&damaged, checksum), None);
            }
            let mut damaged = head;
            damaged[at.index(HEADER_BYTES)] ^= 4;
            prop_assert_eq!(decode_header(&damaged), None);
        }
    }
}
