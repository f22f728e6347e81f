//! Records: the cluster's state as the metadata quorum keeps it.
//!
//! They are written as JSON objects. A field that is added later must have a serde default; a reader ignores
//! fields that it does not know. What cannot be expressed so raises [`METADATA_FORMAT_VERSION`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::kafka_uuid::KafkaUuid;
use crate::base::ids::{BrokerId, LeaderEpoch, NodeId, PartitionId, ShardId, TopicId};
use crate::base::planted::{Bug, is_planted};

/// The version of the stored records as a whole:
/// 1. records in a table of their own;
/// 2. the same records, kept by the metadata quorum. A store of version 1 becomes one of this version when it is opened;
/// 3. see [`METADATA_FORMAT_OF_CLUSTERS`].
pub const METADATA_FORMAT_VERSION: u32 = 2;
/// The version of records among which nodes may be fenced and partitions without a leader. A node on its own never writes
/// such, and keeps [`METADATA_FORMAT_VERSION`]; the controller of several raises it before it does anything else.
pub const METADATA_FORMAT_OF_CLUSTERS: u32 = 3;

/// Whether this software reads records of a version of the metadata.
pub fn is_known_format(version: u32) -> bool {
    matches!(version, METADATA_FORMAT_VERSION | METADATA_FORMAT_OF_CLUSTERS)
}

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

/// Whether a field says what records without it mean. It is left out then, so that a node on its own writes what it
/// always has.
fn is_default<T: Default + PartialEq>(field: &T) -> bool {
    *field == T::default()
}

/// Where clients reach a node by one of its listeners.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListenerRecord {
    /// The listener's name; metadata answers with the addresses of the listener that was asked.
    pub name: String,
    /// The host as clients are told it.
    pub host: String,
    /// The port of the node as a whole.
    pub port: u16,
    /// The ports of its shards 0, 1, 2 and so on; empty if they have none of their own.
    #[serde(default)]
    pub shard_ports: Vec<u16>,
}

/// Where other nodes reach a node's cluster port.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClusterAddress {
    /// The host as other nodes are told it.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A disk that a node had before its present one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FormerDisk {
    /// The disk.
    pub disk: DiskId,
    /// The boot count of its last start that was registered. With a later one it is no older copy of itself.
    pub incarnation: u64,
}

/// A node's registration. All from `start` on is a cluster's; a node on its own leaves it out.
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
    /// A random id of the process, which tells a registration that is said again from another process.
    #[serde(default, skip_serializing_if = "is_default")]
    pub start: Uuid,
    /// Grows with every registration: Kafka's broker epoch. What a node says of an older one is refused.
    #[serde(default, skip_serializing_if = "is_default")]
    pub registration_epoch: u64,
    /// Grows with every change of this record, so that a node can tell how much of it it knows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub record_epoch: u64,
    /// Whether it is kept from leading, from counting and from clients: it is silent, or does not know the metadata yet.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fenced: bool,
    /// Whether it has asked to stop. It stays so until it registers anew.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shutting_down: bool,
    /// Where it stands: copies of a partition go to different racks as far as there are any.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rack: Option<String>,
    /// Where clients reach it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub listeners: Vec<ListenerRecord>,
    /// Where other nodes reach it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cluster_address: Option<ClusterAddress>,
    /// The disks it had before, the latest last, at most [`FORMER_DISKS_MAX`](crate::base::limits::FORMER_DISKS_MAX).
    #[serde(default, skip_serializing_if = "is_default")]
    pub former_disks: Vec<FormerDisk>,
    /// The shards that cannot write any more, since this start: their copies neither lead nor count until the next one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub failed_shards: BTreeSet<ShardId>,
}

