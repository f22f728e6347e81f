//! The image: all records at one version, immutable and shared. Two images share the topics that did not
//! change between them, so a change costs the topic that it concerns and two maps of pointers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use thiserror::Error;

use super::config::Configs;
use super::name::folded;
use super::records::{
    Change, ClusterRecord, NodeRecord, Owner, PartitionRecord, Record, TopicRecord, is_known_format,
};
use crate::base::ids::{BrokerId, NodeId, PartitionId, TopicId};
use crate::base::limits::{FORMER_DISKS_MAX, NODES_MAX, REPLICAS_PER_PARTITION_MAX};

/// A topic with its partitions, in order of their index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topic {
    /// The topic's record.
    pub record: TopicRecord,
    /// The records of partitions 0, 1, 2 and so on.
    pub partitions: Vec<PartitionRecord>,
}

impl Topic {
    /// The record of one partition.
    pub fn partition(&self, index: i32) -> Option<&PartitionRecord> {
        self.partitions.get(usize::try_from(index).ok()?)
    }
}

/// The state of the cluster at one version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    version: u64,
    cluster: ClusterRecord,
    nodes: BTreeMap<NodeId, NodeRecord>,
    topics: HashMap<TopicId, Arc<Topic>>,
    /// By folded name, so that one look-up answers for name and collision.
    names: BTreeMap<Arc<str>, TopicId>,
    next_producer_id: i64,
    /// What was set on brokers while they ran; `None` for all of them.
    broker_configs: BTreeMap<Option<BrokerId>, Arc<Configs>>,
}

/// Records that do not make an image: they were damaged, or written by other rules.
#[derive(Error, Clone, PartialEq, Eq, Debug)]
#[error("{0}")]
pub struct ImageError(String);

impl Image {
    /// The image of a cluster that has just been made.
    pub fn new(cluster: ClusterRecord) -> Self {
        let (nodes, topics, names, broker_configs) = Default::default();
        Image { version: 0, cluster, nodes, topics, names, next_producer_id: 0, broker_configs }
    }

    /// The image that stored records make, in any order but for partitions, which come in order of their index
    /// after their topic. Nothing is trusted.
    pub fn from_records(
        cluster: ClusterRecord,
        records: impl Iterator<Item = Record>,
    ) -> Result<Self, ImageError> {
        let mut image = Image::new(cluster);
        for record in records {
            image.check(&record).map_err(ImageError)?;
            image.apply(&Change::Put(record));
        }
        Ok(image)
    }

    /// The version: it counts the transactions since the process started.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The cluster.
    pub fn cluster(&self) -> &ClusterRecord {
        &self.cluster
    }

    /// A node's registration.
    pub fn node(&self, node: NodeId) -> Option<&NodeRecord> {
        self.nodes.get(&node)
    }

