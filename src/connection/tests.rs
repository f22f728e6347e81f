//! Real sockets over loopback, against a node of two shards on the test's own thread.

use std::io::IoSlice;
use std::net::Shutdown;
use std::rc::Rc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::{Either, select};

use super::Connections;
use crate::api::request_cost;
use crate::base::limits::REQUEST_COST_PER_BYTE;
use crate::protocol::batch::BatchBuilder;
use crate::protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use crate::protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use crate::protocol::messages::metadata::MetadataRequest;
use crate::protocol::messages::produce::{
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use crate::protocol::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};
use crate::protocol::{ApiKey, ErrorCode, Message, Request, decode_response, encode_request};
use crate::runtime::Runtime;
use crate::runtime::glommio::testing::direct_io_dir;
use crate::runtime::glommio::{Listener, Stream, run_here};
use crate::shard::Shard;
use crate::shard::testing::{TestNode, owner_and_other, test_config};

/// What a test works with: a shard, its connections and where to reach them.
struct Scene {
    runtime: Rc<dyn Runtime>,
    node: TestNode,
    shard: Rc<Shard>,
    connections: Rc<Connections>,
    address: std::net::SocketAddr,
}

/// Runs a test on a node of two shards, of which the one that leads partition 0 of the topic `t` listens. At its
/// end everything that connections took must have been given back.
fn on_scene<F: Future<Output = ()> + 'static>(
    set: &[(&str, &str)],
    test: impl FnOnce(Rc<Scene>) -> F + 'static,
) {
    let directory = direct_io_dir();
    let (path, config) = (directory.path().to_owned(), test_config(2, set));
    run_here(move |runtime| async move {
        let node = TestNode::start(&runtime, path, config).await;
        let topic = node.create_topic("t").await;
        let (shard, _) = owner_and_other(&node, topic, 0);
        let connections = Connections::new(Rc::clone(&shard));
        let listener = Listener::bind("127.0.0.1:0".parse().expect("an address"), false).expect("bound");
        let address = listener.local_addr().expect("bound");
        connections.listen(listener, 0);
        let scene = Rc::new(Scene { runtime, node, shard, connections, address });
        test(Rc::clone(&scene)).await;
        scene.connections.drain(Duration::from_secs(5)).await;
        scene.node.stop().await;
        let budgets = &scene.shard.budgets;
        let used = [budgets.requests.used(), budgets.undurable.used(), budgets.fetches.used()];
        assert_eq!((used, budgets.replies.used()), ([0; 3], 0));
        assert_eq!(budgets.queries.used(), 0);
        assert_eq!(scene.shard.counters.connections.get(), 0);
    })
    .expect("an executor");
}

/// Requests that the shard has taken from its connections.
fn taken(scene: &Scene) -> u64 {
    ApiKey::ALL.iter().map(|api| scene.shard.counters.requests.taken(*api).get()).sum()
}

impl Scene {
    async fn connect(&self) -> Client {
        Client { stream: Stream::connect(self.address).await.expect("connected"), received: BytesMut::new() }
    }

    /// Waits until something is so; tests end by their time-out otherwise.
    async fn until(&self, what: impl Fn(&Scene) -> bool) {
        while !what(self) {
            self.runtime.sleep(Duration::from_millis(1)).await;
        }
    }
}

struct Client {
    stream: Stream,
    received: BytesMut,
}

impl Client {
    async fn send(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let sent = self.stream.write_vectored(&[IoSlice::new(bytes)]).await.expect("sent");
            bytes = &bytes[sent..];
        }
    }

    /// The next frame's contents; `None` when the broker has closed the connection.
    async fn receive(&mut self) -> Option<Bytes> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            if let Some(length) = self.received.first_chunk::<4>() {
                let length = u32::from_be_bytes(*length) as usize;
                if self.received.len() >= 4 + length {
                    return Some(self.received.split_to(4 + length).freeze().slice(4..));
                }
            }
            match self.stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            }
        }
    }

    async fn response<M: Message>(&mut self, version: i16) -> (i32, M) {
        let frame = self.receive().await.expect("a response");
        let (header, body) = decode_response(frame, version).expect("our own response");
        (header.correlation_id, body)
    }

    /// Whether the connection works.
    async fn is_alive(&mut self) -> bool {
        self.send(&frame(&ApiVersionsRequest::default(), 0, 1)).await;
        self.receive().await.is_some()
    }
}

fn frame<R: Request>(request: &R, version: i16, correlation_id: i32) -> Bytes {
    encode_request(request, version, correlation_id, None).into_bytes()
}

