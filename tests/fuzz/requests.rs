//! Requests that were damaged, through the router to a node of two shards in the simulator, and back: nothing
//! panics, no more memory is taken than the bounds say, whatever is answered can be read, and afterwards the node
//! serves and stops as if nothing had happened.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use corelane::api::{Call, Caller, Refused, Reply, decode};
use corelane::base::ids::{PartitionId, TopicId};
use corelane::protocol::batch::{BatchBuilder, validate};
use corelane::protocol::sample::Vocabulary;
use corelane::protocol::{LENGTH_BYTES, Reader, RequestHeader, decode_allowance};
use corelane::runtime::sim::SimWorld;
use corelane::shard::testing::{TestNode, owner_and_other, test_config};
use futures_util::future::select;

use super::random::Random;
use super::{allocation, batches, kinds, plain, seeds};

const SEEDS: u64 = 60;
const REQUESTS_PER_SEED: usize = 40;
/// A request that grows longer is cut.
const REQUEST_BYTES_MAX: usize = 64 << 10;
/// What a request may take besides what its own bytes account for: partitions that it creates, a response, and
/// what the node does meanwhile, which includes the simulated disk.
const MEMORY_MAX: usize = 24 << 20;
/// The longest that a test waits for a response, in virtual time. A fetch may wait for a minute.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn requests() {
    seeds::for_each("requests", 0..SEEDS, run);
}

fn run(seed: u64) {
    let world = SimWorld::new(seed);
    let runtime = world.runtime();
    // As little as there may be, so that budgets are met.
    let config = test_config(2, &[("memory", "576MiB")]);
    let ended = world.block_on(async {
        let node = Rc::new(TestNode::start(&runtime, "/data".into(), config).await);
        let mut client = HostileClient::new(seed, Rc::clone(&node)).await;
        let canary = node.create_topic("canary").await;
        for round in 0..REQUESTS_PER_SEED {
            client.send_one().await;
            if round % 16 == 0 {
                produce(&node, PartitionId { topic: canary, index: 0 }, canary_batch(round)).await;
            }
        }
        settle(&node).await;
        check_canary(&node, canary).await;
        check_logs(&node).await;
        drop(client);
        node.stop().await;
    });
    assert_eq!(ended, Some(()), "no power was to be lost");
}

struct HostileClient {
    node: Rc<TestNode>,
    random: Random,
    vocabulary: Rc<Vocabulary>,
}

impl HostileClient {
    async fn new(seed: u64, node: Rc<TestNode>) -> Self {
        let mut random = Random::new(seed);
        let topic_ids = vec![node.create_topic("first").await, node.create_topic("second").await];
        for (&topic, index) in topic_ids.iter().zip([0, 1]) {
            for _ in 0..5 {
                produce(&node, PartitionId { topic, index }, batches::valid(&mut random)).await;
            }
        }
        let strings = ["first", "first", "second", "second", "third", "", "1", "0", "retention.ms"];
        let payload = |at| match at % 2 {
            0 => batches::valid(&mut random),
            _ => batches::damaged(&mut random),
        };
        let payloads = (0..12).map(payload).map(Bytes::from).collect();
        let strings = strings.map(str::to_owned).to_vec();
        let vocabulary = Rc::new(Vocabulary { strings, topic_ids, payloads });
        HostileClient { node, random, vocabulary }
    }

    /// One request in three is left as it is, so that there is something that damage can be done to.
    fn frame(&mut self) -> Bytes {
        let (random, vocabulary) = (&mut self.random, &self.vocabulary);
        let mut frame = kinds::any(random).request(random, vocabulary);
        if !random.once_in(3) {
            let other = kinds::any(random).request(random, vocabulary);
            // The first half of the damage spares the header, so that it reaches the body.
            let header_bytes = if random.once_in(2) { 0 } else { 14.min(frame.len()) };
            let mut body = frame.split_off(header_bytes);
            random.mutate(&mut body, &other, REQUEST_BYTES_MAX);
            frame.extend_from_slice(&body);
        }
        frame.into()
    }

    async fn send_one(&mut self) {
        let frame = self.frame();
        let shard = Rc::clone(self.random.pick(&self.node.shards));
        let caller = Caller::new(shard, self.random.below(2));
        let before = allocation::mark();
        let reply = answer(&caller, frame.clone()).await;
        let (peak, max) = (before.peak_bytes(), decode_allowance(frame.len()) + MEMORY_MAX);
        assert!(peak <= max, "{peak} bytes for a request of {}: {frame:02x?}", frame.len());
        check_reply(&frame, reply);
    }
}

