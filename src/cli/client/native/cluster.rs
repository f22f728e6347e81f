//! What a cluster and its topics look like.

use rdkafka::bindings::{
    rd_kafka_DescribeCluster, rd_kafka_DescribeCluster_result_cluster_id,
    rd_kafka_DescribeCluster_result_controller, rd_kafka_DescribeCluster_result_nodes,
    rd_kafka_DescribeTopics, rd_kafka_DescribeTopics_result_topics, rd_kafka_Node_host, rd_kafka_Node_id,
    rd_kafka_Node_port, rd_kafka_Node_rack, rd_kafka_Node_t, rd_kafka_TopicCollection_destroy,
    rd_kafka_TopicCollection_of_topic_names, rd_kafka_TopicDescription_error,
    rd_kafka_TopicDescription_is_internal, rd_kafka_TopicDescription_name,
    rd_kafka_TopicDescription_partitions, rd_kafka_TopicDescription_t, rd_kafka_TopicDescription_topic_id,
    rd_kafka_TopicPartitionInfo_isr, rd_kafka_TopicPartitionInfo_leader,
    rd_kafka_TopicPartitionInfo_partition, rd_kafka_TopicPartitionInfo_replicas,
    rd_kafka_TopicPartitionInfo_t, rd_kafka_Uuid_base64str, rd_kafka_admin_op_t, rd_kafka_error_string,
    rd_kafka_event_DescribeCluster_result, rd_kafka_event_DescribeTopics_result, rd_kafka_event_t,
};
use serde::Serialize;

use super::super::cluster::Cluster;
use super::super::error::{BrokerError, ClientError};
use super::call::{Call, call};
use super::codes;
use super::memory::{Owned, c_text, items, text};

/// A cluster, as one of its brokers sees it.
#[derive(Clone, Default, Debug)]
pub struct ClusterDescription {
    /// Empty if brokers do not say (before Kafka 0.10.1).
    pub cluster_id: String,
    /// Its broker id, if there is one.
    pub controller: Option<i32>,
    /// The brokers, by id.
    pub nodes: Vec<Node>,
}

/// A broker.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct Node {
    /// Its id.
    pub id: i32,
    /// Where clients are told to connect to.
    pub host: String,
    /// With this port.
    pub port: u16,
    /// Its rack, if it has one.
    pub rack: Option<String>,
}

/// A topic.
#[derive(Clone, Debug)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its id in Kafka's notation, if brokers tell (since Kafka 2.8).
    pub topic_id: Option<String>,
    /// Whether it belongs to the brokers, not to applications.
    pub is_internal: bool,
    /// Its partitions, by number.
    pub partitions: Vec<PartitionDescription>,
}

/// A partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionDescription {
    /// Its number.
    pub partition: i32,
    /// The leader's broker id, if it has one.
    pub leader: Option<i32>,
    /// Broker ids of all replicas.
    pub replicas: Vec<i32>,
    /// Broker ids of the replicas that are in sync.
    pub in_sync_replicas: Vec<i32>,
}

impl PartitionDescription {
    /// Whether replicas are out of sync.
    pub fn is_under_replicated(&self) -> bool {
        self.in_sync_replicas.len() < self.replicas.len()
    }
}

/// What came of each topic that was asked for, by name.
pub type DescribedTopics = Vec<(String, Result<TopicDescription, BrokerError>)>;

/// Asks for the brokers.
pub fn describe_cluster(cluster: &Cluster) -> Result<ClusterDescription, ClientError> {
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER;
    let submit = Call { what: "the cluster", operation, validate_only: false };
    // SAFETY: the pointers are alive during the call; see `call`.
    call(
        cluster,
        &submit,
        |to| unsafe { rd_kafka_DescribeCluster(to.client, to.options, to.queue) },
        |event| unsafe { read_cluster(event) },
    )
}

/// Asks for topics by name. What is wrong with one of them does not touch the others.
pub fn describe_topics(cluster: &Cluster, names: &[&str]) -> Result<DescribedTopics, ClientError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let operation = rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
    let submit = Call { what: "the topics", operation, validate_only: false };
    let c_names = names.iter().map(|name| c_text(name)).collect::<Result<Vec<_>, _>>()?;
    let mut pointers: Vec<_> = c_names.iter().map(|name| name.as_ptr()).collect();
    // SAFETY: the names live beyond the call, which copies them; the collection is ours.
    let topics = unsafe {
        let topics = rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
        Owned::new(topics, rd_kafka_TopicCollection_destroy)
    };
    let topics = topics.expect("librdkafka aborts rather than to return none");
    // SAFETY: as above.
    call(
        cluster,
        &submit,
        |to| unsafe { rd_kafka_DescribeTopics(to.client, topics.pointer(), to.options, to.queue) },
        |event| unsafe { read_topics(event) },
    )
}

