//! Identities. A partition is known by its topic's id, never by its name: a topic that is deleted and
//! created anew under the same name shares nothing with the old one (docs/journal-format.md).

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A position in a partition's log, counted in records.
pub type Offset = i64;

/// The term of a partition's leader; grows with every change of leader or of the owner's incarnation.
pub type LeaderEpoch = i32;

/// A Kafka broker id as clients see it.
pub type BrokerId = i32;

/// Shards per node that the broker id scheme has room for.
pub const SHARDS_PER_NODE_MAX: u16 = 1000;

/// A topic's identity for ever. The default is [`TopicId::ZERO`].
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TopicId(pub Uuid);

impl TopicId {
    /// The id that on the wire means "none".
    pub const ZERO: TopicId = TopicId(Uuid::nil());

    /// The id from its 16 bytes in wire order.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        TopicId(Uuid::from_bytes(bytes))
    }

    /// The id's 16 bytes in wire order.
    pub fn to_bytes(self) -> [u8; 16] {
        *self.0.as_bytes()
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A partition's identity for ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct PartitionId {
    /// The topic's id.
    pub topic: TopicId,
    /// The partition's index in the topic.
    pub index: i32,
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.index)
    }
}

/// One core's share of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(pub u16);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A machine that runs a broker process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub u32);

impl NodeId {
    /// The largest node id whose broker ids fit Kafka's signed 32 bits.
    pub const MAX: NodeId = NodeId(2_147_482);

    /// The broker id under which clients see one of the node's shards.
    pub fn broker_id(self, shard: ShardId) -> BrokerId {
        assert!(self <= Self::MAX && shard.0 < SHARDS_PER_NODE_MAX);
        (self.0 * u32::from(SHARDS_PER_NODE_MAX) + u32::from(shard.0)) as BrokerId
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_id_names_node_and_shard() {
        assert_eq!(NodeId(1).broker_id(ShardId(0)), 1000);
        assert_eq!(NodeId(7).broker_id(ShardId(31)), 7031);
        assert_eq!(NodeId::MAX.broker_id(ShardId(999)), 2_147_482_999);
    }
}
