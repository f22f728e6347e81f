//! As much of a Kafka client as these tests need, on an independent implementation of the wire format.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::elect_leaders_request::TopicPartitions;
use kafka_protocol::messages::{
    ApiKey, BrokerId, CreateTopicsRequest, CreateTopicsResponse, ElectLeadersRequest, ElectLeadersResponse,
    MetadataRequest, MetadataResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

const TIMEOUT_MS: i32 = 30_000;
/// INVALID_REPLICATION_FACTOR
pub const INVALID_REPLICATION_FACTOR: i16 = 38;
/// NOT_CONTROLLER
pub const NOT_CONTROLLER: i16 = 41;
/// TOPIC_ALREADY_EXISTS
pub const TOPIC_ALREADY_EXISTS: i16 = 36;

pub struct Client {
    stream: TcpStream,
}

/// What metadata says.
#[derive(PartialEq, Eq, Debug)]
pub struct Seen {
    pub cluster_id: String,
    pub controller: i32,
    pub brokers: Vec<i32>,
    /// By topic, the leader of each partition.
    pub leaders: BTreeMap<String, Vec<i32>>,
    /// By topic, the brokers that are in sync with each partition.
    pub in_sync: BTreeMap<String, Vec<Vec<i32>>>,
}

impl Client {
    pub fn connect(address: &str) -> Self {
        Client { stream: TcpStream::connect(address).expect("the broker listens") }
    }

    fn call<Response: Decodable>(&mut self, api: ApiKey, version: i16, request: &impl Encodable) -> Response {
        let header = RequestHeader::default()
            .with_request_api_key(api as i16)
            .with_request_api_version(version)
            .with_correlation_id(1);
        let mut frame = BytesMut::new();
        header.encode(&mut frame, api.request_header_version(version)).expect("a header");
        request.encode(&mut frame, version).expect("a request");
        let mut bytes = BytesMut::new();
        bytes.put_u32(frame.len() as u32);
        bytes.put(frame);
        self.stream.write_all(&bytes).expect("the broker reads");
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).expect("the broker answers");
        let mut response = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut response).expect("the broker answers");
        let mut response = Bytes::from(response);
        ResponseHeader::decode(&mut response, api.response_header_version(version)).expect("a header");
        Response::decode(&mut response, version).expect("a response")
    }

    /// Creates a topic; Kafka's error code, 0 for none.
    pub fn create_topic(&mut self, name: &str, partitions: i32, replication_factor: i16) -> i16 {
        self.create_topic_with(name, partitions, replication_factor, &[])
    }

    /// The same with configs.
    pub fn create_topic_with(
        &mut self,
        name: &str,
        partitions: i32,
        replication_factor: i16,
        configs: &[(&str, &str)],
    ) -> i16 {
        let config = |(name, value): &(&str, &str)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_string((*name).to_owned()))
                .with_value(Some(StrBytes::from_string((*value).to_owned())))
        };
        let topic = CreatableTopic::default()
            .with_name(TopicName(StrBytes::from_string(name.to_owned())))
            .with_num_partitions(partitions)
            .with_replication_factor(replication_factor)
            .with_configs(configs.iter().map(config).collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS);
        let response: CreateTopicsResponse = self.call(ApiKey::CreateTopics, 5, &request);
        response.topics[0].error_code
    }

    /// Asks for the preferred leader of a topic's first partition; Kafka's error code, 0 for none.
    pub fn elect_preferred(&mut self, topic: &str) -> i16 {
        let topic = TopicPartitions::default()
            .with_topic(TopicName(StrBytes::from_string(topic.to_owned())))
            .with_partitions(vec![0]);
        let request = ElectLeadersRequest::default()
            .with_topic_partitions(Some(vec![topic]))
            .with_timeout_ms(TIMEOUT_MS);
        let response: ElectLeadersResponse = self.call(ApiKey::ElectLeaders, 2, &request);
        response.replica_election_results[0].partition_result[0].error_code
    }

    /// All that metadata says.
    pub fn metadata(&mut self) -> Seen {
        let request = MetadataRequest::default().with_topics(None).with_allow_auto_topic_creation(false);
        let response: MetadataResponse = self.call(ApiKey::Metadata, 9, &request);
        let mut brokers: Vec<i32> = response.brokers.iter().map(|broker| broker.node_id.0).collect();
        brokers.sort_unstable();
        let leaders = response.topics.iter().map(|topic| {
            let name = topic.name.as_ref().expect("named").0.to_string();
            let mut partitions: Vec<(i32, i32)> = topic
                .partitions
                .iter()
                .map(|partition| (partition.partition_index, partition.leader_id.0))
                .collect();
            partitions.sort_unstable();
            (name, partitions.into_iter().map(|(_, leader)| leader).collect())
        });
        let in_sync = response.topics.iter().map(|topic| {
            let name = topic.name.as_ref().expect("named").0.to_string();
            let mut partitions: Vec<_> = topic.partitions.iter().collect();
            partitions.sort_unstable_by_key(|partition| partition.partition_index);
            let nodes = |nodes: &[BrokerId]| nodes.iter().map(|node| node.0).collect();
            (name, partitions.iter().map(|partition| nodes(&partition.isr_nodes)).collect())
        });
        Seen {
            cluster_id: response.cluster_id.expect("there is one").to_string(),
            controller: response.controller_id.0,
            brokers,
            leaders: leaders.collect(),
            in_sync: in_sync.collect(),
        }
    }
}
