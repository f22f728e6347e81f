//! The cluster as metadata shows it, and getting topics ready.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use corelane::base::ids::TopicId;
use corelane::protocol::ErrorCode;
use corelane::protocol::messages::create_topics::{CreatableTopic, CreateTopicsRequest};
use corelane::protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, ResourceType,
};
use corelane::protocol::messages::init_producer_id::InitProducerIdRequest;
use corelane::protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseTopic,
};

use super::{BlockingClient, ClientError};
use crate::settings::Topics;
use crate::workload::Identity;

/// How long a topic may take to get leaders after it was created.
const CREATION_TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Brokers and partitions.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The cluster's id.
    pub id: Option<String>,
    /// Addresses by broker id.
    pub brokers: BTreeMap<i32, String>,
    /// All partitions of all topics, in the order of their names and numbers.
    pub partitions: Vec<Partition>,
    /// Whether partitions have their topic's id.
    pub has_topic_ids: bool,
}

/// A partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    /// The topic's name.
    pub topic: String,
    /// The topic's id; zero where the broker has none.
    pub topic_id: TopicId,
    /// The partition's number.
    pub index: i32,
    /// The broker that leads it.
    pub leader: i32,
}

/// Connects to one of the brokers, creates topics that are missing if that is wanted, and describes them.
pub fn prepare(brokers: &[String], topics: &Topics) -> Result<(BlockingClient, Cluster), ClientError> {
    let mut client = bootstrap(brokers)?;
    let deadline = Instant::now() + CREATION_TIMEOUT;
    let mut is_created = false;
    loop {
        match describe(&mut client, &topics.names()) {
            Err(ClientError::NoTopic(_)) if topics.partitions.is_some() && !is_created => {
                create(&mut client, topics)?;
                is_created = true;
            }
            // A new topic is not at once known to every broker, and has no leaders at once.
            Err(ClientError::NoTopic(_) | ClientError::NoLeader { .. })
                if is_created && Instant::now() < deadline =>
            {
                std::thread::sleep(RETRY_PAUSE);
            }
            Err(error) => return Err(error),
            Ok(cluster) => {
                check_partitions(&cluster, topics)?;
                return Ok((client, cluster));
            }
        }
    }
}

/// A connection to the first broker that answers.
fn bootstrap(brokers: &[String]) -> Result<BlockingClient, ClientError> {
    let mut last = None;
    for address in brokers {
        if address.rsplit_once(':').is_none_or(|(host, port)| host.is_empty() || port.parse::<u16>().is_err())
        {
            return Err(ClientError::Address(address.clone()));
        }
        match BlockingClient::connect(address) {
            Ok(client) => return Ok(client),
            Err(ClientError::Broken { source, .. }) => last = Some(source),
            Err(other) => return Err(other),
        }
    }
    let source = last.ok_or_else(|| ClientError::Address(String::new()))?;
    Err(ClientError::Unreachable { brokers: brokers.join(", "), source })
}

