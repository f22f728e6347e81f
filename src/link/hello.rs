//! What a node says first on a connection to another node's cluster port. Behind what every handshake begins with:
//!
//! ```text
//! offset size  (little-endian)
//!     12   16  cluster id
//!     28    4  sender: node
//!     32    4  receiver: node
//!     36    2  sender: shard, 0 where no shard sends
//!     38    2  receiver: shard, 0 where no shard receives
//!     40   16  sender: disk id
//!     56    8  sender: incarnation
//!     64    8  session: the sender's incarnation in the upper 32 bits, in the lower ones its connections of this stream
//! ```

use uuid::Uuid;

use super::greeting::{self, GREETING_PREFIX_BYTES, GreetingError, LINK_VERSIONS};
use crate::base::ids::{NodeId, SHARDS_PER_NODE_MAX, ShardId};

const MAGIC: [u8; 4] = *b"CLHI";
/// Length of version 1's part behind the prefix.
const REST_BYTES: usize = 60;
/// The cluster of a node that does not know yet to which it belongs. It may ask control of others, and be asked.
pub const NO_CLUSTER: [u8; 16] = [0; 16];

/// Starts of a node on one disk are fewer: sessions have room for no more.
const INCARNATIONS_MAX: u64 = 1 << 32;

/// What goes over a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum StreamKind {
    /// Messages of the metadata quorum.
    Quorum,
    /// A leader shard's records, as they come.
    Live,
    /// A leader shard's records from its log, for a follower that is behind.
    CatchUp,
    /// A node's registration, heartbeats and commands to the controller.
    Control,
}

impl StreamKind {
    /// All kinds.
    pub const ALL: [StreamKind; 4] =
        [StreamKind::Quorum, StreamKind::Live, StreamKind::CatchUp, StreamKind::Control];

    pub(super) fn code(self) -> u16 {
        match self {
            StreamKind::Quorum => 1,
            StreamKind::Live => 2,
            StreamKind::CatchUp => 3,
            StreamKind::Control => 4,
        }
    }

    /// Whether it goes from one shard to another.
    pub fn is_of_shards(self) -> bool {
        matches!(self, StreamKind::Live | StreamKind::CatchUp)
    }
}

/// A start of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// The node.
    pub node: NodeId,
    /// Its data directory's disk id.
    pub disk: Uuid,
    /// How often the node has started on that disk, this time included.
    pub incarnation: u64,
}

/// A session: one connection of one stream, as its node numbers it. Frames carry the number of the session that they
/// are of, and what is of another one is not looked at. A later connection of a stream has a greater number, also after
/// the node was started anew, with nothing to remember from one start to the next.
///
/// # Panics
/// If the node has started 2^32 times.
pub fn session_of(incarnation: u64, connections: u32) -> u64 {
    assert!(incarnation < INCARNATIONS_MAX, "a node does not start that often");
    (incarnation << 32) | u64::from(connections)
}

/// Which stream it is among all that reach a node. There is one connection of each at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct StreamId {
    /// Who opened it.
    pub from: NodeId,
    /// What goes over it.
    pub kind: StreamKind,
    /// The shard that sends; 0 where none does.
    pub from_shard: ShardId,
    /// The shard that receives; 0 where none does.
    pub to_shard: ShardId,
}

/// What a node says first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The cluster.
    pub cluster: [u8; 16],
    /// Who opens the connection.
    pub from: Start,
    /// For whom it takes the other end.
    pub to: NodeId,
    /// What is to go over it.
    pub kind: StreamKind,
    /// The shard that sends; of a stream of control the lane, as a node may ask by several; 0 of all others.
    pub from_shard: ShardId,
    /// The shard that is to receive; 0 where none does.
    pub to_shard: ShardId,
    /// The session that begins: [`session_of`]. Of two connections of the same stream, and of one disk, the one with the
    /// greater number counts.
    pub session: u64,
}

impl Hello {
    /// Which stream it opens.
    pub fn stream(&self) -> StreamId {
        let Hello { kind, from_shard, to_shard, .. } = *self;
        StreamId { from: self.from.node, kind, from_shard, to_shard }
    }

    /// What no node says, if it says so: its numbers do not fit each other.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        let Hello { from, kind, from_shard, to_shard, session, .. } = *self;
        if from.incarnation >= INCARNATIONS_MAX || session >> 32 != from.incarnation {
            return Some("its session is not of its start");
        }
        let has_shards = match kind {
            StreamKind::Live | StreamKind::CatchUp => false,
            // Several lanes of one node.
            StreamKind::Control => to_shard != ShardId(0),
            StreamKind::Quorum => (from_shard, to_shard) != (ShardId(0), ShardId(0)),
        };
        if has_shards {
            return Some("it names shards where none take part");
        }
        (from_shard.0 >= SHARDS_PER_NODE_MAX).then_some("no node has the shard that it sends from")
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut rest = Vec::with_capacity(REST_BYTES);
        rest.extend_from_slice(&self.cluster);
        rest.extend_from_slice(&self.from.node.0.to_le_bytes());
        rest.extend_from_slice(&self.to.0.to_le_bytes());
        rest.extend_from_slice(&self.from_shard.0.to_le_bytes());
        rest.extend_from_slice(&self.to_shard.0.to_le_bytes());
        rest.extend_from_slice(self.from.disk.as_bytes());
        rest.extend_from_slice(&self.from.incarnation.to_le_bytes());
        rest.extend_from_slice(&self.session.to_le_bytes());
        greeting::seal(MAGIC, LINK_VERSIONS, self.kind.code(), &rest)
    }

    /// How long the message is in all, by its beginning.
    pub fn message_bytes(prefix: &[u8; GREETING_PREFIX_BYTES]) -> Result<usize, GreetingError> {
        greeting::length(MAGIC, prefix)
    }

    /// Reads a whole message.
    pub fn decode(message: &[u8]) -> Result<Self, GreetingError> {
        let opened = greeting::open(MAGIC, message)?;
        if opened.versions.common(LINK_VERSIONS).is_none() {
            return Err(GreetingError::OtherVersions(opened.versions));
        }
        let kind = StreamKind::ALL.into_iter().find(|kind| kind.code() == opened.word);
        let kind = kind.ok_or(GreetingError::OtherKind(opened.word))?;
        let rest = opened.rest.first_chunk::<REST_BYTES>().ok_or(GreetingError::Damaged)?;
        let u16_at = |at: usize| u16::from_le_bytes(rest[at..at + 2].try_into().expect("2 bytes"));
        let u32_at = |at: usize| u32::from_le_bytes(rest[at..at + 4].try_into().expect("4 bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(rest[at..at + 8].try_into().expect("8 bytes"));
        let id_at = |at: usize| -> [u8; 16] { rest[at..at + 16].try_into().expect("16 bytes") };
        Ok(Hello {
            cluster: id_at(0),
            from: Start {
                node: NodeId(u32_at(16)),
                disk: Uuid::from_bytes(id_at(28)),
                incarnation: u64_at(44),
            },
            to: NodeId(u32_at(20)),
            kind,
            from_shard: ShardId(u16_at(24)),
            to_shard: ShardId(u16_at(26)),
            session: u64_at(52),
        })
    }
}
