//! The wire layer's share of a produce and of a fetch.

use std::hint::black_box;

use bytes::{Buf, Bytes};
use corelane::base::ids::TopicId;
use corelane::protocol::messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use corelane::protocol::messages::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use corelane::protocol::{
    Chain, LENGTH_BYTES, Message, REQUEST_BYTES_MIN, Reader, RequestHeader, encode_request, encode_response,
    frame_length,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const FRAME_BYTES_MAX: usize = 100 << 20;

fn produce_frame(version: i16) -> Bytes {
    let partition = PartitionProduceData { index: 3, records: Some(Bytes::from(vec![7; 1024])) };
    let topic = TopicProduceData {
        name: "orders".into(),
        topic_id: TopicId::from_bytes([1; 16]),
        partition_data: vec![partition],
    };
    let request =
        ProduceRequest { acks: -1, timeout_ms: 30_000, topic_data: vec![topic], ..Default::default() };
    encode_request(&request, version, 1, Some("producer-1")).into_bytes()
}

/// Length, header and body of a request, as a connection reads them.
fn decode_produce(frame: &Bytes) -> ProduceRequest {
    let prefix = frame[..LENGTH_BYTES].try_into().expect("four bytes");
    let length = frame_length(prefix, REQUEST_BYTES_MIN, FRAME_BYTES_MAX).expect("a good length");
    let mut reader = Reader::new(frame.slice(LENGTH_BYTES..LENGTH_BYTES + length));
    let header = RequestHeader::decode(&mut reader).expect("a good header");
    ProduceRequest::decode(&mut reader, header.version).expect("a good body")
}

fn fetch_response() -> FetchResponse {
    let partition = |index| PartitionData {
        partition_index: index,
        high_watermark: 1 << 20,
        last_stable_offset: 1 << 20,
        log_start_offset: 0,
        records: Some(Bytes::from(vec![7; 16 << 10]).into()),
        ..Default::default()
    };
    let topic = FetchableTopicResponse {
        topic: "orders".into(),
        topic_id: TopicId::from_bytes([1; 16]),
        partitions: (0..16).map(partition).collect(),
    };
    FetchResponse { responses: vec![topic], ..Default::default() }
}

fn encode_fetch(response: &FetchResponse, version: i16) -> Chain {
    let chain = encode_response(response, version, 1);
    assert!(chain.remaining() > 16 * (16 << 10));
    chain
}

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame");
    for version in [9, 13] {
        let frame = produce_frame(version);
        group.throughput(Throughput::Bytes(frame.len() as u64));
        group.bench_function(format!("decode produce v{version}, 1 KiB"), |bencher| {
            bencher.iter(|| decode_produce(black_box(&frame)));
        });
    }
    let response = fetch_response();
    group.throughput(Throughput::Bytes(16 * (16 << 10)));
    for version in [11, 16] {
        group.bench_function(format!("encode fetch v{version}, 16 x 16 KiB"), |bencher| {
            bencher.iter(|| encode_fetch(black_box(&response), version));
        });
    }
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