/// # Safety
/// `event` is an answer to DescribeCluster.
unsafe fn read_cluster(event: *mut rd_kafka_event_t) -> ClusterDescription {
    let mut count = 0;
    // SAFETY: what the accessors return lives as long as the event.
    unsafe {
        let result = rd_kafka_event_DescribeCluster_result(event);
        let nodes = items(rd_kafka_DescribeCluster_result_nodes(result, &mut count), count);
        let mut nodes: Vec<Node> = nodes.iter().map(|node| read_node(*node)).collect();
        nodes.sort_by_key(|node| node.id);
        let controller = node_id(rd_kafka_DescribeCluster_result_controller(result));
        let cluster_id = text(rd_kafka_DescribeCluster_result_cluster_id(result));
        ClusterDescription { cluster_id, controller, nodes }
    }
}

/// # Safety
/// `event` is an answer to DescribeTopics.
unsafe fn read_topics(event: *mut rd_kafka_event_t) -> DescribedTopics {
    let mut count = 0;
    // SAFETY: what the accessors return lives as long as the event.
    unsafe {
        let result = rd_kafka_event_DescribeTopics_result(event);
        let topics = items(rd_kafka_DescribeTopics_result_topics(result, &mut count), count);
        topics.iter().map(|topic| read_topic(*topic)).collect()
    }
}

/// # Safety
/// `topic` lives as long as its event.
unsafe fn read_topic(
    topic: *const rd_kafka_TopicDescription_t,
) -> (String, Result<TopicDescription, BrokerError>) {
    let mut count = 0;
    // SAFETY: what the accessors return lives as long as the event; a null error means none, to all of its accessors.
    unsafe {
        let name = text(rd_kafka_TopicDescription_name(topic));
        let error = rd_kafka_TopicDescription_error(topic);
        let code = codes::rd_kafka_error_code(error);
        if let Err(error) = codes::outcome(code, rd_kafka_error_string(error)) {
            return (name, Err(error));
        }
        let partitions = items(rd_kafka_TopicDescription_partitions(topic, &mut count), count);
        let mut partitions: Vec<_> = partitions.iter().map(|partition| read_partition(*partition)).collect();
        partitions.sort_by_key(|partition| partition.partition);
        let topic_id = rd_kafka_TopicDescription_topic_id(topic);
        let topic_id = (!topic_id.is_null()).then(|| text(rd_kafka_Uuid_base64str(topic_id)));
        // All zeros is how brokers say that they have none. Kafka's notation is the one for URLs; librdkafka's is not.
        let topic_id = topic_id.filter(|id| id.bytes().any(|byte| byte != b'A'));
        let topic_id = topic_id.map(|id| id.replace('+', "-").replace('/', "_"));
        let is_internal = rd_kafka_TopicDescription_is_internal(topic) != 0;
        (name.clone(), Ok(TopicDescription { name, topic_id, is_internal, partitions }))
    }
}

/// # Safety
/// `partition` lives as long as its event.
unsafe fn read_partition(partition: *const rd_kafka_TopicPartitionInfo_t) -> PartitionDescription {
    let (mut replicas, mut in_sync) = (0, 0);
    // SAFETY: what the accessors return lives as long as the event.
    unsafe {
        let ids = |nodes: &[*const rd_kafka_Node_t]| nodes.iter().filter_map(|node| node_id(*node)).collect();
        PartitionDescription {
            partition: rd_kafka_TopicPartitionInfo_partition(partition),
            leader: node_id(rd_kafka_TopicPartitionInfo_leader(partition)),
            replicas: ids(items(rd_kafka_TopicPartitionInfo_replicas(partition, &mut replicas), replicas)),
            in_sync_replicas: ids(items(rd_kafka_TopicPartitionInfo_isr(partition, &mut in_sync), in_sync)),
        }
    }
}

/// # Safety
/// `node` is alive.
pub(super) unsafe fn read_node(node: *const rd_kafka_Node_t) -> Node {
    // SAFETY: as demanded; a node without a rack has null.
    unsafe {
        let rack = rd_kafka_Node_rack(node);
        Node {
            id: rd_kafka_Node_id(node),
            host: text(rd_kafka_Node_host(node)),
            port: rd_kafka_Node_port(node),
            rack: Some(text(rack)).filter(|rack| !rack.is_empty()),
        }
    }
}

/// # Safety
/// `node` is null or alive.
unsafe fn node_id(node: *const rd_kafka_Node_t) -> Option<i32> {
    // SAFETY: as demanded. Brokers say -1 for nobody.
    (!node.is_null()).then(|| unsafe { rd_kafka_Node_id(node) }).filter(|id| *id >= 0)
}
