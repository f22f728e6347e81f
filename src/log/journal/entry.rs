//! One entry of a journal group: what happened to one partition.
//!
//! ```text
//! offset size  (little-endian)
//!      0    1  kind
//!      1    3  zero
//!      4    4  leader_epoch
//!      8   16  topic id
//!     24    4  partition index
//!     28    4  payload_offset, from the start of the group
//!     32    4  payload_length
//!     36    4  payload checksum, CRC-32
//!     40    8  base_offset
//!     48    8  last_offset
//!     56    8  segment_base
//!     64    8  position
//!     72    8  first_batch_position
//! ```
//! Every entry says where in which segment its bytes belong, so that replay never has to work out again when
//! a segment was rolled.

use serde::Serialize;

use crate::base::ids::{LeaderEpoch, Offset, PartitionId, TopicId};

/// Size of an entry in a group's table.
pub const ENTRY_BYTES: usize = 80;

/// What an entry does to its partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Record batches were appended: the payload, whole batches from `base_offset` to `last_offset`.
    Append,
    /// The payload repeats bytes that an older entry holds and the segment does not yet, so that the older
    /// entry's journal file can be recycled. It may begin inside a batch; `first_batch_position` is where
    /// the first whole batch begins and `base_offset` is that batch's offset.
    Carry,
    /// The log was cut: `base_offset` is the new log end, `segment_base` and `position` say where that is.
    /// The payload repeats what stays of the block that the cut goes through.
    Truncate,
    /// The log's first readable offset moved up to `base_offset`.
    LogStart,
    /// One batch was appended whose whole blocks, with all before them in its segment, are durable there already. The
    /// payload is what the segment does not say (`extent.rs`); `position` is where the batch begins.
    Extent,
}

impl EntryKind {
    fn code(self) -> u8 {
        match self {
            EntryKind::Append => 1,
            EntryKind::Carry => 2,
            EntryKind::Truncate => 3,
            EntryKind::LogStart => 4,
            EntryKind::Extent => 5,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        use EntryKind::*;
        [Append, Carry, Truncate, LogStart, Extent].into_iter().find(|kind| kind.code() == code)
    }
}

/// An entry without its payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What happened.
    pub kind: EntryKind,
    /// To which partition.
    pub partition: PartitionId,
    /// Under which leader's term.
    pub leader_epoch: LeaderEpoch,
    /// See [`EntryKind`].
    pub base_offset: Offset,
    /// Offset of the payload's last record; `base_offset - 1` where the payload holds no whole batch.
    pub last_offset: Offset,
    /// Base offset of the segment to which the payload belongs.
    pub segment_base: Offset,
    /// Position of the payload in that segment, in bytes.
    pub position: u64,
    /// Position of the payload's first whole batch in that segment, in bytes.
    pub first_batch_position: u64,
}

/// Where in a group an entry's payload lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PayloadPlace {
    /// From the start of the group, in bytes.
    pub offset: u32,
    /// In bytes.
    pub length: u32,
    /// CRC-32 of the payload.
    pub checksum: u32,
}

/// Encodes an entry and the place of its payload.
pub fn encode(entry: &Entry, place: PayloadPlace) -> [u8; ENTRY_BYTES] {
    let mut bytes = [0; ENTRY_BYTES];
    bytes[0] = entry.kind.code();
    bytes[4..8].copy_from_slice(&entry.leader_epoch.to_le_bytes());
    bytes[8..24].copy_from_slice(&entry.partition.topic.to_bytes());
    bytes[24..28].copy_from_slice(&entry.partition.index.to_le_bytes());
    bytes[28..32].copy_from_slice(&place.offset.to_le_bytes());
    bytes[32..36].copy_from_slice(&place.length.to_le_bytes());
    bytes[36..40].copy_from_slice(&place.checksum.to_le_bytes());
    bytes[40..48].copy_from_slice(&entry.base_offset.to_le_bytes());
    bytes[48..56].copy_from_slice(&entry.last_offset.to_le_bytes());
    bytes[56..64].copy_from_slice(&entry.segment_base.to_le_bytes());
    bytes[64..72].copy_from_slice(&entry.position.to_le_bytes());
    bytes[72..80].copy_from_slice(&entry.first_batch_position.to_le_bytes());
    bytes
}

/// Decodes what [`encode`] made; `None` for a kind that this version does not know.
pub fn decode(bytes: &[u8; ENTRY_BYTES]) -> Option<(Entry, PayloadPlace)> {
    let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let entry = Entry {
        kind: EntryKind::from_code(bytes[0])?,
        leader_epoch: u32_at(4) as i32,
        partition: PartitionId {
            topic: TopicId::from_bytes(bytes[8..24].try_into().expect("16 bytes")),
            index: u32_at(24) as i32,
        },
        base_offset: u64_at(40) as i64,
        last_offset: u64_at(48) as i64,
        segment_base: u64_at(56) as i64,
        position: u64_at(64),
        first_batch_position: u64_at(72),
    };
    Some((entry, PayloadPlace { offset: u32_at(28), length: u32_at(32), checksum: u32_at(36) }))
}
