//! A journal group: the unit of one durable write (docs/journal-format.md).
//!
//! ```text
//! offset size  (little-endian)
//!      0    4  magic "CLJ1"
//!      4    2  format version
//!      6    2  flags: bit 0 = start group
//!      8   16  journal id
//!     24    8  recovery_count
//!     32    8  sequence
//!     40    8  durable_through
//!     48    4  checksum of the previous group
//!     52    4  number of entries
//!     56    4  table_offset
//!     60    4  total length, a multiple of 4096
//!     64   60  zero
//!    124    4  checksum, CRC-32 of bytes 0 to 123 and of the table
//!    128       payloads, then zeros up to table_offset (a multiple of 8),
//!              the table (entry.rs), zeros up to the total length
//! ```
//! The checksum covers the header and the table; each payload has one of its own in the table, so that rot
//! in a payload names its partition and costs no other.

use bytes::Bytes;

use super::entry::{self, ENTRY_BYTES, Entry, PayloadPlace};
use crate::base::buffer::AlignedBuf;
use crate::base::limits::BLOCK_BYTES;
use crate::base::planted::{Bug, is_planted};

const MAGIC: [u8; 4] = *b"CLJ1";
/// Written. Since 2 there are extent entries.
const VERSION: u16 = 2;
/// Read: groups of version 1 are like those of version 2.
const OLDEST_VERSION: u16 = 1;
const FLAG_START: u16 = 1;
const CHECKSUM_AT: usize = 124;

/// Size of a group's header.
pub const HEADER_BYTES: usize = 128;
// Around the payload of a lone entry, a group takes less than one more block.
const _: () = assert!(HEADER_BYTES + 8 + ENTRY_BYTES < BLOCK_BYTES);

/// What chains a group to the ones before it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GroupHeader {
    /// Random id of the journal; foreign bytes never match it.
    pub journal_id: [u8; 16],
    /// How often the journal had been recovered when the group was written.
    pub recovery_count: u64,
    /// Counts groups, from 1.
    pub sequence: u64,
    /// The last sequence known durable when the group was written.
    pub durable_through: u64,
    /// [`GroupHeader`] checksum of the group before this one; 0 for the first.
    pub previous_checksum: u32,
    /// Written by a recovery before it accepts work: allowed to raise the recovery count.
    pub is_start: bool,
}

/// Bytes that a group takes on disk with these payload bytes in this many entries.
pub fn encoded_bytes(payload_bytes: usize, entries: usize) -> usize {
    let table_offset = (HEADER_BYTES + payload_bytes).next_multiple_of(8);
    (table_offset + entries * ENTRY_BYTES).next_multiple_of(BLOCK_BYTES)
}

/// A group that is being filled.
pub struct GroupBuilder {
    buffer: AlignedBuf,
    table: Vec<u8>,
    entries: usize,
}

impl GroupBuilder {
    /// A group in the given memory, which is emptied; panics if it is still being looked at.
    pub fn new(mut buffer: AlignedBuf) -> Self {
        assert!(buffer.reset(), "group memory is reused only after its write has ended");
        buffer.append_zeros(HEADER_BYTES);
        GroupBuilder { buffer, table: Vec::new(), entries: 0 }
    }

    /// Entries so far.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Bytes on disk so far.
    pub fn encoded_bytes(&self) -> usize {
        encoded_bytes(self.buffer.len() - HEADER_BYTES, self.entries)
    }

    /// Whether an entry with a payload of this length still fits.
    pub fn fits(&self, payload_length: usize) -> bool {
        encoded_bytes(self.buffer.len() - HEADER_BYTES + payload_length, self.entries + 1)
            <= self.buffer.capacity()
    }

    /// Adds an entry whose payload is the concatenation of `parts`. Panics if it does not fit.
    pub fn push(&mut self, entry: &Entry, parts: &[&[u8]]) {
        let offset = self.buffer.len();
        let mut checksum = crc32fast::Hasher::new();
        for part in parts {
            self.buffer.append(part);
            // Computed while the bytes are in cache from the copy.
            checksum.update(part);
        }
        let place = PayloadPlace {
            offset: offset as u32,
            length: (self.buffer.len() - offset) as u32,
            checksum: checksum.finalize(),
        };
        self.table.extend_from_slice(&entry::encode(entry, place));
        self.entries += 1;
    }

