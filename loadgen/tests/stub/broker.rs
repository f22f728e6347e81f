//! A broker that answers everything at once and keeps batches in memory, but can be told to misbehave. It uses the
//! wire layer from the other side.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::log::{Faults, Log};
use bytes::Bytes;
use corelane::protocol::batch::Batches;
use corelane::protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use corelane::protocol::messages::fetch::{
    FetchRequest, FetchResponse, FetchableTopicResponse, PartitionData,
};
use corelane::protocol::messages::init_producer_id::InitProducerIdResponse;
use corelane::protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic, ListOffsetsTopicResponse,
};
use corelane::protocol::messages::metadata::{
    MetadataRequest, MetadataResponse, MetadataResponseBroker, MetadataResponsePartition,
    MetadataResponseTopic,
};
use corelane::protocol::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use corelane::protocol::{ApiKey, ErrorCode, Message, Reader, RequestHeader, encode_response};

/// How the stub behaves.
#[derive(Default)]
pub struct Behaviour {
    /// From the first produce request on, so long after it, all answers wait for so long, once.
    pub stall: Option<(Duration, Duration)>,
    /// Closes all connections so long after the first produce request.
    pub dies_after: Option<Duration>,
    /// Answers every so-manieth produce request with an error.
    pub refuses_every: Option<u64>,
    /// How long each produce request takes.
    pub service_time: Duration,
    /// What goes wrong with what is stored.
    pub faults: Faults,
    /// Closes the connection instead of answering this produce request, which is stored.
    pub hangs_up_at: Option<u64>,
}

/// A running stub.
pub struct Stub {
    pub address: String,
    /// When each produce request arrived.
    pub arrivals: Arc<Mutex<Vec<Instant>>>,
    pub records: Arc<AtomicU64>,
}

struct State {
    behaviour: Behaviour,
    port: u16,
    first: Mutex<Option<Instant>>,
    is_stalled_once: AtomicBool,
    produced: AtomicU64,
    arrivals: Arc<Mutex<Vec<Instant>>>,
    records: Arc<AtomicU64>,
    log: Mutex<Log>,
    producer_ids: AtomicU64,
}

impl Stub {
    /// Serves on a free port of 127.0.0.1 until the process ends.
    pub fn start(behaviour: Behaviour) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (arrivals, records) = (Arc::default(), Arc::default());
        let state = Arc::new(State {
            behaviour,
            port,
            first: Mutex::default(),
            is_stalled_once: AtomicBool::default(),
            produced: AtomicU64::default(),
            arrivals: Arc::clone(&arrivals),
            records: Arc::clone(&records),
            log: Mutex::default(),
            producer_ids: AtomicU64::default(),
        });
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&state);
                std::thread::spawn(move || serve(stream.unwrap(), &state));
            }
        });
        Stub { address: format!("127.0.0.1:{port}"), arrivals, records }
    }
}

fn serve(mut stream: TcpStream, state: &State) {
    stream.set_nodelay(true).unwrap();
    while let Some(frame) = read_frame(&mut stream) {
        let mut reader = Reader::new(frame);
        let header = RequestHeader::decode(&mut reader).unwrap();
        let (version, id) = (header.version, header.correlation_id);
        let answer = match header.api.key {
            ApiKey::ApiVersions => Some(encode_response(&versions(), version, id)),
            ApiKey::Metadata => {
                let request = MetadataRequest::decode(&mut reader, version).unwrap();
                Some(encode_response(&metadata(state, &request), version, id))
            }
            ApiKey::Produce => {
                let request = ProduceRequest::decode(&mut reader, version).unwrap();
                let is_answered = request.acks != 0;
                match produce(state, &request) {
                    Some(response) => is_answered.then(|| encode_response(&response, version, id)),
                    None => return,
                }
            }
            ApiKey::Fetch => {
                let request = FetchRequest::decode(&mut reader, version).unwrap();
                Some(encode_response(&fetch(state, &request), version, id))
            }
            ApiKey::ListOffsets => {
                let request = ListOffsetsRequest::decode(&mut reader, version).unwrap();
                Some(encode_response(&list_offsets(state, &request), version, id))
            }
            ApiKey::InitProducerId => {
                let producer_id = state.producer_ids.fetch_add(1, Ordering::SeqCst) as i64;
                let response = InitProducerIdResponse { producer_id, ..Default::default() };
                Some(encode_response(&response, version, id))
            }
            other => panic!("the stub does not serve {other:?}"),
        };
        if let Some(answer) = answer
            && stream.write_all(&answer.into_bytes()).is_err()
        {
            return;
        }
    }
}