fn describe(client: &mut BlockingClient, names: &[String]) -> Result<Cluster, ClientError> {
    let topic = |name: &String| MetadataRequestTopic { name: Some(name.clone()), ..Default::default() };
    let request = MetadataRequest {
        topics: Some(names.iter().map(topic).collect()),
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    let response = client.call(&request, i16::MAX)?;
    let has_topic_ids = response.topics.iter().all(|topic| topic.topic_id != TopicId::ZERO);
    let mut partitions = Vec::new();
    for name in names {
        partitions.append(&mut partitions_of(&response, name)?);
    }
    let brokers = response.brokers.iter().map(|it| (it.node_id, address(&it.host, it.port))).collect();
    Ok(Cluster { id: response.cluster_id, brokers, partitions, has_topic_ids })
}

fn partitions_of(response: &MetadataResponse, name: &str) -> Result<Vec<Partition>, ClientError> {
    let is_it = |topic: &&MetadataResponseTopic| topic.name.as_deref() == Some(name);
    let topic = response.topics.iter().find(is_it).ok_or_else(|| ClientError::NoTopic(name.to_owned()))?;
    match topic.error_code {
        ErrorCode::None | ErrorCode::LeaderNotAvailable => {}
        ErrorCode::UnknownTopicOrPartition => return Err(ClientError::NoTopic(name.to_owned())),
        code => return Err(ClientError::Refused { what: format!("describing topic `{name}`"), code }),
    }
    let mut partitions = Vec::new();
    for partition in &topic.partitions {
        let leader = partition.leader_id;
        if !response.brokers.iter().any(|broker| broker.node_id == leader) {
            let (topic, partition, code) = (name.to_owned(), partition.partition_index, partition.error_code);
            return Err(ClientError::NoLeader { topic, partition, code });
        }
        let (topic, topic_id) = (name.to_owned(), topic.topic_id);
        partitions.push(Partition { topic, topic_id, index: partition.partition_index, leader });
    }
    if partitions.is_empty() {
        let code = ErrorCode::LeaderNotAvailable;
        return Err(ClientError::NoLeader { topic: name.to_owned(), partition: 0, code });
    }
    partitions.sort_by_key(|partition| partition.index);
    Ok(partitions)
}

fn create(client: &mut BlockingClient, topics: &Topics) -> Result<(), ClientError> {
    let topic = |name: String| CreatableTopic {
        name,
        num_partitions: topics.partitions.unwrap_or(-1),
        replication_factor: topics.replication_factor,
        ..Default::default()
    };
    let request =
        CreateTopicsRequest { topics: topics.names().into_iter().map(topic).collect(), ..Default::default() };
    for topic in client.call(&request, i16::MAX)?.topics {
        if !matches!(topic.error_code, ErrorCode::None | ErrorCode::TopicAlreadyExists) {
            let message = topic.error_message.map(|text| format!(" ({text})")).unwrap_or_default();
            let what = format!("creating topic `{}`{message}", topic.name);
            return Err(ClientError::Refused { what, code: topic.error_code });
        }
    }
    Ok(())
}

fn check_partitions(cluster: &Cluster, topics: &Topics) -> Result<(), ClientError> {
    let Some(wanted) = topics.partitions else { return Ok(()) };
    for topic in topics.names() {
        let found = cluster.partitions.iter().filter(|it| it.topic == topic).count();
        if found as i64 != i64::from(wanted) {
            return Err(ClientError::PartitionCount { topic, found, wanted });
        }
    }
    Ok(())
}

/// A producer id for an idempotent producer.
pub fn init_producer_id(client: &mut BlockingClient) -> Result<Identity, ClientError> {
    let response =
        client.call(&InitProducerIdRequest { transactional_id: None, ..Default::default() }, i16::MAX)?;
    match response.error_code {
        ErrorCode::None => {
            let (producer_id, producer_epoch) = (response.producer_id, response.producer_epoch);
            Ok(Identity { producer_id, producer_epoch })
        }
        code => Err(ClientError::Refused { what: "asking for a producer id".to_owned(), code }),
    }
}

/// HOST:PORT as it is connected to; an IPv6 address stands in brackets.
pub fn address(host: &str, port: i32) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

/// The settings that a broker and a topic show, by key; empty where the broker does not tell.
pub fn describe_broker(client: &mut BlockingClient, cluster: &Cluster) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if !client.versions().has::<DescribeConfigsRequest>() {
        return found;
    }
    let broker = cluster.brokers.keys().next().map(|id| (ResourceType::Broker, id.to_string()));
    let topic = cluster.partitions.first().map(|it| (ResourceType::Topic, it.topic.clone()));
    for (resource_type, resource_name) in broker.into_iter().chain(topic) {
        let prefix = if resource_type == ResourceType::Topic { "topic." } else { "" };
        let resource_type = resource_type as i8;
        let resource = DescribeConfigsResource { resource_type, resource_name, configuration_keys: None };
        let request = DescribeConfigsRequest { resources: vec![resource], ..Default::default() };
        // The report is worth having without them.
        let Ok(response) = client.call(&request, i16::MAX) else { return found };
        for config in response.results.into_iter().flat_map(|result| result.configs) {
            if let Some(value) = config.value {
                found.insert(format!("{prefix}{}", config.name), value);
            }
        }
    }
    found
}
