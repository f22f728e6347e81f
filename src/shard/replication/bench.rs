//! Shards of several nodes on one simulated machine, with two partitions, whose frames are carried by hand.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::host::{Identity, Replication};
use super::links::Link;
use crate::base::ids::{LeaderEpoch, NodeId, Offset, PartitionId, ShardId, TopicId};
use crate::cluster::{
    ClusterRecord, DiskId, Duty, Image, KafkaUuid, METADATA_FORMAT_VERSION, NodeRecord, Owner,
    PartitionRecord, Record, TopicRecord, TopicSettings,
};
use crate::link::{FrameReader, Hello, Start, StreamKind};
use crate::protocol::batch::{BatchBuilder, BatchHeader};
use crate::replication::{ReplicationFrames, Stream};
use crate::runtime::Runtime;
use crate::runtime::sim::SimWorld;
use crate::shard::open::{NO_TERM, PartitionSpec};
use crate::shard::replica::Replica;
use crate::shard::storage::Storage;
use crate::shard::testing::open_storage;

pub(super) const CLUSTER: [u8; 16] = [3; 16];
pub(super) const PARTITION: PartitionId = PartitionId { topic: TopicId(Uuid::from_u128(9)), index: 0 };
/// On every node beside it.
pub(super) const OTHER: PartitionId = PartitionId { index: 1, ..PARTITION };
pub(super) const SHARD: ShardId = ShardId(0);

pub(super) struct Node {
    pub(super) start: Start,
    pub(super) storage: Rc<Storage>,
    pub(super) replication: Rc<Replication>,
}

pub(super) struct Cluster {
    runtime: Rc<dyn Runtime>,
    pub(super) nodes: Vec<Node>,
    /// Both ends of each connection.
    pub(super) links: Vec<(usize, Link, usize, Link)>,
    sessions: u64,
    term: LeaderEpoch,
    pub(super) partition_epoch: i32,
}

pub(super) fn disk(node: u32) -> Uuid {
    Uuid::from_u128(u128::from(node) + 100)
}

pub(super) fn owner(node: usize) -> Owner {
    Owner { node: NodeId(node as u32 + 1), shard: SHARD }
}

impl Cluster {
    pub(super) async fn start(runtime: &Rc<dyn Runtime>, nodes: usize) -> Cluster {
        Cluster::with_min_in_sync(runtime, nodes, 2).await
    }

    pub(super) async fn with_min_in_sync(
        runtime: &Rc<dyn Runtime>,
        nodes: usize,
        min_in_sync_replicas: u16,
    ) -> Cluster {
        let mut started = Vec::new();
        for node in 1..=nodes as u32 {
            let data = std::path::PathBuf::from(format!("/node-{node}"));
            let storage = open_storage(runtime, &data, SHARD, |_| {}).await;
            let settings = TopicSettings { min_in_sync_replicas, ..TopicSettings::default() };
            let spec = |id| PartitionSpec { id, topic_name: "t".to_owned(), leader_epoch: NO_TERM, settings };
            storage.open_new(&[spec(PARTITION), spec(OTHER)]).await.expect("opened");
            let start = Start { node: NodeId(node), disk: disk(node), incarnation: 1 };
            let identity = Identity { cluster: CLUSTER, start, shard: SHARD };
            let replication = Replication::new(identity, Rc::clone(&storage));
            started.push(Node { start, storage, replication });
        }
        let runtime = Rc::clone(runtime);
        Cluster { runtime, nodes: started, links: Vec::new(), sessions: 0, term: 0, partition_epoch: 0 }
    }

    pub(super) fn image(&self, leader: usize, in_sync: &[usize]) -> Image {
        let node = |node: &Node| {
            let Start { node, disk, incarnation } = node.start;
            Record::Node(NodeRecord::of_lone_node(node, DiskId(disk), incarnation, 1))
        };
        let replica = |node: &Node| crate::cluster::Replica {
            node: node.start.node,
            disk: DiskId(node.start.disk),
            shard: SHARD,
        };
        let topic = TopicRecord {
            id: PARTITION.topic,
            name: "t".to_owned(),
            internal: false,
            configs: BTreeMap::new(),
            created_ms: 0,
        };
        let partition = |id: PartitionId| PartitionRecord {
            topic: id.topic,
            index: id.index,
            leader: Some(owner(leader).node),
            leader_epoch: self.term,
            partition_epoch: self.partition_epoch,
            replicas: self.nodes.iter().map(replica).collect(),
            in_sync_replicas: in_sync.iter().map(|node| owner(*node).node).collect(),
        };
        let cluster = ClusterRecord {
            format_version: METADATA_FORMAT_VERSION,
            cluster_id: KafkaUuid(Uuid::from_bytes(CLUSTER)),
        };
        let partitions = [PARTITION, OTHER].map(|id| Record::Partition(partition(id)));
        let records = self.nodes.iter().map(node).chain([Record::Topic(topic)]).chain(partitions);
        Image::from_records(cluster, records).expect("records that fit")
    }

    /// A term begins, of which all nodes learn.
    pub(super) fn elect(&mut self, leader: usize, in_sync: &[usize]) {
        (self.term, self.partition_epoch) = (self.term + 1, self.partition_epoch + 1);
        let image = self.image(leader, in_sync);
        (0..self.nodes.len()).for_each(|node| self.learn(node, &image));
    }

