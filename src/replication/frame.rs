//! A frame between two peer shards:
//!
//! ```text
//! offset size  (little-endian)
//!      0    4  magic "CLRF"
//!      4    4  format version
//!      8   16  cluster id
//!     24    4  sender: node
//!     28    2  sender: shard
//!     30    2  receiver: shard
//!     32    4  receiver: node
//!     36    2  kind: 1 Push, 2 Answers
//!     38    2  stream: 1 live, 2 catch-up
//!     40    8  session: that of the live connection, as the hello of who opened it has named it
//!     48    8  incarnation: which start of the receiver's node the session is with
//!     56    8  sequence: counts the frames of the session and stream, from 1
//!     64    4  length of the archive
//!     68    4  length of the records
//!     72    4  checksum of the archive, CRC-32
//!     76    4  checksum, CRC-32 of bytes 0 to 75
//!     80       rkyv archive of the Push or the Answers, its root at the end
//!              records of the Push's entries, one after the other; each entry has their CRC-32
//! ```
//! The header is checked before memory is taken for the rest. Its length keeps the archive aligned for who reads a whole
//! frame into one buffer.

use thiserror::Error;

use crate::base::ids::{NodeId, ShardId};
use crate::base::limits::{
    REPLICATION_ARCHIVE_BYTES_MAX, REPLICATION_ENTRIES_MAX, REPLICATION_RECORDS_BYTES_MAX,
};

const MAGIC: [u8; 4] = *b"CLRF";
const VERSION: u32 = 1;
/// Length of the header.
pub const FRAME_HEADER_BYTES: usize = 80;
/// The body of a frame must lie at a multiple of this in memory to be read in place.
pub const ARCHIVE_ALIGN_BYTES: usize = 16;
const _: () = assert!(FRAME_HEADER_BYTES.is_multiple_of(ARCHIVE_ALIGN_BYTES));

/// A shard of a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PeerShard {
    /// The node.
    pub node: NodeId,
    /// The shard.
    pub shard: ShardId,
}

/// One of the two connections of a session, so that a follower that reads the log does not hold up those that are at its
/// end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stream {
    /// For what is appended, as it is journaled, and for all that is not records.
    Live,
    /// For what is read from the leader's log.
    CatchUp,
}

/// Whose frame it is, and which one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address {
    /// The cluster.
    pub cluster: [u8; 16],
    /// The sender.
    pub from: PeerShard,
    /// The receiver.
    pub to: PeerShard,
    /// By which of the session's connections it comes.
    pub stream: Stream,
    /// That of the live connection, as the hello of who opened it has named it: a later one is greater, also after a
    /// restart. The connection for catching up and the answers go by the same number.
    pub session: u64,
    /// Which start of the receiver's node the session is with.
    pub incarnation: u64,
    /// Counts the frames of the session and stream.
    pub sequence: u64,
}

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameKind {
    /// A leader's records and what goes with them.
    Push,
    /// A follower's answers.
    Answers,
}

/// The header of a frame that was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// Whose frame it is.
    pub address: Address,
    /// What it holds.
    pub kind: FrameKind,
    /// Length of the archive, in bytes.
    pub archive_bytes: usize,
    /// Length of the records behind it, in bytes.
    pub records_bytes: usize,
    /// CRC-32 of the archive.
    pub(super) archive_checksum: u32,
}

/// Why bytes are no frame. The connection that they came from cannot be used any more.
#[derive(Error, Clone, PartialEq, Eq, Debug)]
pub enum FrameError {
    /// Somebody else's bytes.
    #[error("the bytes are not of a peer shard of this cluster")]
    NotOurs,
    /// Other software.
    #[error("the frame has version {0}, and this corelane reads {VERSION}")]
    OtherVersion(u32),
    /// Of a kind that this version does not have, or not the one that was expected.
    #[error("the frame has a kind that is not expected here: {0}")]
    OtherKind(u16),
    /// Of a stream that this version does not have.
    #[error("the frame has an unknown stream {0}")]
    OtherStream(u16),
    /// Longer than any frame.
    #[error(
        "the frame has {archive_bytes} bytes of archive and {records_bytes} of records, and may have \
         {REPLICATION_ARCHIVE_BYTES_MAX} and {REPLICATION_RECORDS_BYTES_MAX}"
    )]
    TooLong {
        /// Of the archive.
        archive_bytes: usize,
        /// Of the records.
        records_bytes: usize,
    },
    /// Of more things than any frame.
    #[error("the frame has more than {REPLICATION_ENTRIES_MAX} entries of a kind")]
    TooMany,
    /// Changed on its way.
    #[error("the frame is damaged")]
    Damaged,
    /// An archive that is not one, or that contradicts itself, behind a right checksum.
    #[error("the frame's archive is invalid")]
    Invalid,
    /// The buffer that it was read into does not lie where it can be read in place.
    #[error("the frame does not lie at a multiple of {ARCHIVE_ALIGN_BYTES} bytes in memory")]
    Misaligned,
}

