//! The first block of every journal file: which journal, and which part of it. Written once, at creation.
//!
//! ```text
//! offset size  (little-endian)
//!      0    4  magic "CLJF"
//!      4    4  format version
//!      8   16  journal id
//!     24   16  disk id
//!     40    8  slot
//!     48    8  file_count
//!     56    8  file_bytes
//!     64    8  group_bytes_max
//!     72    4  checksum, CRC-32 of bytes 0 to 71
//! ```

use super::ring::RingShape;
use crate::base::buffer::AlignedBuf;

const MAGIC: [u8; 4] = *b"CLJF";
const VERSION: u32 = 1;
const LENGTH: usize = 76;

/// Which journal a file belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalIdentity {
    /// Random, drawn when the journal is created.
    pub journal_id: [u8; 16],
    /// The data directory's disk id, so that files of different disks are never mixed.
    pub disk_id: [u8; 16],
}

/// A file's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileHeader {
    /// The journal.
    pub identity: JournalIdentity,
    /// The file's index among the journal's files.
    pub slot: u64,
    /// The journal's shape.
    pub shape: RingShape,
}

/// Encodes a header as one block.
pub fn encode(header: &FileHeader) -> AlignedBuf {
    let mut buffer = AlignedBuf::with_capacity(LENGTH);
    buffer.append(&MAGIC);
    buffer.append(&VERSION.to_le_bytes());
    buffer.append(&header.identity.journal_id);
    buffer.append(&header.identity.disk_id);
    buffer.append(&header.slot.to_le_bytes());
    buffer.append(&header.shape.file_count.to_le_bytes());
    buffer.append(&header.shape.file_bytes.to_le_bytes());
    buffer.append(&header.shape.group_bytes_max.to_le_bytes());
    let checksum = crc32fast::hash(buffer.as_slice());
    buffer.append(&checksum.to_le_bytes());
    buffer.pad_to_block();
    buffer
}

/// Decodes what [`encode`] made; `None` if it is damaged or of another format version.
pub fn decode(bytes: &[u8]) -> Option<FileHeader> {
    let bytes = bytes.get(..LENGTH)?;
    let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
    let intact = bytes[0..4] == MAGIC
        && bytes[4..8] == VERSION.to_le_bytes()
        && bytes[72..76] == crc32fast::hash(&bytes[..72]).to_le_bytes();
    intact.then(|| FileHeader {
        identity: JournalIdentity {
            journal_id: bytes[8..24].try_into().expect("16 bytes"),
            disk_id: bytes[24..40].try_into().expect("16 bytes"),
        },
        slot: u64_at(40),
        shape: RingShape { file_count: u64_at(48), file_bytes: u64_at(56), group_bytes_max: u64_at(64) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_damage_is_noticed() {
        let header = FileHeader {
            identity: JournalIdentity { journal_id: [1; 16], disk_id: [2; 16] },
            slot: 3,
            shape: RingShape { file_count: 4, file_bytes: 1 << 26, group_bytes_max: 1 << 20 },
        };
        let block = encode(&header);
        assert_eq!(decode(block.as_slice()), Some(header));
        for at in 0..LENGTH {
            let mut damaged = block.as_slice().to_vec();
            damaged[at] ^= 1;
            assert_eq!(decode(&damaged), None, "byte {at}");
        }
        assert_eq!(decode(&block.as_slice()[..LENGTH - 1]), None);
    }
}
