//! The framing that Java's clients put around snappy, after snappy-java's `SnappyOutputStream`.
//!
//! ```text
//!  byte 0                        8             12                16
//!       +------------------------+-------------+-----------------+--------+-------+--------+--
//!       | 0x82 S N A P P Y 0x00  | version i32 | readable by i32 | length | block | length | ..
//!       +------------------------+-------------+-----------------+--------+-------+--------+--
//! ```
//!
//! Lengths are big-endian `i32`. Each block is snappy of its own. Clients that are not Java's also send a single
//! block without any framing.

/// Begins the framing.
pub(super) const MAGIC: &[u8] = &[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// Bytes in front of the first block.
pub(super) const HEADER_BYTES: usize = 16;
/// The version that is written, and the oldest that can read it.
const VERSION: u32 = 1;
/// Unpacked bytes of a block, snappy-java's.
pub(super) const BLOCK_BYTES: usize = 32 << 10;

/// What stands in front of the first block.
pub(super) fn header() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_be_bytes());
    header[12..].copy_from_slice(&VERSION.to_be_bytes());
    header
}
