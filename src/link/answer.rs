//! What a node answers to a [`super::Hello`]. Behind what every handshake begins with, where the code is 0 if the
//! connection is accepted:
//!
//! ```text
//! offset size  (little-endian)
//!     12    4  answering node
//!     16   16  its disk id
//!     32    8  its incarnation
//!     40    2  length of the text
//!     42       text, UTF-8: why the connection is refused, and what to do
//! ```

use thiserror::Error;
use uuid::Uuid;

use super::greeting::{self, GREETING_PREFIX_BYTES, GreetingError, LINK_VERSIONS};
use super::hello::Start;
use crate::base::ids::NodeId;
use crate::base::limits::LINK_REFUSAL_TEXT_BYTES_MAX;

const MAGIC: [u8; 4] = *b"CLRE";
/// Length of what stands between the prefix and the text.
const FIXED_BYTES: usize = 30;
const ACCEPTED: u16 = 0;

/// Why a connection is refused, for a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RefusalCode {
    /// No version that both speak, or a kind of stream that the receiver does not take.
    Unsupported,
    /// Another cluster.
    OtherCluster,
    /// The receiver is another node than it was taken for.
    OtherNode,
    /// The sender has a node id that another node has.
    NodeIdTaken,
    /// The sender is a start of a node that a later one has followed.
    OlderIncarnation,
    /// The receiver has no such shard.
    UnknownShard,
    /// The receiver does not know the sender as a voter.
    NotAVoter,
    /// A newer connection with the same stream is there.
    OldSession,
    /// Not now: the receiver has as many connections as it can have.
    Busy,
    /// Not yet: the receiver is on its way into a cluster.
    NoClusterYet,
    /// A reason that a newer version has.
    Other(u16),
}

impl RefusalCode {
    const ALL: [RefusalCode; 10] = [
        RefusalCode::Unsupported,
        RefusalCode::OtherCluster,
        RefusalCode::OtherNode,
        RefusalCode::NodeIdTaken,
        RefusalCode::OlderIncarnation,
        RefusalCode::UnknownShard,
        RefusalCode::NotAVoter,
        RefusalCode::OldSession,
        RefusalCode::Busy,
        RefusalCode::NoClusterYet,
    ];

    fn number(self) -> u16 {
        match self {
            RefusalCode::Unsupported => 1,
            RefusalCode::OtherCluster => 2,
            RefusalCode::OtherNode => 3,
            RefusalCode::NodeIdTaken => 4,
            RefusalCode::OlderIncarnation => 5,
            RefusalCode::UnknownShard => 6,
            RefusalCode::NotAVoter => 7,
            RefusalCode::OldSession => 8,
            RefusalCode::Busy => 9,
            RefusalCode::NoClusterYet => 10,
            RefusalCode::Other(number) => number,
        }
    }

    pub(super) fn of_number(number: u16) -> Self {
        Self::ALL.into_iter().find(|code| code.number() == number).unwrap_or(RefusalCode::Other(number))
    }
}

/// Why a connection is refused.
#[derive(Error, Clone, PartialEq, Eq, Debug)]
#[error("{text}")]
pub struct Refusal {
    /// For a program.
    pub code: RefusalCode,
    /// For people: what is wrong, and what to do.
    pub text: String,
}

impl Refusal {
    /// A refusal. Of a text that is too long, the end is left out.
    pub fn new(code: RefusalCode, text: &str) -> Self {
        let end = text.floor_char_boundary(LINK_REFUSAL_TEXT_BYTES_MAX);
        Refusal { code, text: text[..end].to_owned() }
    }
}

/// What a node answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Who answers.
    pub by: Start,
    /// What is wrong with the connection, if anything is.
    pub refusal: Option<Refusal>,
}

impl Answer {
    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let (word, text) = match &self.refusal {
            None => (ACCEPTED, ""),
            Some(refusal) => (refusal.code.number(), refusal.text.as_str()),
        };
        let mut rest = Vec::with_capacity(FIXED_BYTES + text.len());
        rest.extend_from_slice(&self.by.node.0.to_le_bytes());
        rest.extend_from_slice(self.by.disk.as_bytes());
        rest.extend_from_slice(&self.by.incarnation.to_le_bytes());
        rest.extend_from_slice(&(text.len() as u16).to_le_bytes());
        rest.extend_from_slice(text.as_bytes());
        greeting::seal(MAGIC, LINK_VERSIONS, word, &rest)
    }

    /// How long the message is in all, by its beginning.
    pub fn message_bytes(prefix: &[u8; GREETING_PREFIX_BYTES]) -> Result<usize, GreetingError> {
        greeting::length(MAGIC, prefix)
    }

    /// Reads a whole message. A refusal is read whatever version its sender speaks.
    pub fn decode(message: &[u8]) -> Result<Self, GreetingError> {
        let opened = greeting::open(MAGIC, message)?;
        if opened.word == ACCEPTED && opened.versions.common(LINK_VERSIONS).is_none() {
            return Err(GreetingError::OtherVersions(opened.versions));
        }
        let (fixed, behind) = opened.rest.split_first_chunk::<FIXED_BYTES>().ok_or(GreetingError::Damaged)?;
        let text_bytes = usize::from(u16::from_le_bytes(fixed[28..].try_into().expect("2 bytes")));
        let text = behind.get(..text_bytes).filter(|text| text.len() <= LINK_REFUSAL_TEXT_BYTES_MAX);
        let text = text.and_then(|text| str::from_utf8(text).ok()).ok_or(GreetingError::Damaged)?;
        // It is shown to people, on terminals too.
        if text.contains(char::is_control) {
            return Err(GreetingError::Damaged);
        }
        let by = Start {
            node: NodeId(u32::from_le_bytes(fixed[..4].try_into().expect("4 bytes"))),
            disk: Uuid::from_bytes(fixed[4..20].try_into().expect("16 bytes")),
            incarnation: u64::from_le_bytes(fixed[20..28].try_into().expect("8 bytes")),
        };
        let refusal =
            (opened.word != ACCEPTED).then(|| Refusal::new(RefusalCode::of_number(opened.word), text));
        Ok(Answer { by, refusal })
    }
}
