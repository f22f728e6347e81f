//! Nodes, the controller, and what happens.

mod half_done;
mod heal;

use std::sync::Arc;

use corelane::base::ids::{NodeId, PartitionId, ShardId, TopicId};
use corelane::base::splitmix::SplitMix;
use corelane::cluster::{
    AlterPartition, ClusterRecord, DiskId, Draft, Election, Heartbeat, Image, InSyncReplica, KafkaUuid,
    METADATA_FORMAT_VERSION, Membership, NewPartitions, NewTopic, NodeRecord, Placing, Registration,
    RegistrationError, TopicDefaults, TopicRef, alter_partitions, create_partitions, create_topics,
    delete_topics, elect_leaders,
};
use corelane::config::Advertise;
use uuid::Uuid;

use crate::checks::Checks;
use crate::node::{Disk, Node};

const SESSION_TIMEOUT_MS: u64 = 2_000;
const EVENTS: u64 = 1_000;
const TOPICS: u64 = 4;

/// What a leader has asked for, on its way to the controller.
#[derive(Clone)]
struct Asked {
    leader: NodeId,
    registration_epoch: u64,
    alteration: AlterPartition,
}

pub struct World {
    random: SplitMix,
    now_ms: u64,
    last_id: u64,
    image: Arc<Image>,
    membership: Membership,
    nodes: Vec<Node>,
    asked: Vec<Asked>,
    checks: Checks,
    trace: Vec<String>,
    /// Whether everything that is sent arrives, and nobody leaves an in-sync set.
    is_calm: bool,
    /// Whether controllers die when a part of their changes is committed.
    controllers_die: bool,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut random = SplitMix::new(seed ^ 0x00c0_47f0);
        let cluster_id = KafkaUuid(Uuid::from_u128(1));
        let image = Image::new(ClusterRecord { format_version: METADATA_FORMAT_VERSION, cluster_id });
        let membership = Membership::begin(&mut Draft::of(&image), SESSION_TIMEOUT_MS, 0);
        let (count, racks) = (3 + random.next_u64() % 3, random.next_u64() % 4);
        let image = Arc::new(image);
        let node = |id: u64| Node {
            id: NodeId(id as u32),
            disk: Disk::empty(disk_id(id)),
            copy: None,
            is_up: false,
            is_stopping: false,
            shards: 1 + (id % 3) as u16,
            rack: (racks > 0).then(|| format!("rack {}", id % racks)),
            registration_epoch: 0,
            view: Arc::clone(&image),
            proposed: Default::default(),
            failed: Default::default(),
        };
        let nodes = (1..=count).map(node).collect();
        let (asked, checks, trace) = Default::default();
        World {
            random,
            now_ms: 0,
            last_id: 100,
            image,
            membership,
            nodes,
            asked,
            checks,
            trace,
            is_calm: false,
            controllers_die: true,
        }
    }

    /// Lives, heals, stops and starts; returns what happened.
    pub fn live(mut self) -> Vec<String> {
        (0..self.nodes.len()).for_each(|at| self.start(at));
        self.settle();
        for _ in 0..EVENTS {
            self.event();
        }
        self.heal();
        self.stop_and_start_all();
        self.trace
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.next_u64() % bound
    }

    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn event(&mut self) {
        let at = self.below(self.nodes.len() as u64) as usize;
        match self.below(100) {
            0..8 => self.pass_time(SESSION_TIMEOUT_MS / 4),
            8 => self.pass_time(SESSION_TIMEOUT_MS * 2),
            9..30 => self.heartbeat(at),
            30..32 => self.kill(at),
            32..37 => self.start(at),
            37 => self.nodes[at].is_stopping = self.nodes[at].is_up,
            38..50 => self.nodes[at].view = Arc::clone(&self.image),
            50..52 => self.change_topics(),
            52..70 => self.produce(at),
            70..80 => self.propose(at),
            80..92 => self.deliver(),
            92..94 => self.elect_preferred(),
            94 => self.intrude(at),
            95..97 => self.nodes[at].copy = Some(self.nodes[at].disk.clone()),
            97 => self.change_controller(),
            98 if self.below(2) == 0 => self.fail_writer(at),
            _ => self.settle(),
        }
    }

    /// Carries a command out and looks at what it did.
    fn command<T>(&mut self, what: &str, run: impl FnOnce(&mut Draft, &mut Membership, u64) -> T) -> T {
        let mut draft = Draft::of(&self.image);
        let result = run(&mut draft, &mut self.membership, self.now_ms);
        let changes = draft.changes().len();
        if changes > 0 {
            let next = Arc::new(draft.finish());
            self.checks.look(&self.image, &next, &self.nodes);
            self.image = next;
            self.trace.push(format!("{} {what}: {changes}, {:x}", self.now_ms, self.image.checksum()));
        }
        result
    }

    fn pass_time(&mut self, longest_ms: u64) {
        self.now_ms += 1 + self.below(longest_ms);
        self.long_command("expire", |draft, membership, now_ms| membership.expire(draft, now_ms));
    }

    fn kill(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        (node.is_up, node.is_stopping) = (false, false);
        node.proposed.clear();
        node.failed.clear();
        // What it knew of the metadata is on its disk.
    }

    fn forget_metadata(&mut self, at: usize) {
        self.nodes[at].view = Arc::new(Image::new(self.image.cluster().clone()));
    }

    /// A shard of a node cannot write any more.
    fn fail_writer(&mut self, at: usize) {
        let shard = ShardId(self.below(self.nodes[at].shards.into()) as u16);
        if self.nodes[at].is_up {
            self.nodes[at].failed.insert(shard);
            self.trace.push(format!("{} failed writer", self.now_ms));
        }
    }

    /// A node starts, perhaps with another disk.
    fn start(&mut self, at: usize) {
        if self.nodes[at].is_up {
            return;
        }
        match self.below(8) {
            0 => self.replace_disk(at),
            1 => {
                // A copy of the same start cannot be told from the disk itself.
                let is_older = |copy: &Disk, disk: &Disk| copy.id != disk.id || copy.boots < disk.boots;
                let node = &mut self.nodes[at];
                if let Some(copy) = node.copy.take_if(|copy| is_older(copy, &node.disk)) {
                    node.disk = copy;
                    self.forget_metadata(at);
                }
            }
            2 => self.nodes[at].shards = 1 + self.below(4) as u16,
            _ => {}
        }
        self.start_as_it_is(at);
    }

    fn start_as_it_is(&mut self, at: usize) {
        if let Err(RegistrationError::OldCopy { .. } | RegistrationError::Forgotten { .. }) =
            self.register(at)
        {
            self.trace.push(format!("{} old copy", self.now_ms));
            self.replace_disk(at);
            let _ = self.register(at);
        }
    }

    fn replace_disk(&mut self, at: usize) {
        let id = disk_id(self.new_id());
        // The old one may be put in again.
        let old = std::mem::replace(&mut self.nodes[at].disk, Disk::empty(id));
        self.nodes[at].copy = Some(old);
        self.forget_metadata(at);
    }

    fn register(&mut self, at: usize) -> Result<(), RegistrationError> {
        let start = self.new_id();
        let disk = &mut self.nodes[at].disk;
        if disk.is_registered {
            (disk.boots, disk.start, disk.is_registered) = (disk.boots + 1, start, false);
        }
        let registration = registration(&self.nodes[at]);
        let result = self.long_command("register", |draft, membership, now_ms| {
            let epoch = membership.register(draft, &registration, now_ms)?;
            assert_eq!(membership.register(draft, &registration, now_ms), Ok(epoch), "said again");
            Ok(epoch)
        });
        let epoch = result?;
        // Now and then the node dies before it hears of it.
        if self.below(8) > 0 {
            let node = &mut self.nodes[at];
            (node.is_up, node.disk.is_registered, node.registration_epoch) = (true, true, epoch);
        }
        Ok(())
    }

    /// Another process comes with the id of a node that runs.
    fn intrude(&mut self, at: usize) {
        let is_heard = self.image.node(self.nodes[at].id).is_some_and(|node| !node.fenced);
        let stranger = Registration {
            disk: disk_id(self.new_id()),
            incarnation: 1 + self.below(9),
            start: Uuid::nil(),
            ..registration(&self.nodes[at])
        };
        if is_heard {
            let refused = self.command("intrude", |draft, membership, now_ms| {
                membership.expire(draft, now_ms);
                membership.register(draft, &stranger, now_ms)
            });
            assert!(matches!(refused, Err(RegistrationError::Duplicate { .. })), "{refused:?}");
        }
    }

    fn heartbeat(&mut self, at: usize) {
        let node = &self.nodes[at];
        if !node.is_up {
            return;
        }
        let heartbeat = Heartbeat {
            node: node.id,
            registration_epoch: node.registration_epoch,
            applied_record_epoch: node.view.node(node.id).map_or(0, |record| record.record_epoch),
            wants_shutdown: node.is_stopping,
            failed_shards: node.failed.clone(),
        };
        let answer = self.long_command("heartbeat", |draft, membership, now_ms| {
            membership.heartbeat(draft, &heartbeat, now_ms)
        });
        let answer = answer.expect("one process has the id");
        assert!(!answer.may_stop || heartbeat.wants_shutdown);
        if answer.may_stop {
            self.kill(at);
        }
    }

    /// All that run are heard and learn everything.
    fn settle(&mut self) {
        for _ in 0..2 {
            for at in 0..self.nodes.len() {
                self.nodes[at].view = Arc::clone(&self.image);
                self.heartbeat(at);
            }
        }
        for node in self.nodes.iter_mut().filter(|node| node.is_up) {
            node.view = Arc::clone(&self.image);
        }
    }

    fn change_topics(&mut self) {
        let name = format!("topic {}", self.below(TOPICS)).replace(' ', "-");
        let (count, factor, id) = (1 + self.below(6) as i32, 1 + self.below(3) as i16, self.new_id());
        let placing = Placing {
            node: NodeId(1),
            disk: disk_id(1),
            shards: 1,
            advertise: Advertise::Shard,
            num_partitions: 1,
            default_replication_factor: 1,
            replicas_max: corelane::base::limits::REPLICAS_PER_PARTITION_MAX,
            defaults: TopicDefaults::default(),
        };
        let kind = self.below(6);
        self.command("topics", |draft, _, _| match kind {
            0 => {
                delete_topics(draft, &[TopicRef::Name(name)]);
            }
            1 => {
                let new = NewPartitions { topic: name, count, assignments: None };
                let _ = create_partitions(draft, &[new], &placing);
            }
            _ => {
                let new = NewTopic {
                    num_partitions: count,
                    replication_factor: factor,
                    ..NewTopic::with_defaults(name)
                };
                let can_write =
                    |node: &&NodeRecord| (0..node.shards).any(|shard| node.has_working(ShardId(shard)));
                let live = draft.image().nodes().filter(can_write).count();
                let is_new = draft.image().topic_named(&new.name).is_none();
                let mut new_id = || TopicId(Uuid::from_u128(id.into()));
                let result = create_topics(draft, &[new], &placing, 0, &mut new_id).remove(0);
                assert_eq!(result.is_ok(), is_new && usize::try_from(factor).unwrap() <= live);
            }
        });
    }

    /// A node that takes itself for a leader appends a record, sends what it has to some of the others, and acknowledges
    /// what all have that count.
    fn produce(&mut self, at: usize) {
        for partition in self.nodes[at].led() {
            let (id, term) = (partition.id(), partition.leader_epoch);
            self.checks.look_at_grant(id, term, &self.nodes[at]);
            let mut records = self.nodes[at].disk.logs.entry(id).or_default().records.clone();
            if self.below(2) == 0 {
                records.push(self.new_id());
            }
            if !self.nodes[at].take(id, term, &records) {
                continue;
            }
            for replica in &partition.replicas {
                if replica.node != self.nodes[at].id && (self.is_calm || self.below(4) > 0) {
                    self.node_mut(replica.node).take(id, term, &records);
                }
            }
            let counted = self.nodes[at].counted(&partition);
            if counted.iter().all(|node| self.has(*node, id, term, &records)) {
                self.checks.acknowledge(id, &records);
            }
        }
    }

    /// Whether the node has exactly these records, from the leader of this term.
    fn has(&self, node: NodeId, id: PartitionId, term: i32, records: &[u64]) -> bool {
        let node = self.node(node);
        node.is_up && node.disk.logs.get(&id).is_some_and(|log| log.term == term && log.records == records)
    }

    /// A leader asks for another in-sync set: without one of the present ones, or with all that have caught up.
    fn propose(&mut self, at: usize) {
        for partition in self.nodes[at].led() {
            if !self.is_calm && self.below(3) > 0 {
                continue;
            }
            let (id, leader, present) = (partition.id(), self.nodes[at].id, &partition.in_sync_replicas);
            let log = self.nodes[at].disk.logs.get(&id).cloned().unwrap_or_default();
            let mut members: Vec<NodeId> = present.clone();
            if !self.is_calm && self.below(3) == 0 {
                let gone = members[self.below(members.len() as u64) as usize];
                members.retain(|node| *node == leader || *node != gone);
            } else {
                let caught_up = partition.replicas.iter().map(|replica| replica.node);
                let caught_up = caught_up.filter(|node| {
                    !present.contains(node) && self.has(*node, id, partition.leader_epoch, &log.records)
                });
                members.extend(caught_up.collect::<Vec<_>>());
            }
            let (epoch, proposed) = self.nodes[at].proposed.entry(id).or_default();
            if *epoch < partition.partition_epoch {
                proposed.clear();
            }
            *epoch = partition.partition_epoch;
            proposed.extend(&members);
            let in_sync_replicas = members.iter().map(|node| self.seen_by(at, *node, present)).collect();
            let alteration = AlterPartition {
                partition: id,
                leader_epoch: partition.leader_epoch,
                partition_epoch: partition.partition_epoch,
                in_sync_replicas,
            };
            let registration_epoch = self.nodes[at].registration_epoch;
            self.asked.push(Asked { leader, registration_epoch, alteration });
        }
    }

    /// A copy as the leader knows it: from the metadata, and for those that have caught up from themselves.
    fn seen_by(&self, at: usize, node: NodeId, present: &[NodeId]) -> InSyncReplica {
        let record = self.nodes[at].view.node(node).filter(|_| present.contains(&node));
        let other = self.node(node);
        let (disk, incarnation) =
            record.map_or((other.disk.id, other.disk.boots), |record| (record.disk, record.incarnation));
        InSyncReplica { node, disk, incarnation }
    }

    fn deliver(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let at = self.below(self.asked.len() as u64) as usize;
        let asked = match self.below(4) {
            0 => self.asked[at].clone(),
            _ => self.asked.swap_remove(at),
        };
        let Asked { leader, registration_epoch, alteration } = asked;
        let (members, epoch) = (alteration.in_sync_replicas.clone(), alteration.partition_epoch);
        let present = self.image.partition(alteration.partition).map(|partition| partition.partition_epoch);
        let result = self.command("alter", |draft, _, _| {
            alter_partitions(draft, leader, registration_epoch, &[alteration])
        });
        if let Ok(Ok(_)) = result.map(|mut results| results.remove(0)) {
            assert_eq!(present, Some(epoch), "who asks knows the present state");
            for member in members {
                let node = self.image.node(member.node).expect("registered");
                assert_eq!((node.disk, node.incarnation), (member.disk, member.incarnation), "another start");
            }
        }
        if self.asked.len() > 50 {
            self.asked.swap_remove(0);
        }
    }

    fn elect_preferred(&mut self) {
        let all: Vec<PartitionId> = self.image.partitions().map(|partition| partition.id()).collect();
        self.long_command("elect", |draft, _, _| elect_leaders(draft, Election::Preferred, &all));
    }

    fn change_controller(&mut self) {
        self.command("controller", |draft, membership, now_ms| {
            *membership = Membership::begin(draft, SESSION_TIMEOUT_MS, now_ms);
            assert!(draft.changes().is_empty(), "nothing was left half done");
        });
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize - 1]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize - 1]
    }
}

fn disk_id(number: u64) -> DiskId {
    DiskId(Uuid::from_u128(number.into()))
}

fn registration(node: &Node) -> Registration {
    Registration {
        cluster_address: None,
        node: node.id,
        disk: node.disk.id,
        incarnation: node.disk.boots,
        start: Uuid::from_u128(node.disk.start.into()),
        shards: node.shards,
        rack: node.rack.clone(),
        listeners: Vec::new(),
    }
}
