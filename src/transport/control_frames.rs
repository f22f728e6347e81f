//! The frames of a control stream, the only one that goes both ways: a node asks, the other answers, one after the
//! other. What is asked is not the transport's business.
//!
//! ```text
//! offset size  (little-endian)
//!      0    4  magic "CLCF"
//!      4    4  format version
//!      8    8  number: counts the questions of the connection; the answer has the question's
//!     16    4  length of the body
//!     20    4  checksum of the body, CRC-32
//!     24    4  checksum, CRC-32 of bytes 0 to 23
//!     28       body
//! ```

use thiserror::Error;

use crate::base::limits::{CONTROL_FRAME_BYTES_KEPT, CONTROL_FRAME_BYTES_MAX};
use crate::link::Framing;

const MAGIC: [u8; 4] = *b"CLCF";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 28;

/// Why bytes are no frame of a control stream.
#[derive(Error, Clone, PartialEq, Eq, Debug)]
pub(super) enum ControlFrameError {
    /// Somebody else's bytes.
    #[error("the bytes are not of a control stream")]
    NotOurs,
    /// Other software.
    #[error(
        "the frame has version {0}, and this corelane reads {VERSION}: upgrade the older of the two nodes"
    )]
    OtherVersion(u32),
    /// Longer than any frame.
    #[error("the frame has {0} bytes, and may have {CONTROL_FRAME_BYTES_MAX}")]
    TooLong(usize),
    /// Changed on its way.
    #[error("the frame is damaged")]
    Damaged,
}

/// A header that was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ControlHeader {
    pub number: u64,
    body_bytes: usize,
    body_checksum: u32,
}

impl ControlHeader {
    /// Whether the body is what was sent.
    pub fn check(&self, body: &[u8]) -> Result<(), ControlFrameError> {
        if crc32fast::hash(body) == self.body_checksum { Ok(()) } else { Err(ControlFrameError::Damaged) }
    }
}

/// The frames of a control stream.
pub(super) struct ControlFrames;

impl Framing for ControlFrames {
    type Header = ControlHeader;
    type Error = ControlFrameError;
    const HEADER_BYTES: usize = HEADER_BYTES;
    const BODY_BYTES_KEPT: usize = CONTROL_FRAME_BYTES_KEPT;

    fn decode_header(bytes: &[u8]) -> Result<ControlHeader, ControlFrameError> {
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        if bytes[..4] != MAGIC {
            return Err(ControlFrameError::NotOurs);
        }
        if u32_at(4) != VERSION {
            return Err(ControlFrameError::OtherVersion(u32_at(4)));
        }
        if u32_at(24) != crc32fast::hash(&bytes[..24]) {
            return Err(ControlFrameError::Damaged);
        }
        let body_bytes = u32_at(16) as usize;
        if body_bytes > CONTROL_FRAME_BYTES_MAX {
            return Err(ControlFrameError::TooLong(body_bytes));
        }
        let number = u64::from_le_bytes(bytes[8..16].try_into().expect("8 bytes"));
        Ok(ControlHeader { number, body_bytes, body_checksum: u32_at(20) })
    }

    fn body_bytes(header: &ControlHeader) -> usize {
        header.body_bytes
    }
}

/// The bytes of a frame.
///
/// # Panics
/// If the body is longer than a frame may be: whoever makes it looks first.
pub(super) fn encode(number: u64, body: &[u8]) -> Vec<u8> {
    assert!(body.len() <= CONTROL_FRAME_BYTES_MAX, "looked at by whoever made it");
    let mut frame = Vec::with_capacity(HEADER_BYTES + body.len());
    frame.extend_from_slice(&MAGIC);
    frame.extend_from_slice(&VERSION.to_le_bytes());
    frame.extend_from_slice(&number.to_le_bytes());
    frame.extend_from_slice(&(body.len() as u32).to_le_bytes());
    frame.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
    let checksum = crc32fast::hash(&frame);
    frame.extend_from_slice(&checksum.to_le_bytes());
    frame.extend_from_slice(body);
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written_and_every_bit_counts() {
        let frame = encode(7, b"body");
        let header = ControlFrames::decode_header(&frame[..HEADER_BYTES]).expect("a header");
        assert_eq!((header.number, ControlFrames::body_bytes(&header)), (7, 4));
        assert_eq!(header.check(&frame[HEADER_BYTES..]), Ok(()));
        for bit in 0..8 * frame.len() {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let read = ControlFrames::decode_header(&damaged[..HEADER_BYTES]);
            assert!(read.and_then(|header| header.check(&damaged[HEADER_BYTES..])).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_length_beyond_the_bound_is_refused_before_memory_is_taken() {
        let mut frame = encode(1, b"");
        frame[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        let checksum = crc32fast::hash(&frame[..24]);
        frame[24..28].copy_from_slice(&checksum.to_le_bytes());
        let refused = ControlFrames::decode_header(&frame[..HEADER_BYTES]);
        assert_eq!(refused, Err(ControlFrameError::TooLong(u32::MAX as usize)));
    }

    proptest! {
        #[test]
        fn no_header_panics(bytes in proptest::collection::vec(any::<u8>(), HEADER_BYTES)) {
            let _ = ControlFrames::decode_header(&bytes);
        }
    }
}
