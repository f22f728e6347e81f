//! The quorum's frames, for the link's reader.

use crate::base::limits::LINK_QUORUM_BODY_BYTES_KEPT;
use crate::link::Framing;
use crate::quorum::{FRAME_HEADER_BYTES, FrameError, FrameHeader};

/// The frames of a quorum's stream.
pub(super) struct QuorumFrames;

impl Framing for QuorumFrames {
    type Header = FrameHeader;
    type Error = FrameError;
    const HEADER_BYTES: usize = FRAME_HEADER_BYTES;
    const BODY_BYTES_KEPT: usize = LINK_QUORUM_BODY_BYTES_KEPT;

    fn decode_header(bytes: &[u8]) -> Result<FrameHeader, FrameError> {
        FrameHeader::decode(bytes.try_into().expect("the reader gives a whole header"))
    }

    fn body_bytes(header: &FrameHeader) -> usize {
        header.body_bytes
    }
}