impl NodeRecord {
    /// The record of a node on its own, which nobody fences.
    pub fn of_lone_node(node: NodeId, disk: DiskId, incarnation: u64, shards: u16) -> Self {
        let (start, registration_epoch, record_epoch, fenced, shutting_down) = Default::default();
        let (rack, listeners, cluster_address, former_disks, failed_shards) = Default::default();
        NodeRecord {
            node,
            incarnation,
            disk,
            shards,
            start,
            registration_epoch,
            record_epoch,
            fenced,
            shutting_down,
            rack,
            listeners,
            cluster_address,
            former_disks,
            failed_shards,
        }
    }

    /// Whether the node's copies may lead and count for `acks=all` (KIP-631, KIP-841).
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.shutting_down
    }

    /// Whether those on that shard may: it can write as well.
    pub fn has_working(&self, shard: ShardId) -> bool {
        self.is_active() && !self.failed_shards.contains(&shard)
    }
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
    /// The node's disk when the copy was last in sync, or was made. The node may have another one by now: what is there
    /// does not count before it is in sync.
    pub disk: DiskId,
    /// The shard on the node that owns the copy.
    pub shard: ShardId,
}

impl Replica {
    /// The shard that has the copy.
    pub fn owner(&self) -> Owner {
        Owner { node: self.node, shard: self.shard }
    }
}

/// A shard in the cluster; a partition's owner is the one that its clients talk to.
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
    /// The node that leads; one of `in_sync_replicas`. `None` while none of them can.
    pub leader: Option<NodeId>,
    /// The leader's term. Grows with every change of leader, of its shard or of its incarnation.
    pub leader_epoch: LeaderEpoch,
    /// Grows with every change of this record.
    pub partition_epoch: i32,
    /// The copies, at most one on a node, the preferred leader's first.
    pub replicas: Vec<Replica>,
    /// The nodes whose copies count for `acks=all`; a subset of `replicas`, never empty.
    pub in_sync_replicas: Vec<NodeId>,
}

impl PartitionRecord {
    /// The partition's identity.
    pub fn id(&self) -> PartitionId {
        PartitionId { topic: self.topic, index: self.index }
    }

    /// The leader's shard, if there is a leader.
    pub fn owner(&self) -> Option<Owner> {
        self.replica(self.leader?).map(Replica::owner)
    }

    /// The copy on a node.
    pub fn replica(&self, node: NodeId) -> Option<&Replica> {
        self.replicas.iter().find(|replica| replica.node == node)
    }

    /// The copies that count, in the order of `in_sync_replicas`.
    pub fn in_sync(&self) -> impl Iterator<Item = &Replica> {
        self.in_sync_replicas.iter().filter_map(|node| self.replica(*node))
    }

    /// The same partition at the beginning of its leader's next term, led by `shard` of the same node.
    pub fn next_term(&self, shard: ShardId) -> PartitionRecord {
        let mut next = self.clone();
        for replica in next.replicas.iter_mut().filter(|replica| Some(replica.node) == self.leader) {
            replica.shard = shard;
        }
        next.begin_term();
        next.partition_epoch = self.partition_epoch.checked_add(1).expect("fewer than 2^31 changes");
        next
    }

    /// Counts the leader's epoch up.
    pub(super) fn begin_term(&mut self) {
        self.leader_epoch = self.leader_epoch.checked_add(1).expect("fewer than 2^31 terms");
    }

    /// This record in the place of `before`, with the epochs that the difference asks for; `None` if there is none.
    /// The leader's epoch grows with another leader, and with another shard of any copy.
    pub(super) fn in_place_of(mut self, before: &PartitionRecord) -> Option<PartitionRecord> {
        if self == *before {
            return None;
        }
        let shards =
            |record: &PartitionRecord| -> Vec<Owner> { record.replicas.iter().map(Replica::owner).collect() };
        let is_other = self.leader != before.leader || shards(&self) != shards(before);
        if is_other && !is_planted(Bug::ControllerKeepTerm) {
            self.begin_term();
        }
        self.partition_epoch = before.partition_epoch.checked_add(1).expect("fewer than 2^31 changes");
        Some(self)
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