fn read_frame(stream: &mut TcpStream) -> Option<Bytes> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).ok()?;
    Some(frame.into())
}

fn versions() -> ApiVersionsResponse {
    let api = |api_key: i16, max_version| ApiVersion { api_key, min_version: 0, max_version };
    // Older ones than this program has: the newest common version has to be found.
    ApiVersionsResponse {
        api_keys: vec![api(0, 9), api(1, 11), api(2, 5), api(3, 9), api(18, 3), api(22, 4)],
        ..Default::default()
    }
}

fn metadata(state: &State, request: &MetadataRequest) -> MetadataResponse {
    let partition = |partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 7,
        replica_nodes: vec![7],
        isr_nodes: vec![7],
        ..Default::default()
    };
    let topic = |name: &str| MetadataResponseTopic {
        error_code: match name.starts_with("missing") {
            true => ErrorCode::UnknownTopicOrPartition,
            false => ErrorCode::None,
        },
        name: Some(name.to_owned()),
        partitions: (0..4).map(partition).collect(),
        ..Default::default()
    };
    let names = request.topics.iter().flatten().filter_map(|topic| topic.name.as_deref());
    MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: 7,
            host: "127.0.0.1".into(),
            port: state.port.into(),
            rack: None,
        }],
        topics: names.map(topic).collect(),
        ..Default::default()
    }
}

/// `None` closes the connection.
fn produce(state: &State, request: &ProduceRequest) -> Option<ProduceResponse> {
    let now = Instant::now();
    let since_first = now.duration_since(*state.first.lock().unwrap().get_or_insert(now));
    state.arrivals.lock().unwrap().push(now);
    if state.behaviour.dies_after.is_some_and(|after| since_first >= after) {
        return None;
    }
    if let Some((after, length)) = state.behaviour.stall
        && since_first >= after
        && !state.is_stalled_once.swap(true, Ordering::SeqCst)
    {
        std::thread::sleep(length);
    }
    std::thread::sleep(state.behaviour.service_time);
    let number = state.produced.fetch_add(1, Ordering::SeqCst) + 1;
    let is_refused = state.behaviour.refuses_every.is_some_and(|every| number.is_multiple_of(every));
    let topic = &request.topic_data[0];
    let partition = &topic.partition_data[0];
    let batch = Batches::new(partition.records.as_ref().unwrap()).check_crc().next().unwrap().unwrap();
    state.records.fetch_add(batch.batch.header().record_count as u64, Ordering::SeqCst);
    let mut log = state.log.lock().unwrap();
    log.append(partition.index, batch.batch.bytes(), number, &state.behaviour.faults);
    if state.behaviour.hangs_up_at == Some(number) {
        return None;
    }
    let response = PartitionProduceResponse {
        index: partition.index,
        error_code: if is_refused { ErrorCode::NotEnoughReplicas } else { ErrorCode::None },
        ..Default::default()
    };
    let topic = TopicProduceResponse {
        name: topic.name.clone(),
        partition_responses: vec![response],
        ..Default::default()
    };
    Some(ProduceResponse { responses: vec![topic], ..Default::default() })
}

fn fetch(state: &State, request: &FetchRequest) -> FetchResponse {
    let log = state.log.lock().unwrap();
    let mut is_empty = true;
    let mut topics = Vec::new();
    for topic in &request.topics {
        let mut partitions = Vec::new();
        for asked in &topic.partitions {
            let bytes = log.read(asked.partition, asked.fetch_offset);
            is_empty &= bytes.is_empty();
            partitions.push(PartitionData {
                partition_index: asked.partition,
                records: Some(Bytes::from(bytes).into()),
                ..Default::default()
            });
        }
        topics.push(FetchableTopicResponse { topic: topic.topic.clone(), partitions, ..Default::default() });
    }
    drop(log);
    if is_empty {
        std::thread::sleep(Duration::from_millis(5));
    }
    FetchResponse { responses: topics, ..Default::default() }
}

fn list_offsets(state: &State, request: &ListOffsetsRequest) -> ListOffsetsResponse {
    let log = state.log.lock().unwrap();
    let answer = |asked: &ListOffsetsPartition| ListOffsetsPartitionResponse {
        partition_index: asked.partition_index,
        offset: log.end(asked.partition_index),
        ..Default::default()
    };
    let topic = |topic: &ListOffsetsTopic| ListOffsetsTopicResponse {
        name: topic.name.clone(),
        partitions: topic.partitions.iter().map(answer).collect(),
    };
    ListOffsetsResponse { topics: request.topics.iter().map(topic).collect(), ..Default::default() }
}