fn produce(acks: i16, index: i32, value: &[u8]) -> ProduceRequest {
    let records = Some(BatchBuilder::new().record(1, None, Some(value)).build().into());
    ProduceRequest {
        acks,
        timeout_ms: 10_000,
        topic_data: vec![TopicProduceData {
            name: "t".to_owned(),
            partition_data: vec![PartitionProduceData { index, records }],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn fetch_of(partition_max_bytes: i32) -> FetchRequest {
    FetchRequest { max_wait_ms: 0, ..fetch_from(0, partition_max_bytes) }
}

fn fetch(offset: i64, min_bytes: i32, max_wait_ms: i32) -> FetchRequest {
    FetchRequest { min_bytes, max_wait_ms, ..fetch_from(offset, 1 << 20) }
}

fn fetch_from(fetch_offset: i64, partition_max_bytes: i32) -> FetchRequest {
    let partition = FetchPartition { fetch_offset, partition_max_bytes, ..Default::default() };
    let topic = FetchTopic { topic: "t".to_owned(), partitions: vec![partition], ..Default::default() };
    FetchRequest { topics: vec![topic], ..Default::default() }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    on_scene(&[], |scene| async move {
        let mut client = scene.connect().await;
        let mut bytes = Vec::new();
        for round in 0..50 {
            bytes.extend(frame(&produce(-1, 0, &[7; 500]), 9, round * 4));
            bytes.extend(frame(&produce(1, 1, b"other shard"), 9, round * 4 + 1));
            bytes.extend(frame(&produce(0, 0, b"no answer"), 9, round * 4 + 2));
            bytes.extend(frame(&ApiVersionsRequest::default(), 3, round * 4 + 3));
        }
        client.send(&bytes).await;
        for round in 0..50i32 {
            for (at, expected) in [(0, i64::from(round) * 2), (1, i64::from(round))] {
                let (id, response) = client.response::<ProduceResponse>(9).await;
                let partition = &response.responses[0].partition_responses[0];
                assert_eq!(id, round * 4 + at);
                assert_eq!((partition.error_code, partition.base_offset), (ErrorCode::None, expected));
            }
            assert_eq!(client.response::<ApiVersionsResponse>(3).await.0, round * 4 + 3);
        }
        assert_eq!(scene.shard.counters.forwarded_requests.get(), 50);
    });
}

#[test]
fn produce_requests_share_a_write_and_one_behind_a_fetch_waits_for_it() {
    on_scene(&[], |scene| async move {
        let mut client = scene.connect().await;
        client.send(&[frame(&fetch(0, 1, 100), 11, 1), frame(&produce(-1, 0, b"a"), 9, 2)].concat()).await;
        let (id, response) = client.response::<FetchResponse>(11).await;
        assert_eq!((id, response.responses[0].partitions[0].high_watermark), (1, 0));
        assert_eq!(client.response::<ProduceResponse>(9).await.0, 2);
        // Another connection's records wake it.
        client.send(&frame(&fetch(1, 1, 10_000), 11, 3)).await;
        let mut other = scene.connect().await;
        other.send(&frame(&produce(-1, 0, b"b"), 9, 4)).await;
        assert_eq!(other.response::<ProduceResponse>(9).await.0, 4);
        let (id, response) = client.response::<FetchResponse>(11).await;
        assert_eq!((id, response.responses[0].partitions[0].high_watermark), (3, 2));
    });
}

#[test]
fn hostile_bytes_close_their_connection_and_no_other() {
    on_scene(&[("socket.request.max.bytes", "2000000")], |scene| async move {
        let mut good = scene.connect().await;
        let whole = frame(&produce(-1, 0, b"a"), 9, 1);
        let mut random = 1u64;
        let mut noise = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as u8
        };
        let mut hostile: Vec<Vec<u8>> = vec![
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            vec![0xff; 4],
            vec![0; 4],
            vec![0, 0, 0, 7],
            2_000_001u32.to_be_bytes().to_vec(),
            vec![0, 0, 0, 10, 0, 4, 0, 0, 0, 0, 0, 1, 0xff, 0xff],
            vec![0, 0, 0, 10, 0, 3, 0, 99, 0, 0, 0, 1, 0xff, 0xff],
            frame(&produce(0, 9, b"unknown partition"), 9, 1).to_vec(),
        ];
        for length in [8u32, 9, 30, 500] {
            let body = (0..length).map(|_| noise());
            hostile.push(length.to_be_bytes().into_iter().chain([0x7f]).chain(body.skip(1)).collect());
        }
        for bytes in hostile {
            let mut client = scene.connect().await;
            client.send(&bytes).await;
            assert!(client.receive().await.is_none(), "{bytes:?}");
        }
        for end in 0..whole.len() {
            let client = scene.connect().await;
            client.send(&whole[..end]).await;
        }
        scene.until(|scene| scene.shard.counters.connections.get() == 1).await;
        assert!(good.is_alive().await);
        assert_eq!(scene.shard.budgets.requests.used(), 0);
    });
}

#[test]
fn what_was_sent_before_the_client_left_is_appended_and_what_is_parked_is_dropped() {
    on_scene(&[], |scene| async move {
        let client = scene.connect().await;
        let sent: Vec<Bytes> = (0..20).map(|id| frame(&produce(0, 0, b"x"), 9, id)).collect();
        client.send(&sent.concat()).await;
        drop(client);
        let parked = scene.connect().await;
        parked.send(&frame(&fetch(1_000, 1, 30_000), 11, 1)).await;
        let waiting = scene.connect().await;
        waiting.send(&frame(&fetch(20, 1, 30_000), 11, 1)).await;
        scene.until(|scene| taken(scene) >= 22).await;
        drop(waiting);
        scene.until(|scene| scene.shard.counters.connections.get() <= 1).await;
        let mut reader = scene.connect().await;
        reader.send(&frame(&fetch(0, 1, 1_000), 11, 1)).await;
        let (_, response) = reader.response::<FetchResponse>(11).await;
        assert_eq!(response.responses[0].partitions[0].high_watermark, 20);
        parked.stream.shutdown(Shutdown::Both).expect("open");
    });
}

#[test]
fn too_many_connections_are_refused_until_one_leaves() {
    on_scene(&[("max.connections", "2")], |scene| async move {
        let mut first = scene.connect().await;
        let mut second = scene.connect().await;
        assert!(first.is_alive().await && second.is_alive().await);
        assert!(scene.connect().await.receive().await.is_none());
        drop(first);
        scene.until(|scene| scene.shard.counters.connections.get() == 1).await;
        assert!(scene.connect().await.is_alive().await && second.is_alive().await);
    });
}

#[test]
fn a_client_that_never_reads_is_bounded_and_others_are_served() {
    on_scene(&[], |scene| async move {
        let mut writer = scene.connect().await;
        for id in 0..8 {
            writer.send(&frame(&produce(-1, 0, &vec![7; 60_000]), 9, id)).await;
            writer.response::<ProduceResponse>(9).await;
        }
        let deaf = scene.connect().await;
        let endless = frame(&fetch(0, 1, 0), 11, 1);
        let flood = async {
            loop {
                deaf.send(&endless).await;
            }
        };
        let calm = async {
            for round in 0..50 {
                scene.runtime.sleep(Duration::from_millis(2)).await;
                writer.send(&frame(&MetadataRequest::default(), 9, round)).await;
                writer.receive().await.expect("served");
            }
        };
        match select(std::pin::pin!(flood), std::pin::pin!(calm)).await {
            Either::Left((never, _)) => never,
            Either::Right(_) => {}
        }
        let config = &scene.shard.config;
        let allowed = config.max_in_flight_bytes_per_connection + (1 << 20);
        assert!(scene.shard.budgets.queries.used() <= allowed as u64);
        // A response being sent, and one that waits.
        assert!(scene.shard.budgets.fetches.used() <= 4 << 20);
    });
}

#[test]
fn records_that_are_durable_take_no_memory_although_their_producer_does_not_read() {
    on_scene(&[], |scene| async move {
        let mut writer = scene.connect().await;
        for id in 0..80 {
            writer.send(&frame(&produce(-1, 0, &vec![7; 200_000]), 9, id)).await;
            writer.response::<ProduceResponse>(9).await;
        }
        let deaf = scene.connect().await;
        // Together they are longer than what sockets hold.
        for id in 0..2 {
            deaf.send(&frame(&fetch_of(i32::MAX), 11, id)).await;
        }
        for id in 2..5 {
            deaf.send(&frame(&produce(-1, 0, &[8; 100_000]), 9, id)).await;
        }
        scene.until(|scene| taken(scene) >= 85).await;
        scene.until(|scene| scene.shard.budgets.undurable.used() == 0).await;
        assert!(scene.shard.budgets.fetches.used() > 0, "its first response is still on its way");
        assert!(scene.connect().await.is_alive().await);
    });
}

#[test]
fn a_long_request_arrives_in_pieces() {
    on_scene(&[], |scene| async move {
        let mut client = scene.connect().await;
        let bytes = frame(&produce(-1, 0, &vec![9; 100_000]), 9, 5);
        for piece in bytes.chunks(7_001) {
            client.send(piece).await;
            scene.runtime.sleep(Duration::from_micros(200)).await;
        }
        let (id, response) = client.response::<ProduceResponse>(9).await;
        assert_eq!((id, response.responses[0].partition_responses[0].base_offset), (5, 0));
        client.send(&frame(&fetch(0, 1, 0), 11, 6)).await;
        let (_, response) = client.response::<FetchResponse>(11).await;
        let records = response.responses[0].partitions[0].records.clone().expect("records");
        let sent = produce(-1, 0, &vec![9; 100_000]).topic_data[0].partition_data[0].records.clone();
        assert_eq!(Some(records.len()), sent.map(|sent| sent.len()));
    });
}

#[test]
fn what_lies_behind_a_request_that_waits_takes_no_memory() {
    on_scene(&[], |scene| async move {
        let mut client = scene.connect().await;
        let behind = frame(&produce(-1, 0, &vec![9; 200_000]), 9, 2);
        let flood = async {
            client.send(&[frame(&fetch(0, 1, 300), 11, 1), behind.clone()].concat()).await;
        };
        let watch = async {
            scene.until(|scene| taken(scene) >= 1).await;
            scene.runtime.sleep(Duration::from_millis(50)).await;
            let fetch_alone = request_cost(ApiKey::Fetch as i16, frame(&fetch(0, 1, 300), 11, 1).len());
            assert!(scene.shard.budgets.queries.used() <= fetch_alone);
            assert_eq!(scene.shard.budgets.requests.used(), 0);
        };
        futures_util::future::join(flood, watch).await;
        assert_eq!(client.response::<FetchResponse>(11).await.0, 1);
        assert_eq!(client.response::<ProduceResponse>(9).await.0, 2);
    });
}

#[test]
fn a_request_that_names_more_than_there_is_memory_to_answer_closes_its_connection() {
    on_scene(&[("memory", "576MiB")], |scene| async move {
        let mut client = scene.connect().await;
        let memory = scene.shard.budgets.queries.total();
        let length = memory / REQUEST_COST_PER_BYTE + 1;
        assert!(request_cost(ApiKey::Fetch as i16, length as usize) > memory);
        // Its length and API key are enough.
        client.send(&[&(length as u32).to_be_bytes()[..], &[0, 1]].concat()).await;
        assert!(client.receive().await.is_none());
        assert_eq!(scene.shard.counters.requests.too_costly.get(), 1);
        assert_eq!(scene.shard.budgets.queries.used(), 0);
        let mut other = scene.connect().await;
        assert!(other.is_alive().await);
    });
}

/// A client whose connection closes would try for ever.
#[test]
fn a_member_that_brings_more_than_there_is_memory_for_is_told_so() {
    on_scene(&[("memory", "576MiB")], |scene| async move {
        let mut client = scene.connect().await;
        let join = |bytes: usize| {
            let metadata = vec![7; bytes].into();
            let protocols = vec![JoinGroupRequestProtocol { name: "range".into(), metadata }];
            JoinGroupRequest { group_id: "g".into(), protocols, ..Default::default() }
        };
        let sync = |bytes: usize| {
            let assignment = vec![7; bytes].into();
            let assignments = vec![SyncGroupRequestAssignment { member_id: "m".into(), assignment }];
            SyncGroupRequest { group_id: "g".into(), assignments, ..Default::default() }
        };
        // Several MB are nothing special.
        client.send(&frame(&join(2 << 20), 9, 1)).await;
        let (correlation_id, joined) = client.response::<JoinGroupResponse>(9).await;
        assert_eq!((correlation_id, joined.error_code), (1, ErrorCode::NotCoordinator));
        let too_long = scene.shard.budgets.queries.total() as usize / 2;
        for round in 0..2 {
            client.send(&frame(&join(too_long), [5, 9][round], 2)).await;
            let (correlation_id, joined) = client.response::<JoinGroupResponse>([5, 9][round]).await;
            assert_eq!((correlation_id, joined.error_code), (2, ErrorCode::GroupMaxSizeReached));
            client.send(&frame(&sync(too_long), [3, 5][round], 3)).await;
            let (correlation_id, synced) = client.response::<SyncGroupResponse>([3, 5][round]).await;
            assert_eq!((correlation_id, synced.error_code), (3, ErrorCode::UnknownServerError));
            assert!(client.is_alive().await, "what lies behind is read as before");
        }
        assert_eq!(scene.shard.counters.requests.too_costly.get(), 4);
        assert_eq!(scene.shard.budgets.queries.used(), 0);
    });
}

#[test]
fn draining_answers_what_is_in_flight() {
    on_scene(&[], |scene| async move {
        let mut parked = scene.connect().await;
        parked.send(&frame(&fetch(0, 1, 30_000), 11, 1)).await;
        let mut idle = scene.connect().await;
        assert!(idle.is_alive().await);
        scene.until(|scene| taken(scene) >= 2).await;
        let drained = scene.connections.drain(Duration::from_secs(5));
        let answered = async {
            assert_eq!(parked.response::<FetchResponse>(11).await.0, 1);
            assert!(parked.receive().await.is_none());
            assert!(idle.receive().await.is_none());
        };
        futures_util::future::join(drained, answered).await;
        assert!(Stream::connect(scene.address).await.is_err(), "nobody listens any more");
    });
}
