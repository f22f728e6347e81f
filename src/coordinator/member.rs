//! A member of a group.

use bytes::Bytes;

use super::events::Ticket;
use crate::base::limits::GROUP_MEMBER_COST_BYTES;
use crate::protocol::messages::join_group::JoinGroupRequestProtocol;

/// See the module.
#[derive(Debug)]
pub struct Member {
    /// The id that the user gave it, if it is a static member.
    pub instance_id: Option<String>,
    /// The client's name for itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// Silence after which it counts as gone, in ms.
    pub session_timeout_ms: i32,
    /// How long a rebalance waits for it, in ms.
    pub rebalance_timeout_ms: i32,
    /// The protocols that it speaks with its metadata, the preferred one first.
    pub protocols: Vec<(String, Bytes)>,
    /// Its share.
    pub assignment: Bytes,
    /// Its join, while that waits for the group's next generation.
    pub awaited_join: Option<Ticket>,
    /// Its sync, while that waits.
    pub awaited_sync: Option<Ticket>,
    /// Whether it has asked for its share of this generation.
    pub has_synced: bool,
    /// Whether it was never part of a generation: while its join waits it may vanish unnoticed, so there is a bound on
    /// that.
    pub is_new: bool,
    /// When it counts as gone, by the moments' clock.
    pub deadline_ms: u64,
}

impl Member {
    /// Whether silence counts. A member whose request waits is silent because of us.
    pub fn can_expire(&self) -> bool {
        self.is_new || (self.awaited_join.is_none() && self.awaited_sync.is_none())
    }

    /// Its metadata for a protocol.
    pub fn metadata(&self, protocol: &str) -> Bytes {
        let spoken = self.protocols.iter().find(|(name, _)| name == protocol);
        spoken.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// Whether these are its protocols, with the same metadata.
    pub fn has_protocols(&self, protocols: &[JoinGroupRequestProtocol]) -> bool {
        let same = |((name, metadata), other): (&(String, Bytes), &JoinGroupRequestProtocol)| {
            *name == other.name && *metadata == other.metadata
        };
        self.protocols.len() == protocols.len() && self.protocols.iter().zip(protocols).all(same)
    }

    /// Bytes of its protocols' names and metadata.
    pub fn protocol_bytes(&self) -> usize {
        self.protocols.iter().map(|(name, metadata)| name.len() + metadata.len()).sum()
    }

    /// Memory that it takes, about.
    pub fn bytes(&self, id: &str) -> usize {
        let named = 2 * id.len() + self.client_id.len();
        GROUP_MEMBER_COST_BYTES + named + self.protocol_bytes() + self.assignment.len()
    }
}