    /// Finishes the group: its memory, padded to whole blocks, and its checksum for the next group's chain.
    pub fn finish(mut self, header: &GroupHeader) -> (AlignedBuf, u32) {
        self.buffer.append_zeros(self.buffer.len().next_multiple_of(8) - self.buffer.len());
        let table_offset = self.buffer.len();
        self.buffer.append(&self.table);
        self.buffer.pad_to_block();
        let total = self.buffer.len();
        let bytes = self.buffer.as_mut_slice().expect("nobody looks at an open group");
        encode_header(header, self.entries, table_offset, total, &mut bytes[..CHECKSUM_AT]);
        let checksum = checksum_of(&bytes[..CHECKSUM_AT], &self.table);
        bytes[CHECKSUM_AT..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
        (self.buffer, checksum)
    }
}

fn encode_header(header: &GroupHeader, entries: usize, table_offset: usize, total: usize, to: &mut [u8]) {
    let flags = if header.is_start { FLAG_START } else { 0 };
    to[0..4].copy_from_slice(&MAGIC);
    to[4..6].copy_from_slice(&VERSION.to_le_bytes());
    to[6..8].copy_from_slice(&flags.to_le_bytes());
    to[8..24].copy_from_slice(&header.journal_id);
    to[24..32].copy_from_slice(&header.recovery_count.to_le_bytes());
    to[32..40].copy_from_slice(&header.sequence.to_le_bytes());
    to[40..48].copy_from_slice(&header.durable_through.to_le_bytes());
    to[48..52].copy_from_slice(&header.previous_checksum.to_le_bytes());
    to[52..56].copy_from_slice(&(entries as u32).to_le_bytes());
    to[56..60].copy_from_slice(&(table_offset as u32).to_le_bytes());
    to[60..64].copy_from_slice(&(total as u32).to_le_bytes());
}

fn checksum_of(header: &[u8], table: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(table);
    hasher.finalize()
}

/// A group read back: header and table are whole, payloads are checked one by one.
#[derive(Clone, Debug)]
pub struct Group {
    /// The header.
    pub header: GroupHeader,
    /// The checksum that the next group must name.
    pub checksum: u32,
    /// Length on disk.
    pub total_bytes: usize,
    /// The entries with their payloads; `None` where the payload does not match its checksum.
    pub entries: Vec<(Entry, Option<Bytes>)>,
}

/// What the bytes of a group's header say, whether its checksum holds or not; `None` for what is no header at all.
/// For those who look at a group that is torn or rotten.
pub fn claimed_header(bytes: &[u8]) -> Option<GroupHeader> {
    let head = bytes.get(..HEADER_BYTES)?;
    let u64_at = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().expect("8 bytes"));
    let version = u16::from_le_bytes([head[4], head[5]]);
    let is_header = head[0..4] == MAGIC && (OLDEST_VERSION..=VERSION).contains(&version);
    is_header.then(|| GroupHeader {
        journal_id: head[8..24].try_into().expect("16 bytes"),
        recovery_count: u64_at(24),
        sequence: u64_at(32),
        durable_through: u64_at(40),
        previous_checksum: u32::from_le_bytes(head[48..52].try_into().expect("4 bytes")),
        is_start: u16::from_le_bytes([head[6], head[7]]) & FLAG_START != 0,
    })
}

/// The entries of a group that this process has just made, each with the place of its payload. Nothing is checked anew.
pub fn own_entries(group: &[u8]) -> impl Iterator<Item = (Entry, PayloadPlace)> + '_ {
    let u32_at = |at: usize| u32::from_le_bytes(group[at..at + 4].try_into().expect("4 bytes"));
    let (entries, table_offset) = (u32_at(52) as usize, u32_at(56) as usize);
    let table = &group[table_offset..table_offset + entries * ENTRY_BYTES];
    table
        .chunks_exact(ENTRY_BYTES)
        .map(|row| entry::decode(row.try_into().expect("a row")).expect("our own entry"))
}

/// Decodes the group at the start of `bytes`; `None` if no whole, undamaged header and table stand there.
pub fn decode(bytes: &Bytes) -> Option<Group> {
    let header = claimed_header(bytes)?;
    let head = &bytes[..HEADER_BYTES];
    let u32_at = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("4 bytes"));
    let (entries, table_offset, total) = (u32_at(52) as usize, u32_at(56) as usize, u32_at(60) as usize);
    let table_end = entries.checked_mul(ENTRY_BYTES)?.checked_add(table_offset)?;
    if table_offset < HEADER_BYTES || table_end > total || total > bytes.len() {
        return None;
    }
    let table = &bytes[table_offset..table_end];
    let checksum = u32_at(CHECKSUM_AT);
    if checksum != checksum_of(&head[..CHECKSUM_AT], table) {
        return None;
    }
    let entries = table
        .chunks_exact(ENTRY_BYTES)
        .map(|row| decode_entry(row.try_into().expect("a row"), bytes, table_offset))
        .collect::<Option<Vec<_>>>()?;
    Some(Group { header, checksum, total_bytes: total, entries })
}

