//! A message on the wire between two members:
//!
//! ```text
//! offset size  (little-endian)
//!      0    4  magic "CLQF"
//!      4    4  format version
//!      8   16  cluster id
//!     24    8  sender (RaftId)
//!     32    8  receiver (RaftId)
//!     40    8  session: the connection's, as the sender's hello has named it
//!     48    8  incarnation: which start of the receiver the session is with
//!     56    8  sequence: counts the frames of the session, from 1
//!     64    4  length of the body
//!     68    4  checksum of the body, CRC-32
//!     72    4  checksum, CRC-32 of bytes 0 to 71
//!     76       body: one byte 1, then an rkyv archive of the Message
//! ```
//! The header is checked before memory is taken for the body. Peers' bytes never reach the `raft` crate's protobuf
//! (RUSTSEC-2024-0437).

use thiserror::Error;

use super::archive;
use super::members::RaftId;
use super::message::Message;
use crate::base::limits::QUORUM_FRAME_BYTES_MAX;

const MAGIC: [u8; 4] = *b"CLQF";
const VERSION: u32 = 1;
const BODY_VERSION: u8 = 1;
/// Length of the header.
pub const FRAME_HEADER_BYTES: usize = 76;

/// Whose frame it is, and which one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address {
    /// The cluster.
    pub cluster: [u8; 16],
    /// The sender.
    pub from: RaftId,
    /// The receiver.
    pub to: RaftId,
    /// The connection's, as the sender's hello has named it: a later one is greater, also after a restart.
    pub session: u64,
    /// Which start of the receiver the session is with.
    pub incarnation: u64,
    /// Counts the session's frames.
    pub sequence: u64,
}

/// The header of a frame that was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// Whose frame it is.
    pub address: Address,
    /// Length of the body, in bytes.
    pub body_bytes: usize,
    body_checksum: u32,
}

/// Why bytes are no frame. The connection that they came from cannot be used any more.
#[derive(Error, Clone, PartialEq, Eq, Debug)]
pub enum FrameError {
    /// Somebody else's bytes.
    #[error("the bytes are not of a peer of this cluster's quorum")]
    NotOurs,
    /// Other software.
    #[error("the frame has version {0}, and this corelane reads {VERSION}")]
    OtherVersion(u32),
    /// Longer than any frame.
    #[error("the frame has {0} bytes, and may have {QUORUM_FRAME_BYTES_MAX}")]
    TooLong(usize),
    /// Changed on its way.
    #[error("the frame is damaged")]
    Damaged,
}

/// The bytes of a message.
pub fn encode_frame(address: &Address, message: &Message) -> Vec<u8> {
    let body = archive::seal(BODY_VERSION, message);
    assert!(body.len() <= QUORUM_FRAME_BYTES_MAX, "entries, appends and chunks are bounded below this");
    let mut frame = Vec::with_capacity(FRAME_HEADER_BYTES + body.len());
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&VERSION.to_le_bytes());
    frame.extend_from_slice(&address.cluster);
    for number in [address.from, address.to, address.session, address.incarnation, address.sequence] {
        frame.extend_from_slice(&number.to_le_bytes());
    }
    frame.extend_from_slice(&(body.len() as u32).to_le_bytes());
    frame.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    let checksum = crc32fast::hash(&frame);
    frame.extend_from_slice(&checksum.to_le_bytes());
    frame.extend_from_slice(&body);
    frame
}

impl FrameHeader {
    /// Reads a header. The body that it tells of may be read then.
    pub fn decode(bytes: &[u8; FRAME_HEADER_BYTES]) -> Result<Self, FrameError> {
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        if bytes[..4] != MAGIC {
            return Err(FrameError::NotOurs);
        }
        if u32_at(4) != VERSION {
            return Err(FrameError::OtherVersion(u32_at(4)));
        }
        if u32_at(72) != crc32fast::hash(&bytes[..72]) {
            return Err(FrameError::Damaged);
        }
        let body_bytes = u32_at(64) as usize;
        if body_bytes > QUORUM_FRAME_BYTES_MAX {
            return Err(FrameError::TooLong(body_bytes));
        }
        let address = Address {
            cluster: bytes[8..24].try_into().expect("16 bytes"),
            from: u64_at(24),
            to: u64_at(32),
            session: u64_at(40),
            incarnation: u64_at(48),
            sequence: u64_at(56),
        };
        Ok(FrameHeader { address, body_bytes, body_checksum: u32_at(68) })
    }

    /// Reads the body of this header's frame.
    pub fn decode_body(&self, body: &[u8]) -> Result<Message, FrameError> {
        if body.len() != self.body_bytes || crc32fast::hash(body) != self.body_checksum {
            return Err(FrameError::Damaged);
        }
        archive::open(BODY_VERSION, body).ok_or(FrameError::Damaged)
    }
}

/// Reads a whole frame.
pub fn decode_frame(frame: &[u8]) -> Result<(Address, Message), FrameError> {
    let (header, body) = frame.split_first_chunk::<FRAME_HEADER_BYTES>().ok_or(FrameError::Damaged)?;
    let header = FrameHeader::decode(header)?;
    Ok((header.address, header.decode_body(body)?))
}
