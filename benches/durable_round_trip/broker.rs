//! The broker as a user starts it, and a producer that does nothing but send and wait.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use corelane::protocol::batch::BatchBuilder;
use corelane::protocol::messages::create_topics::{
    CreatableTopic, CreateTopicsRequest, CreateTopicsResponse,
};
use corelane::protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use corelane::protocol::{ErrorCode, LENGTH_BYTES, Message, Request, decode_response, encode_request};

const TOPIC: &str = "round-trip";
const PRODUCE_VERSION: i16 = 9;
const CREATE_TOPICS_VERSION: i16 = 5;

pub struct Broker {
    process: Child,
    address: String,
}

impl Broker {
    /// One shard, so that the client's port leads to the partition's owner.
    pub fn start(directory: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_corelane"))
            .args(["serve", "--listen", "127.0.0.1:0", "--shards", "1", "--data-dir"])
            .arg(directory.join("data"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("piped");
        BufReader::new(stdout).read_line(&mut line).expect("the broker says when it is ready");
        let address = line.strip_prefix("corelane ready ").and_then(|rest| rest.split_whitespace().next());
        let address = address.unwrap_or_else(|| panic!("not a ready line: {line:?}")).to_owned();
        Broker { process, address }
    }

    pub fn stop(&mut self, patience: Duration) {
        // SAFETY: a plain signal to a process that is our child and not yet waited for.
        unsafe { libc::kill(self.process.id() as i32, libc::SIGTERM) };
        let deadline = Instant::now() + patience;
        while self.process.try_wait().expect("our child").is_none() {
            assert!(Instant::now() < deadline, "the broker does not stop");
            std::thread::yield_now();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It has ended already unless the benchmark panicked.
        let _ = self.process.kill();
    }
}

pub struct Producer {
    stream: TcpStream,
    request: Vec<u8>,
    response: Vec<u8>,
}

impl Producer {
    pub fn connect(broker: &Broker, record_bytes: usize) -> Self {
        let mut stream = TcpStream::connect(&broker.address).expect("the broker listens");
        stream.set_nodelay(true).expect("TCP");
        create_topic(&mut stream);
        let batch = BatchBuilder::new().record(0, None, Some(&vec![7; record_bytes])).build();
        let partition = PartitionProduceData { index: 0, records: Some(Bytes::from(batch)) };
        let topic = TopicProduceData {
            name: TOPIC.to_owned(),
            partition_data: vec![partition],
            ..Default::default()
        };
        let request =
            ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic], ..Default::default() };
        let request = frame(&request, PRODUCE_VERSION);
        stream.write_all(&request).expect("the broker lives");
        let response = receive(&mut stream);
        let (_, produced) = decode_response::<ProduceResponse>(response.clone().into(), PRODUCE_VERSION)
            .expect("a produce response");
        let error = produced.responses[0].partition_responses[0].error_code;
        assert_eq!(error, ErrorCode::None, "the topic was made just now");
        Producer { stream, request, response: vec![0; LENGTH_BYTES + response.len()] }
    }

    pub fn request_bytes(&self) -> usize {
        self.request.len()
    }

    pub fn response_bytes(&self) -> usize {
        self.response.len()
    }

    /// One request and its response, which has the length of the first one's.
    pub fn produce(&mut self) {
        self.stream.write_all(&self.request).expect("the broker lives");
        self.stream.read_exact(&mut self.response).expect("the broker answers");
    }
}

fn create_topic(stream: &mut TcpStream) {
    let topic = CreatableTopic {
        name: TOPIC.to_owned(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    stream.write_all(&frame(&request, CREATE_TOPICS_VERSION)).expect("the broker lives");
    let response = receive(stream);
    let (_, created) = decode_response::<CreateTopicsResponse>(response.into(), CREATE_TOPICS_VERSION)
        .expect("a response to the creation");
    assert_eq!(created.topics[0].error_code, ErrorCode::None, "a new directory has no topics");
}

fn frame<R: Request + Message>(request: &R, version: i16) -> Vec<u8> {
    encode_request(request, version, 1, Some("durable-round-trip")).into_bytes().to_vec()
}

fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; LENGTH_BYTES];
    stream.read_exact(&mut length).expect("the broker answers");
    let mut response = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut response).expect("the broker answers");
    response
}
