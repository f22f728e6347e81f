//! Requests against a node of simulated shards: whole frames in, whole frames out.

mod admin;
mod admin_calls;
mod configs;
mod delete_records;
mod describe;
mod faults;
mod fetch;
mod fetch_sessions;
mod group_loads;
mod groups;
mod inspect;
mod list_offsets;
mod overload;
mod partitions;
mod produce;
mod topic_configs;

use std::rc::Rc;

use bytes::Bytes;

use super::*;
use crate::base::ids::TopicId;
use crate::cluster::NewTopic;
use crate::protocol::batch::{BatchBuilder, BatchView, Compression, HEADER_BYTES};
use crate::protocol::codec::Packer;
use crate::protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use crate::protocol::{LENGTH_BYTES, Request, decode_response, encode_request};
use crate::runtime::sim::SimWorld;
use crate::shard::Shard;
use crate::shard::testing::{TestNode, test_config};

const CORRELATION_ID: i32 = 77;

/// Runs a test on a node of two shards.
fn on_node<F: Future<Output = ()>>(set: &[(&str, &str)], test: impl FnOnce(Rc<TestNode>) -> F) {
    let world = SimWorld::new(1);
    let runtime = world.runtime();
    let config = test_config(2, set);
    let ended = world.block_on(async {
        let node = Rc::new(TestNode::start(&runtime, "/data".into(), config).await);
        test(Rc::clone(&node)).await;
        node.stop().await;
    });
    assert_eq!(ended, Some(()));
}

fn caller(shard: &Rc<Shard>) -> Caller {
    Caller::new(Rc::clone(shard), 0)
}

/// Sends a request through the router.
async fn reply_to<R: Request>(caller: &Caller, request: &R, version: i16) -> Reply {
    let frame = encode_request(request, version, CORRELATION_ID, Some("test")).into_bytes();
    match decode(frame.slice(LENGTH_BYTES..)).expect("our own request") {
        Call::Produce(call) => {
            let mut pending = caller.produce(call).await;
            let deadline = pending.deadline().unwrap_or(std::time::Duration::MAX);
            let left = deadline.saturating_sub(caller.shard.runtime.now());
            let late = caller.shard.runtime.sleep(left.min(std::time::Duration::from_secs(60)));
            futures_util::future::select(&mut pending, late).await;
            pending.reply()
        }
        Call::Other(call) => caller.execute(call).await,
    }
}

/// The same with a response, decoded.
async fn call<R: Request>(caller: &Caller, request: &R, version: i16) -> R::Response {
    let Reply::Send { frame, .. } = reply_to(caller, request, version).await else {
        panic!("a response was expected")
    };
    let frame = frame.into_bytes().slice(LENGTH_BYTES..);
    let (header, response) = decode_response(frame, version).expect("our own response");
    assert_eq!(header.correlation_id, CORRELATION_ID);
    response
}

fn batch(values: &[&[u8]]) -> Bytes {
    let builder = BatchBuilder::new();
    values.iter().fold(builder, |builder, value| builder.record(1_000, None, Some(value))).build().into()
}

/// The batch with its records compressed.
fn packed(codec: Compression, batch: BatchBuilder) -> Bytes {
    let plain = batch.attributes(codec as i16).build();
    let view = BatchView::parse(&plain).expect("our own");
    let room = vec![0; HEADER_BYTES];
    let mut packer = Packer::new(codec, view.records().len(), room, 1 << 30).expect("there is room");
    packer.step(view.records()).expect("there is room");
    let mut packed = packer.finish().expect("there is room");
    let header = view.header().with_records_of(packed.len() - HEADER_BYTES);
    let header = header.with_crc_over(&packed[HEADER_BYTES..]);
    packed[..HEADER_BYTES].copy_from_slice(&header.encode());
    packed.into()
}

fn produce_request(name: &str, index: i32, records: Bytes) -> ProduceRequest {
    ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: name.to_owned(),
            topic_id: TopicId::ZERO,
            partition_data: vec![PartitionProduceData { index, records: Some(records) }],
        }],
        ..Default::default()
    }
}

/// Creates a topic with these configs.
async fn create_topic_with(caller: &Caller, name: &str, configs: &[(&str, &str)]) -> TopicId {
    let configs = configs.iter().map(|(name, value)| ((*name).to_owned(), Some((*value).to_owned())));
    let topic = NewTopic { configs: configs.collect(), ..NewTopic::with_defaults(name) };
    let created = caller.shard.metadata.create_topics(vec![topic], false).await;
    created.expect("metadata works").remove(0).expect("a valid topic").id
}

/// Produces a batch and gives the only partition's answer.
async fn produce(caller: &Caller, name: &str, index: i32, records: Bytes) -> PartitionProduceResponse {
    let response = call(caller, &produce_request(name, index, records), 9).await;
    response.responses[0].partition_responses[0].clone()
}