fn decode_entry(
    row: &[u8; ENTRY_BYTES],
    group: &Bytes,
    table_offset: usize,
) -> Option<(Entry, Option<Bytes>)> {
    let (entry, place) = entry::decode(row)?;
    let (start, length) = (place.offset as usize, place.length as usize);
    if start < HEADER_BYTES || start.checked_add(length)? > table_offset {
        return None;
    }
    let payload = group.slice(start..start + length);
    let intact = crc32fast::hash(&payload) == place.checksum || is_planted(Bug::TrustPayloads);
    Some((entry, intact.then_some(payload)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::entry::EntryKind;
    use super::*;
    use crate::base::ids::{PartitionId, TopicId};

    fn header(sequence: u64) -> GroupHeader {
        GroupHeader {
            journal_id: [7; 16],
            recovery_count: 3,
            sequence,
            durable_through: sequence - 1,
            previous_checksum: 0xabcd,
            is_start: false,
        }
    }

    fn entry(index: i32) -> Entry {
        Entry {
            kind: EntryKind::Append,
            partition: PartitionId { topic: TopicId::from_bytes([9; 16]), index },
            leader_epoch: 5,
            base_offset: 100,
            last_offset: 109,
            segment_base: 50,
            position: 4711,
            first_batch_position: 4711,
        }
    }

    fn group_of(payloads: &[Vec<u8>]) -> (Bytes, u32) {
        let bytes: usize = payloads.iter().map(Vec::len).sum();
        let mut builder = GroupBuilder::new(AlignedBuf::with_capacity(encoded_bytes(bytes, payloads.len())));
        for (index, payload) in payloads.iter().enumerate() {
            assert!(builder.fits(payload.len()));
            let middle = payload.len() / 2;
            builder.push(&entry(index as i32), &[&payload[..middle], &payload[middle..]]);
        }
        let (buffer, checksum) = builder.finish(&header(9));
        (buffer.view(0..buffer.len()), checksum)
    }

    proptest! {
        #[test]
        fn a_group_comes_back(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20)) {
            let (bytes, checksum) = group_of(&payloads);
            prop_assert_eq!(bytes.len() % BLOCK_BYTES, 0);
            let group = decode(&bytes).expect("whole");
            prop_assert_eq!(group.header, header(9));
            prop_assert_eq!((group.checksum, group.total_bytes), (checksum, bytes.len()));
            prop_assert_eq!(group.entries.len(), payloads.len());
            for ((got, place), want) in own_entries(&bytes).zip(&payloads) {
                let at = place.offset as usize;
                prop_assert_eq!(got.partition.topic, entry(0).partition.topic);
                prop_assert_eq!(&bytes[at..at + place.length as usize], &want[..]);
                prop_assert_eq!(place.checksum, crc32fast::hash(want));
            }
            for (index, ((got, bytes), want)) in group.entries.iter().zip(&payloads).enumerate() {
                prop_assert_eq!(got, &entry(index as i32));
                prop_assert_eq!(bytes.as_deref(), Some(&want[..]));
            }
        }

        #[test]
        fn damage_is_noticed_and_named(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), 1..6),
            at in any::<prop::sample::Index>(), bit in 0u8..8,
        ) {
            let (bytes, _) = group_of(&payloads);
            let used = HEADER_BYTES + payloads.iter().map(Vec::len).sum::<usize>();
            let at = at.index(used);
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1 << bit;
            match decode(&Bytes::from(damaged)) {
                None => prop_assert!(at < HEADER_BYTES),
                Some(group) => {
                    prop_assert!(at >= HEADER_BYTES);
                    prop_assert_eq!(group.entries.iter().filter(|(_, payload)| payload.is_none()).count(), 1);
                }
            }
        }

        #[test]
        fn hostile_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), total in any::<u32>()) {
            let mut bytes = bytes;
            if bytes.len() > 64 {
                bytes[0..4].copy_from_slice(&MAGIC);
                bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
                bytes[60..64].copy_from_slice(&total.to_le_bytes());
            }
            prop_assert!(decode(&Bytes::from(bytes)).is_none());
        }
    }

    #[test]
    fn every_kind_of_entry_comes_back() {
        for kind in [EntryKind::Append, EntryKind::Carry, EntryKind::Truncate, EntryKind::LogStart] {
            let entry = Entry { kind, ..entry(1) };
            let place = PayloadPlace { offset: 1, length: 2, checksum: 3 };
            assert_eq!(entry::decode(&entry::encode(&entry, place)), Some((entry, place)));
        }
        assert_eq!(entry::decode(&[0; ENTRY_BYTES]), None);
    }
}