    /// All nodes, in order of their ids.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = &NodeRecord> {
        self.nodes.values()
    }

    /// A topic by its identity.
    pub fn topic(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.get(&id)
    }

    /// A topic by its name.
    pub fn topic_named(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topic_like(name).filter(|topic| topic.record.name == name)
    }

    /// The topic whose name is the same or collides: equal but for '.' and '_'.
    pub(super) fn topic_like(&self, name: &str) -> Option<&Arc<Topic>> {
        self.names.get(&*folded(name)).map(|id| &self.topics[id])
    }

    /// A partition by its identity.
    pub fn partition(&self, id: PartitionId) -> Option<&PartitionRecord> {
        self.topics.get(&id.topic)?.partition(id.index)
    }

    /// All topics, in order of their names (where '.' counts as '_').
    pub fn topics(&self) -> impl ExactSizeIterator<Item = &Arc<Topic>> {
        self.names.values().map(|id| &self.topics[id])
    }

    /// All partitions, topic by topic, in order of their indexes.
    pub fn partitions(&self) -> impl Iterator<Item = &PartitionRecord> {
        self.topics().flat_map(|topic| &topic.partitions)
    }

    /// The partitions that a shard leads, with their topics. Looks at every partition.
    pub fn partitions_of(&self, owner: Owner) -> impl Iterator<Item = (&Arc<Topic>, &PartitionRecord)> {
        self.topics()
            .flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition)))
            .filter(move |(_, partition)| partition.owner() == Some(owner))
    }

    /// The first producer id that was not given out.
    pub fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// What was set on a broker, or with `None` on all of them, while they ran.
    pub fn broker_configs(&self, broker: Option<BrokerId>) -> Arc<Configs> {
        self.broker_configs.get(&broker).cloned().unwrap_or_default()
    }

    /// What was set on brokers, on all of them first.
    pub(super) fn all_broker_configs(&self) -> impl Iterator<Item = (Option<BrokerId>, &Arc<Configs>)> {
        self.broker_configs.iter().map(|(broker, configs)| (*broker, configs))
    }

    /// Whether the brokers' configs are the same in both images.
    pub(super) fn has_broker_configs_of(&self, other: &Image) -> bool {
        self.broker_configs == other.broker_configs
    }

    /// Takes one change in. The caller vouches that the change fits the image.
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(Record::Cluster(cluster)) => self.cluster = cluster.clone(),
            Change::Put(Record::Node(node)) => {
                self.nodes.insert(node.node, node.clone());
            }
            Change::Put(Record::ProducerIds(ids)) => self.next_producer_id = ids.next_producer_id,
            Change::Put(Record::BrokerConfigs(record)) => {
                self.broker_configs.insert(record.broker, Arc::new(record.configs.clone()));
            }
            Change::Put(Record::Topic(record)) => self.put_topic(record),
            Change::Put(Record::Partition(record)) => self.put_partition(record),
            Change::RemoveTopic(id) => {
                if let Some(topic) = self.topics.remove(id) {
                    self.names.remove(&*folded(&topic.record.name));
                }
            }
        }
    }

    /// The same at a version of the caller's: where records came as a whole, and versions go on.
    pub fn at_version(self, version: u64) -> Self {
        Image { version, ..self }
    }

    pub(super) fn set_version(&mut self, version: u64) {
        self.version = version;
    }

    fn put_topic(&mut self, record: &TopicRecord) {
        if let Some(topic) = self.topics.get_mut(&record.id) {
            assert_eq!(topic.record.name, record.name, "a topic keeps its name");
            Arc::make_mut(topic).record = record.clone();
            return;
        }
        let taken = self.names.insert(folded(&record.name).into(), record.id);
        assert!(taken.is_none(), "two topics of one name");
        self.topics.insert(record.id, Arc::new(Topic { record: record.clone(), partitions: Vec::new() }));
    }

    fn put_partition(&mut self, record: &PartitionRecord) {
        let topic = self.topics.get_mut(&record.topic).expect("a partition comes after its topic");
        let partitions = &mut Arc::make_mut(topic).partitions;
        let index = usize::try_from(record.index).expect("indexes start at 0");
        if index == partitions.len() {
            partitions.push(record.clone());
        } else {
            partitions[index] = record.clone();
        }
    }

    /// Says what is wrong with a stored record that [`Image::apply`] would trip over.
    fn check(&self, record: &Record) -> Result<(), String> {
        match record {
            Record::Topic(topic) => match self.topic_like(&topic.name) {
                Some(other) => Err(format!("topic {} has the name of topic {}", topic.id, other.record.id)),
                None => Ok(()),
            },
            Record::Partition(partition) => self.check_partition(partition),
            Record::ProducerIds(ids) if ids.next_producer_id < 0 => {
                Err("the next producer id is below 0".to_owned())
            }
            Record::Cluster(cluster) if !is_known_format(cluster.format_version) => {
                Err("the cluster's record changed its format".to_owned())
            }
            Record::Node(node) if node.shards == 0 || node.former_disks.len() > FORMER_DISKS_MAX => {
                Err(format!("node {} has no shards, or more former disks than are kept", node.node))
            }
            Record::Node(_) if self.nodes.len() >= NODES_MAX => {
                Err(format!("there are more than {NODES_MAX} nodes"))
            }
            Record::ProducerIds(_) | Record::Cluster(_) | Record::Node(_) | Record::BrokerConfigs(_) => {
                Ok(())
            }
        }
    }

    fn check_partition(&self, partition: &PartitionRecord) -> Result<(), String> {
        let id = partition.id();
        let Some(topic) = self.topics.get(&id.topic) else {
            return Err(format!("partition {id} has no topic"));
        };
        if usize::try_from(id.index) != Ok(topic.partitions.len()) {
            return Err(format!("partition {id} stands where {} was expected", topic.partitions.len()));
        }
        let replicas = &partition.replicas;
        let distinct: BTreeSet<NodeId> = replicas.iter().map(|replica| replica.node).collect();
        if distinct.len() != replicas.len() || replicas.len() > REPLICAS_PER_PARTITION_MAX {
            return Err(format!("partition {id} has two copies on a node, or too many copies"));
        }
        let in_sync = &partition.in_sync_replicas;
        if in_sync.is_empty() || partition.in_sync().count() != in_sync.len() {
            return Err(format!("partition {id} is in sync with nobody, or with a node that has no replica"));
        }
        if partition.leader.is_some_and(|leader| !in_sync.contains(&leader)) {
            return Err(format!("partition {id} is led by a node that is not in sync"));
        }
        if partition.leader_epoch < 0 || partition.partition_epoch < 0 {
            return Err(format!("partition {id} has a negative epoch"));
        }
        Ok(())
    }
}