impl FrameKind {
    pub(super) fn code(self) -> u16 {
        match self {
            FrameKind::Push => 1,
            FrameKind::Answers => 2,
        }
    }

    fn of_code(code: u16) -> Result<Self, FrameError> {
        [FrameKind::Push, FrameKind::Answers]
            .into_iter()
            .find(|kind| kind.code() == code)
            .ok_or(FrameError::OtherKind(code))
    }
}

impl Stream {
    fn code(self) -> u16 {
        match self {
            Stream::Live => 1,
            Stream::CatchUp => 2,
        }
    }

    fn of_code(code: u16) -> Result<Self, FrameError> {
        [Stream::Live, Stream::CatchUp]
            .into_iter()
            .find(|stream| stream.code() == code)
            .ok_or(FrameError::OtherStream(code))
    }
}

impl FrameHeader {
    /// The header's bytes.
    pub fn encode(&self) -> [u8; FRAME_HEADER_BYTES] {
        let Address { cluster, from, to, stream, session, incarnation, sequence } = self.address;
        let mut bytes = [0; FRAME_HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..8].copy_from_slice(&VERSION.to_le_bytes());
        bytes[8..24].copy_from_slice(&cluster);
        bytes[24..28].copy_from_slice(&from.node.0.to_le_bytes());
        bytes[28..30].copy_from_slice(&from.shard.0.to_le_bytes());
        bytes[30..32].copy_from_slice(&to.shard.0.to_le_bytes());
        bytes[32..36].copy_from_slice(&to.node.0.to_le_bytes());
        bytes[36..38].copy_from_slice(&self.kind.code().to_le_bytes());
        bytes[38..40].copy_from_slice(&stream.code().to_le_bytes());
        bytes[40..48].copy_from_slice(&session.to_le_bytes());
        bytes[48..56].copy_from_slice(&incarnation.to_le_bytes());
        bytes[56..64].copy_from_slice(&sequence.to_le_bytes());
        bytes[64..68].copy_from_slice(&(self.archive_bytes as u32).to_le_bytes());
        bytes[68..72].copy_from_slice(&(self.records_bytes as u32).to_le_bytes());
        bytes[72..76].copy_from_slice(&self.archive_checksum.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[..76]);
        bytes[76..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads a header. The rest that it tells of may be read then.
    pub fn decode(bytes: &[u8; FRAME_HEADER_BYTES]) -> Result<Self, FrameError> {
        let u16_at = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().expect("2 bytes"));
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        if bytes[..4] != MAGIC {
            return Err(FrameError::NotOurs);
        }
        if u32_at(4) != VERSION {
            return Err(FrameError::OtherVersion(u32_at(4)));
        }
        if u32_at(76) != crc32fast::hash(&bytes[..76]) {
            return Err(FrameError::Damaged);
        }
        let kind = FrameKind::of_code(u16_at(36))?;
        let (archive_bytes, records_bytes) = (u32_at(64) as usize, u32_at(68) as usize);
        if archive_bytes > REPLICATION_ARCHIVE_BYTES_MAX || records_bytes > REPLICATION_RECORDS_BYTES_MAX {
            return Err(FrameError::TooLong { archive_bytes, records_bytes });
        }
        let address = Address {
            cluster: bytes[8..24].try_into().expect("16 bytes"),
            from: PeerShard { node: NodeId(u32_at(24)), shard: ShardId(u16_at(28)) },
            to: PeerShard { node: NodeId(u32_at(32)), shard: ShardId(u16_at(30)) },
            stream: Stream::of_code(u16_at(38))?,
            session: u64_at(40),
            incarnation: u64_at(48),
            sequence: u64_at(56),
        };
        Ok(FrameHeader { address, kind, archive_bytes, records_bytes, archive_checksum: u32_at(72) })
    }

    /// Length of what follows the header, in bytes.
    pub fn body_bytes(&self) -> usize {
        self.archive_bytes + self.records_bytes
    }
}
