//! Two nodes of a shard each, over loopback, on the test's own thread. A thread of its own stands for control at the second
//! one's cluster port.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use tokio::sync::watch;
use uuid::Uuid;

use super::{PeerAddresses, Peers};
use crate::base::ids::{NodeId, PartitionId, ShardId, TopicId};
use crate::cluster::{DiskId, Draft, Image, NodeRecord, PartitionRecord, Record, Replica, TopicRecord};
use crate::link::{Answer, GREETING_PREFIX_BYTES, HandOver, Hello, Start, arrivals};
use crate::protocol::batch::{BatchBuilder, BatchHeader};
use crate::runtime::glommio::run_here;
use crate::runtime::glommio::testing::direct_io_dir;
use crate::shard::testing::{TEST_DISK, TestNode, test_config};

const PARTITION: PartitionId = PartitionId { topic: TopicId(Uuid::from_u128(9)), index: 0 };

/// The metadata in which both nodes have a copy that counts, and the first one leads.
fn image(of: &Image) -> Arc<Image> {
    let node = |node| Record::Node(NodeRecord::of_lone_node(NodeId(node), DiskId(TEST_DISK), 1, 1));
    let topic = TopicRecord {
        id: PARTITION.topic,
        name: "t".to_owned(),
        internal: false,
        configs: BTreeMap::from([("min.insync.replicas".to_owned(), "2".to_owned())]),
        created_ms: 0,
    };
    let replica = |node| Replica { node: NodeId(node), disk: DiskId(TEST_DISK), shard: ShardId(0) };
    let partition = PartitionRecord {
        topic: PARTITION.topic,
        index: 0,
        leader: Some(NodeId(1)),
        leader_epoch: 1,
        partition_epoch: 1,
        replicas: vec![replica(1), replica(2)],
        in_sync_replicas: vec![NodeId(1), NodeId(2)],
    };
    let records = [node(1), node(2), Record::Topic(topic), Record::Partition(partition)];
    let image = Image::from_records(of.cluster().clone(), records.into_iter()).expect("records that fit");
    Arc::new(Draft::of(&image).finish())
}

/// Lets two connections in, as the cluster port does.
fn let_in(listener: &TcpListener, by: Start, hand_over: &HandOver) {
    for _ in 0..2 {
        let (mut socket, _) = listener.accept().expect("somebody comes");
        let mut prefix = [0; GREETING_PREFIX_BYTES];
        socket.read_exact(&mut prefix).expect("a hello");
        let mut message = vec![0; Hello::message_bytes(&prefix).expect("a hello")];
        message[..GREETING_PREFIX_BYTES].copy_from_slice(&prefix);
        socket.read_exact(&mut message[GREETING_PREFIX_BYTES..]).expect("a hello");
        let hello = Hello::decode(&message).expect("a hello");
        socket.write_all(&Answer { by, refusal: None }.encode()).expect("it listens");
        hand_over.give(hello, socket).expect("the shard takes it");
    }
}

#[test]
fn a_record_is_acknowledged_when_both_nodes_have_it() {
    let directory = direct_io_dir();
    let path = directory.path().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = listener.local_addr().expect("bound");
    run_here(move |runtime| async move {
        let first = TestNode::start(&runtime, path.join("1"), test_config(1, &[("node.id", "1")])).await;
        let second = TestNode::start(&runtime, path.join("2"), test_config(1, &[("node.id", "2")])).await;
        let (hand_over, mut ends) = arrivals(1);
        let by = Start { node: NodeId(2), disk: TEST_DISK, incarnation: 1 };
        let door = thread::spawn(move || let_in(&listener, by, &hand_over));
        let nobody: PeerAddresses = watch::channel(Arc::default()).1;
        let addresses = watch::channel(Arc::new(BTreeMap::from([(NodeId(2), address)]))).1;
        Peers::start(&first.shards[0], addresses, arrivals(1).1.remove(0));
        Peers::start(&second.shards[0], nobody, ends.remove(0));

        let image = image(&first.shards[0].image());
        first.publish(Arc::clone(&image)).await;
        second.publish(image).await;
        for value in [&b"first"[..], &[7; 20_000], b"third"] {
            let batch = BatchBuilder::new().record(0, None, Some(value)).build();
            let header = BatchHeader::parse(&batch).expect("our own");
            let pending = first.shards[0].append(PARTITION, &header, batch.into()).await;
            pending.await.expect("both have it");
        }
        let copy = second.shards[0].storage.replica(PARTITION).expect("it has a copy");
        assert_eq!(copy.state.borrow().progress().durable_end(), 3);
        assert_eq!(copy.state.borrow().leader_epoch(), None);
        first.stop().await;
        second.stop().await;
        door.join().expect("both were let in");
    })
    .expect("an executor");
}