/// What a connection does with a frame: the response, or how it closes.
async fn answer(caller: &Caller, frame: Bytes) -> Reply {
    let runtime = Rc::clone(&caller.shard.runtime);
    let late = runtime.sleep(PATIENCE);
    let answered = async {
        match decode(frame) {
            Err(refused) => Reply::Close(refused),
            Ok(Call::Other(call)) => caller.execute(call).await,
            Ok(Call::Produce(call)) => {
                let mut pending = caller.produce(call).await;
                let deadline = pending.deadline().unwrap_or(Duration::MAX);
                let left = deadline.saturating_sub(runtime.now()).min(PATIENCE / 2);
                select(&mut pending, runtime.sleep(left)).await;
                pending.reply()
            }
        }
    };
    match select(std::pin::pin!(answered), late).await {
        futures_util::future::Either::Left((reply, _)) => reply,
        futures_util::future::Either::Right(_) => panic!("no answer within {PATIENCE:?}"),
    }
}

fn check_reply(request: &Bytes, reply: Reply) {
    let frame = match reply {
        Reply::Nothing => return,
        Reply::Close(Refused::Defect) => panic!("a panic was caught: {request:02x?}"),
        Reply::Close(_) => return,
        Reply::Send { frame, .. } => frame.into_bytes(),
    };
    let header = RequestHeader::decode(&mut Reader::new(request.clone())).expect("it was answered");
    // ApiVersions of a version that is not known is answered as of version 0.
    let version = if header.is_version_supported() { header.version } else { 0 };
    assert_eq!(frame[..LENGTH_BYTES], ((frame.len() - LENGTH_BYTES) as u32).to_be_bytes());
    let contents = frame.slice(LENGTH_BYTES..);
    let answered = kinds::find(header.api.key).check_response(contents, version);
    assert_eq!(answered, Ok(header.correlation_id), "the response to {request:02x?}");
}

fn canary_batch(round: usize) -> Vec<u8> {
    BatchBuilder::new().record(round as i64, None, Some(&[round as u8; 100])).build()
}

/// What a well-behaved client does. Sequences of idempotent producers are drawn at random: some are refused.
async fn produce(node: &TestNode, id: PartitionId, batch: Vec<u8>) {
    let (owner, _) = owner_and_other(node, id.topic, id.index);
    let header = validate(&batch, batch.len()).expect("a valid batch").header;
    let accepted = owner.append(id, &header, batch.into()).await.await;
    assert!(accepted.is_ok() || header.has_producer_id());
}

/// A client that does not want to wait is answered before all shards have applied its change.
async fn settle(node: &TestNode) {
    let runtime = &node.shards[0].runtime;
    while node.shards.iter().any(|shard| shard.image().version() != node.shards[0].image().version()) {
        runtime.sleep(Duration::from_millis(1)).await;
    }
}

/// What well-behaved clients wrote meanwhile is there, and nothing else.
async fn check_canary(node: &TestNode, topic: TopicId) {
    let log = read_log(node, PartitionId { topic, index: 0 }).await;
    let records: Vec<_> = plain::split(&log).into_iter().map(|batch| batch[61..].to_vec()).collect();
    let expected = (0..REQUESTS_PER_SEED).step_by(16).map(|round| canary_batch(round)[61..].to_vec());
    assert_eq!(records, expected.collect::<Vec<_>>());
}

/// Whatever was taken into any log can be read, and its offsets are without gaps.
async fn check_logs(node: &TestNode) {
    let image = node.shards[0].image();
    for topic in image.topics() {
        for index in 0..topic.partitions.len() {
            let mut offset = None;
            let log = read_log(node, PartitionId { topic: topic.record.id, index: index as i32 }).await;
            for batch in plain::split(&log) {
                let batch =
                    plain::read(batch).unwrap_or_else(|what| panic!("in a log: {what}: {batch:02x?}"));
                assert!(
                    offset.is_none_or(|offset| offset == batch.base_offset),
                    "{batch:?} behind {offset:?}"
                );
                assert_eq!(batch.record_count, batch.last_offset_delta + 1);
                offset = Some(batch.base_offset + i64::from(batch.record_count));
            }
        }
    }
}

async fn read_log(node: &TestNode, id: PartitionId) -> Vec<u8> {
    let (owner, _) = owner_and_other(node, id.topic, id.index);
    let replica = owner.storage.replica(id).unwrap_or_else(|| panic!("{id} of shard {} is open", owner.id));
    let mut log = Vec::new();
    let (mut offset, end) = {
        let state = replica.state.borrow();
        (state.progress().log_start(), state.progress().high_watermark())
    };
    while offset < end {
        let bytes = owner.storage.read(&replica, offset, 1 << 20).await.expect("readable").concat();
        let last = *plain::split(&bytes).last().expect("something below the high watermark");
        offset = i64::from_be_bytes(last[..8].try_into().expect("8 bytes"))
            + i64::from(i32::from_be_bytes(last[23..27].try_into().expect("4 bytes")))
            + 1;
        log.extend_from_slice(&bytes);
    }
    log
}
