//! As much of a Kafka client as these tests need, on an independent implementation of the wire format. It asks one
//! address for everything, so that requests for other shards are forwarded.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use corelane::protocol::batch::BatchBuilder;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteTopicsRequest, DeleteTopicsResponse, FetchRequest, FetchResponse, InitProducerIdRequest,
    InitProducerIdResponse, ProduceRequest, ProduceResponse, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use kafka_protocol::records::RecordBatchDecoder;

const TIMEOUT_MS: i32 = 10_000;

pub struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    pub fn connect(address: &str) -> Self {
        Client { stream: TcpStream::connect(address).expect("the broker listens"), correlation_id: 0 }
    }

    fn call<Response: Decodable>(&mut self, api: ApiKey, version: i16, request: &impl Encodable) -> Response {
        self.correlation_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(api as i16)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id);
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
        let header =
            ResponseHeader::decode(&mut response, api.response_header_version(version)).expect("a header");
        assert_eq!(header.correlation_id, self.correlation_id);
        let decoded = Response::decode(&mut response, version).expect("a response");
        assert!(!response.has_remaining(), "all of it is understood");
        decoded
    }

    pub fn api_versions(&mut self) {
        let response: ApiVersionsResponse = self.call(ApiKey::ApiVersions, 0, &ApiVersionsRequest::default());
        assert_eq!(response.error_code, 0);
    }

    pub fn create_topic(&mut self, name: &str, partitions: i32) {
        self.create_topic_with(name, partitions, &[]);
    }

    pub fn create_topic_with(&mut self, name: &str, partitions: i32, configs: &[(&str, &str)]) {
        let config = |&(key, value): &(&str, &str)| {
            let (key, value) = (key.to_owned(), value.to_owned());
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_string(key))
                .with_value(Some(StrBytes::from_string(value)))
        };
        let topic = CreatableTopic::default()
            .with_name(topic_name(name))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.iter().map(config).collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(TIMEOUT_MS);
        let response: CreateTopicsResponse = self.call(ApiKey::CreateTopics, 5, &request);
        assert_eq!(response.topics[0].error_code, 0, "{response:?}");
    }

    pub fn delete_topic(&mut self, name: &str) {
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![topic_name(name)])
            .with_timeout_ms(TIMEOUT_MS);
        let response: DeleteTopicsResponse = self.call(ApiKey::DeleteTopics, 4, &request);
        assert_eq!(response.responses[0].error_code, 0, "{response:?}");
    }

    /// A producer id that nobody has, and its epoch.
    pub fn init_producer_id(&mut self) -> (i64, i16) {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(TIMEOUT_MS);
        let response: InitProducerIdResponse = self.call(ApiKey::InitProducerId, 1, &request);
        assert_eq!(response.error_code, 0, "{response:?}");
        (response.producer_id.0, response.producer_epoch)
    }

    /// Produces one record and waits until it is acknowledged by all.
    pub fn produce(&mut self, topic: &str, partition: i32, value: &str) {
        let batch = BatchBuilder::new().record(1, None, Some(value.as_bytes()));
        self.produce_batch(topic, partition, batch);
    }

    /// Produces a batch and waits until it is acknowledged by all; its offset.
    pub fn produce_batch(&mut self, topic: &str, partition: i32, batch: BatchBuilder) -> i64 {
        let batch = batch.build();
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch.into()));
        let data = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
        let request =
            ProduceRequest::default().with_acks(-1).with_timeout_ms(TIMEOUT_MS).with_topic_data(vec![data]);
        let response: ProduceResponse = self.call(ApiKey::Produce, 9, &request);
        let produced = &response.responses[0].partition_responses[0];
        assert_eq!(produced.error_code, 0, "{response:?}");
        produced.base_offset
    }

    /// The values of all records of a partition.
    pub fn fetch_all(&mut self, topic: &str, partition: i32) -> Vec<String> {
        let mut values = Vec::new();
        loop {
            let wanted = FetchPartition::default()
                .with_partition(partition)
                .with_current_leader_epoch(-1)
                .with_fetch_offset(values.len() as i64)
                .with_partition_max_bytes(1 << 20);
            let wanted = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![wanted]);
            let request = FetchRequest::default()
                .with_replica_id((-1).into())
                .with_max_bytes(1 << 20)
                .with_session_epoch(-1)
                .with_topics(vec![wanted]);
            let response: FetchResponse = self.call(ApiKey::Fetch, 11, &request);
            let found = &response.responses[0].partitions[0];
            assert_eq!(found.error_code, 0, "{response:?}");
            let before = values.len();
            let mut batches = found.records.clone().unwrap_or_default();
            let batches = RecordBatchDecoder::decode_all(&mut batches).expect("whole batches");
            for record in batches.into_iter().flat_map(|batch| batch.records) {
                assert_eq!(record.offset, values.len() as i64);
                let value = record.value.expect("a value");
                values.push(String::from_utf8(value.to_vec()).expect("text"));
            }
            if values.len() == before {
                assert_eq!(found.high_watermark, before as i64);
                return values;
            }
        }
    }
}

fn topic_name(name: &str) -> TopicName {
    TopicName(StrBytes::from_string(name.to_owned()))
}
