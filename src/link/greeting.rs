//! What the two messages of the handshake share:
//!
//! ```text
//! offset size  (little-endian)
//!      0    4  magic: "CLHI" asks, "CLRE" answers
//!      4    2  oldest version of the link that the sender speaks
//!      6    2  newest version
//!      8    2  length of the whole message
//!     10    2  what kind of stream; or in an answer, what is wrong
//!     12       the rest, by version; a later version adds to its end
//!     -4    4  checksum, CRC-32 of all bytes before it
//! ```
//! This much never changes, so that any two versions can at least refuse each other in plain words. Both then speak the
//! newest version that both have.

use thiserror::Error;

use crate::base::limits::LINK_GREETING_BYTES_MAX;

/// Length of what is read first of a message. It tells how long the whole is.
pub const GREETING_PREFIX_BYTES: usize = 12;
/// The versions that this software speaks.
pub const LINK_VERSIONS: Versions = Versions { oldest: 1, newest: 1 };
const CHECKSUM_BYTES: usize = 4;

/// Versions of the link that somebody speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Versions {
    /// The first of them.
    pub oldest: u16,
    /// The last one.
    pub newest: u16,
}

impl Versions {
    /// The version that two speak with each other, if there is one.
    pub fn common(self, other: Versions) -> Option<u16> {
        let newest = self.newest.min(other.newest);
        (newest >= self.oldest.max(other.oldest)).then_some(newest)
    }
}

/// Why bytes are no handshake. The connection that they came from cannot be used.
#[derive(Error, Clone, PartialEq, Eq, Debug)]
pub enum GreetingError {
    /// Somebody else's bytes.
    #[error(
        "the bytes are not of a corelane node: the cluster port is for the cluster's nodes alone, so point clients at \
         the listener, monitoring at the admin port, and `voters` at cluster ports"
    )]
    NotOurs,
    /// Shorter or longer than any handshake.
    #[error("the handshake claims to have {0} bytes, and may have {LINK_GREETING_BYTES_MAX}")]
    WrongLength(usize),
    /// Changed on its way, or cut.
    #[error("the handshake is damaged")]
    Damaged,
    /// Software that is too old or too new.
    #[error(
        "the peer speaks versions {} to {} of the link, and this corelane {} to {}: upgrade the older of the two nodes",
        .0.oldest, .0.newest, LINK_VERSIONS.oldest, LINK_VERSIONS.newest
    )]
    OtherVersions(Versions),
    /// A kind of stream that this version does not have.
    #[error("the peer opens a stream of kind {0}, which this corelane does not have: upgrade this node")]
    OtherKind(u16),
}

/// How long a message is in all, by its beginning. Memory may be taken for it then.
pub(super) fn length(magic: [u8; 4], prefix: &[u8; GREETING_PREFIX_BYTES]) -> Result<usize, GreetingError> {
    if prefix[..4] != magic {
        return Err(GreetingError::NotOurs);
    }
    let bytes = usize::from(u16_at(prefix, 8));
    let is_possible = (GREETING_PREFIX_BYTES + CHECKSUM_BYTES..=LINK_GREETING_BYTES_MAX).contains(&bytes);
    if is_possible { Ok(bytes) } else { Err(GreetingError::WrongLength(bytes)) }
}

/// What a message says besides its frame.
pub(super) struct Opened<'a> {
    /// What the sender speaks.
    pub versions: Versions,
    /// Kind or code.
    pub word: u16,
    /// Bytes 12 up to the checksum.
    pub rest: &'a [u8],
}

/// The message with this content.
pub(super) fn seal(magic: [u8; 4], versions: Versions, word: u16, rest: &[u8]) -> Vec<u8> {
    let bytes = GREETING_PREFIX_BYTES + rest.len() + CHECKSUM_BYTES;
    assert!(bytes <= LINK_GREETING_BYTES_MAX, "handshakes are bounded");
    let mut message = Vec::with_capacity(bytes);
    message.extend_from_slice(&magic);
    for number in [versions.oldest, versions.newest, bytes as u16, word] {
        message.extend_from_slice(&number.to_le_bytes());
    }
    message.extend_from_slice(rest);
    let checksum = crc32fast::hash(&message);
    message.extend_from_slice(&checksum.to_le_bytes());
    message
}

/// The content of a whole message. It may be of any version.
pub(super) fn open(magic: [u8; 4], message: &[u8]) -> Result<Opened<'_>, GreetingError> {
    let prefix = message.first_chunk().ok_or(GreetingError::Damaged)?;
    if length(magic, prefix)? != message.len() {
        return Err(GreetingError::Damaged);
    }
    let (content, checksum) = message.split_at(message.len() - CHECKSUM_BYTES);
    if crc32fast::hash(content).to_le_bytes() != checksum {
        return Err(GreetingError::Damaged);
    }
    let versions = Versions { oldest: u16_at(content, 4), newest: u16_at(content, 6) };
    Ok(Opened { versions, word: u16_at(content, 10), rest: &content[GREETING_PREFIX_BYTES..] })
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}
