//! Records: the cluster's state as it is stored and, once there is a quorum, as it is replicated.
//!
//! They are written as JSON objects. A field that is added later must have a serde default; a reader ignores
//! fields that it does not know. What cannot be expressed so raises [`METADATA_FORMAT_VERSION`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::kafka_uuid::KafkaUuid;
use crate::base::ids::{BrokerId, LeaderEpoch, NodeId, PartitionId, ShardId, TopicId};

/// The version of the stored records as a whole.
pub const METADATA_FORMAT_VERSION: u32 = 1;

/// A data directory's identity. A wiped disk gets a new one and with it counts as a new replica.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DiskId(pub Uuid);

/// The cluster itself. Its key and the field `format_version` never change, so that every version of the
/// software can tell whether it may read the rest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClusterRecord {
    /// [`METADATA_FORMAT_VERSION`] of the software that made the cluster.
    pub format_version: u32,
    /// The cluster's id as clients see it.
    pub cluster_id: KafkaUuid,
}

/// A node's registration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeRecord {
    /// The node.
    pub node: NodeId,
    /// How often the node has started; its boot count.
    pub incarnation: u64,
    /// The disk it started with.
    pub disk: DiskId,
    /// The shards it started with: 0 up to this number.
    pub shards: u16,
}

/// A topic.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TopicRecord {
    /// Its identity.
    pub id: TopicId,
    /// Its name, unique at any one time.
    pub name: String,
    /// Whether the broker keeps state of its own in it.
    pub internal: bool,
    /// The configs that were set on the topic; the others have their defaults.
    pub configs: BTreeMap<String, String>,
    /// When it was created, in ms since 1970.
    pub created_ms: i64,
}

/// A copy of a partition: a place on a disk, not a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Replica {
    /// The node.
    pub node: NodeId,
    /// The node's disk.
    pub disk: DiskId,
    /// The shard on the node that owns the copy.
    pub shard: ShardId,
}

/// The shard that a partition's clients talk to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Owner {
    /// The node.
    pub node: NodeId,
    /// The shard on the node.
    pub shard: ShardId,
}

/// A partition of a topic.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PartitionRecord {
    /// The topic's id.
    pub topic: TopicId,
    /// The partition's index in the topic.
    pub index: i32,
    /// The node that leads; one of `replicas`.
    pub leader: NodeId,
    /// The leader's term. Grows with every change of leader, of its shard or of its incarnation.
    pub leader_epoch: LeaderEpoch,
    /// Grows with every change of this record.
    pub partition_epoch: i32,
    /// The copies, at most one on a node.
    pub replicas: Vec<Replica>,
    /// The nodes whose copies count for `acks=all`; a subset of `replicas`.
    pub in_sync_replicas: Vec<NodeId>,
}

impl PartitionRecord {
    /// The partition's identity.
    pub fn id(&self) -> PartitionId {
        PartitionId { topic: self.topic, index: self.index }
    }

    /// The leader's shard.
    pub fn owner(&self) -> Owner {
        let replica = self.replicas.iter().find(|replica| replica.node == self.leader);
        let replica = replica.expect("the image holds only partitions whose leader is a replica");
        Owner { node: replica.node, shard: replica.shard }
    }

    /// The same partition at the beginning of its leader's next term, led by `shard` of the same node.
    pub fn next_term(&self, shard: ShardId) -> PartitionRecord {
        let mut next = self.clone();
        for replica in next.replicas.iter_mut().filter(|replica| replica.node == self.leader) {
            replica.shard = shard;
        }
        next.leader_epoch = self.leader_epoch.checked_add(1).expect("fewer than 2^31 terms");
        next.partition_epoch = self.partition_epoch.checked_add(1).expect("fewer than 2^31 changes");
        next
    }
}

/// What was given out of the producer ids.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProducerIdsRecord {
    /// The first id that no block has.
    pub next_producer_id: i64,
}

/// What was set on a broker, or on all of them, while they ran.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BrokerConfigsRecord {
    /// The broker; `None` for all.
    pub broker: Option<BrokerId>,
    /// The configs that were set; the others have their defaults.
    pub configs: BTreeMap<String, String>,
}

/// Producer ids that were given to one shard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProducerIdBlock {
    /// The first id of the block.
    pub first: i64,
    /// Number of ids.
    pub count: i64,
}

/// Any record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Record {
    /// See [`ClusterRecord`].
    Cluster(ClusterRecord),
    /// See [`NodeRecord`].
    Node(NodeRecord),
    /// See [`TopicRecord`].
    Topic(TopicRecord),
    /// See [`PartitionRecord`].
    Partition(PartitionRecord),
    /// See [`ProducerIdsRecord`].
    ProducerIds(ProducerIdsRecord),
    /// See [`BrokerConfigsRecord`].
    BrokerConfigs(BrokerConfigsRecord),
}

impl Record {
    /// The key under which the record is stored.
    pub fn key(&self) -> RecordKey {
        match self {
            Record::Cluster(_) => RecordKey::Cluster,
            Record::Node(node) => RecordKey::Node(node.node),
            Record::Topic(topic) => RecordKey::Topic(topic.id),
            Record::Partition(partition) => RecordKey::Partition(partition.id()),
            Record::ProducerIds(_) => RecordKey::ProducerIds,
            Record::BrokerConfigs(configs) => RecordKey::BrokerConfigs(configs.broker),
        }
    }
}

/// The identity of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordKey {
    /// The one [`ClusterRecord`].
    Cluster,
    /// A node's.
    Node(NodeId),
    /// A topic's.
    Topic(TopicId),
    /// A partition's.
    Partition(PartitionId),
    /// The one [`ProducerIdsRecord`].
    ProducerIds,
    /// A broker's, or that of all brokers.
    BrokerConfigs(Option<BrokerId>),
}

/// One step from an image to the next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// The record is new or replaces the one of the same key.
    Put(Record),
    /// The topic and all its partitions are gone.
    RemoveTopic(TopicId),
}
