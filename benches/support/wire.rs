//! Requests and responses over a blocking socket.

use std::io::{Read, Write};
use std::net::TcpStream;

use bytes::Bytes;
use corelane::protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use corelane::protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use corelane::protocol::{ErrorCode, LENGTH_BYTES, Message, Request, decode_response, encode_request};

const CREATE_TOPICS_VERSION: i16 = 5;
pub const PRODUCE_VERSION: i16 = 9;

pub fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the broker listens");
    stream.set_nodelay(true).expect("TCP");
    stream
}

pub fn frame<R: Request + Message>(request: &R, version: i16) -> Vec<u8> {
    encode_request(request, version, 1, Some("bench")).into_bytes().to_vec()
}

/// The contents of the next response frame.
pub fn receive(stream: &mut TcpStream) -> Bytes {
    let mut length = [0; LENGTH_BYTES];
    stream.read_exact(&mut length).expect("the broker answers");
    let mut response = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut response).expect("the broker answers");
    response.into()
}

/// One request and its response.
pub fn call<R: Request + Message>(stream: &mut TcpStream, request: &R, version: i16) -> R::Response {
    stream.write_all(&frame(request, version)).expect("the broker lives");
    let (_, response) = decode_response(receive(stream), version).expect("a response to the request");
    response
}

pub fn create_topic(stream: &mut TcpStream, name: &str, partitions: i32, configs: &[(&str, &str)]) {
    let config = |&(name, value): &(&str, &str)| CreatableTopicConfig {
        name: name.to_owned(),
        value: Some(value.to_owned()),
    };
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.iter().map(config).collect(),
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 60_000, ..Default::default() };
    let created = call(stream, &request, CREATE_TOPICS_VERSION);
    assert_eq!(created.topics[0].error_code, ErrorCode::None, "a new directory has no topics");
}

/// A request to append one batch, to be acknowledged when it is durable.
pub fn produce_request(topic: &str, partition: i32, batch: Bytes) -> ProduceRequest {
    let data = PartitionProduceData { index: partition, records: Some(batch) };
    let topic = TopicProduceData { name: topic.to_owned(), partition_data: vec![data], ..Default::default() };
    ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() }
}