    /// A node does what an image has for it.
    pub(super) fn learn(&self, node: usize, image: &Image) {
        let replication = &self.nodes[node].replication;
        for id in [PARTITION, OTHER] {
            let record = image.partition(id).expect("it is there");
            let duty = Duty::of(image, record, replication.identity().holder(image)).expect("it has a copy");
            replication.take_up(image, record, duty);
        }
        replication.duties_done();
    }

    /// Both connections from a leader's shard to a follower's.
    pub(super) fn connect(&mut self, leader: usize, follower: usize) {
        self.connect_by(leader, follower, Stream::Live);
        self.connect_by(leader, follower, Stream::CatchUp);
    }

    /// One of them, in place of the last.
    pub(super) fn connect_by(&mut self, leader: usize, follower: usize, stream: Stream) {
        let is_other = |from, to, link: &Link| (from, to, link.stream) != (leader, follower, stream);
        self.links.retain(|(from, link, to, _)| is_other(*from, *to, link));
        self.sessions += 1;
        let (at, to) = (&self.nodes[leader], &self.nodes[follower]);
        let kind = if stream == Stream::Live { StreamKind::Live } else { StreamKind::CatchUp };
        let hello = Hello {
            cluster: CLUSTER,
            from: at.start,
            to: to.start.node,
            kind,
            from_shard: SHARD,
            to_shard: SHARD,
            session: self.sessions,
        };
        let peer = to.replication.identity().own();
        let theirs = to.replication.accepted(&hello).expect("a newer session");
        let ours = at.replication.connected(peer, stream, self.sessions, to.start).expect("a newer session");
        self.links.push((leader, ours, follower, theirs));
    }

    /// Connections break, and both ends see it; with each the other one of its pair ends if it has to.
    pub(super) fn cut(&mut self, stream: Stream) {
        for (from, ours, to, theirs) in self.links.iter().filter(|(_, link, ..)| link.stream == stream) {
            self.nodes[*from].replication.ended(ours);
            self.nodes[*to].replication.ended(theirs);
        }
        let nodes = &self.nodes;
        self.links.retain(|(from, ours, ..)| !nodes[*from].replication.is_over(ours));
    }

    /// Carries frames, and lets the disks work, until there is nothing to be carried.
    pub(super) async fn settle(&self) {
        let mut quiet = 0;
        while quiet < 20 {
            let mut carried = 0;
            for (from, ours, to, theirs) in &self.links {
                let (from, to) = (&self.nodes[*from].replication, &self.nodes[*to].replication);
                carried += carry(from, ours, to, theirs).await;
                carried += carry(to, theirs, from, ours).await;
            }
            quiet = if carried == 0 { quiet + 1 } else { 0 };
            self.runtime.sleep(Duration::from_millis(10)).await;
        }
    }

    pub(super) fn replica(&self, node: usize) -> Rc<Replica> {
        self.replica_of(node, PARTITION)
    }

    pub(super) fn replica_of(&self, node: usize, id: PartitionId) -> Rc<Replica> {
        self.nodes[node].storage.replica(id).expect("open")
    }

    pub(super) async fn append(&self, node: usize, value: &[u8]) -> Offset {
        self.append_to(node, PARTITION, value).await
    }

    pub(super) async fn append_to(&self, node: usize, id: PartitionId, value: &[u8]) -> Offset {
        let batch = BatchBuilder::new().record(0, None, Some(value)).build();
        let header = BatchHeader::parse(&batch).expect("our own");
        let appended = self.nodes[node].storage.append(&self.replica_of(node, id), &header, &batch).await;
        appended.expect("it leads").last_offset
    }

    pub(super) async fn log(&self, node: usize) -> Bytes {
        let replica = self.replica(node);
        let (start, end) = {
            let state = replica.state.borrow();
            (state.progress().log_start(), state.progress().log_end())
        };
        let read = self.nodes[node].storage.read_below(&replica, start, end, usize::MAX >> 1).await;
        read.expect("it is whole").concat().into()
    }

    pub(super) fn high_watermark(&self, node: usize) -> Offset {
        self.replica(node).state.borrow().progress().high_watermark()
    }

    pub(super) fn epochs(&self, node: usize) -> Vec<(LeaderEpoch, Offset)> {
        let replica = self.replica(node);
        let state = replica.state.borrow();
        state.epochs().starts().iter().map(|it| (it.leader_epoch, it.start_offset)).collect()
    }
}

/// Carries all frames that one end has for the other; how many there were.
pub(super) async fn carry(from: &Replication, ours: &Link, to: &Replication, theirs: &Link) -> usize {
    let (mut reader, mut carried) = (FrameReader::<ReplicationFrames>::new(), 0);
    while let Some(frame) = from.next_frame(ours) {
        let mut bytes = frame.head.to_vec();
        frame.records.iter().for_each(|records| bytes.extend_from_slice(records));
        from.sent(ours, frame);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let spare = reader.spare();
            let taken = spare.len().min(rest.len());
            spare[..taken].copy_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            if reader.filled(taken).expect("our own frame") {
                let (header, body) = reader.frame().expect("it is whole");
                to.heard(theirs, header, body).await.expect("our own frame");
                carried += 1;
            }
        }
    }
    carried
}

pub(super) fn run(seed: u64, test: impl AsyncFnOnce(Rc<dyn Runtime>)) {
    let world = SimWorld::new(seed);
    let runtime = world.runtime();
    assert_eq!(world.block_on(test(runtime)), Some(()));
}
