//! Three nodes, the sessions between them, and clients.

use std::collections::{BTreeMap, VecDeque};

use corelane::base::ids::{LeaderEpoch, NodeId};
use corelane::replication::{
    InSync, Leader, LeaderEffect, LeaderLog, LeaderSettings, Mark, Proposal, Push, Replica, Stream,
};
use rkyv::util::AlignedVec;

use super::link::Record;
use super::metadata::Metadata;
use super::node::{Node, PARTITION, Role};
use super::random::Random;

mod checks;
mod faults;
mod network;

pub const NODES: u32 = 3;
const FAULTY_STEPS: u64 = 8000;
const QUIET_STEPS: u64 = 4000;
const LAG_MAX_MS: u64 = 700;
const HASTY_LAG_MAX_MS: u64 = 150;
/// What a frame with records counts for in the window, so that a few fill it.
const PUSH_BYTES: usize = 8 << 20;

/// How often something happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub acknowledged: usize,
    pub elections: usize,
    pub crashes: usize,
    pub lost_disks: usize,
    pub full_windows: usize,
    pub stale: usize,
    pub damaged: usize,
    pub cuts: usize,
    pub restarts: usize,
    pub changes: usize,
    pub lost_proposals: usize,
    pub failed_writers: usize,
}

pub struct World {
    pub(super) random: Random,
    pub(super) nodes: Vec<Node>,
    /// By sender, receiver and stream: frames on their way in the present session.
    links: BTreeMap<(NodeId, NodeId, Stream), VecDeque<AlignedVec>>,
    /// Frames that were sent some time, and whom to.
    old_frames: Vec<(NodeId, AlignedVec)>,
    sessions: u64,
    pub(super) metadata: Metadata,
    pub(super) proposals: VecDeque<(NodeId, Proposal)>,
    /// Written with acks=all, and not answered: by leader and term.
    waiting: BTreeMap<(NodeId, LeaderEpoch), Vec<(usize, Record)>>,
    acknowledged: BTreeMap<usize, Record>,
    committed: Vec<Record>,
    /// Clients want all below gone.
    deleted: i64,
    watermarks: BTreeMap<(NodeId, u64), i64>,
    now_ms: u64,
    pub(super) steps: u64,
    /// A node that does nothing, until that step.
    paused: Option<(usize, u64)>,
    /// A node whom nobody hears and who hears nobody, until that step.
    lonely: Option<(NodeId, u64)>,
    is_hasty: bool,
    /// No proposal is decided on before that step.
    pub(super) slow_quorum_until: u64,
    /// Before that step, proposals are lost now and then.
    pub(super) lossy_quorum_until: u64,
    values: u64,
    pub counts: Counts,
    pub trace: Vec<String>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut world = World {
            random: Random::new(seed),
            nodes: (1..=NODES).map(Node::new).collect(),
            links: BTreeMap::new(),
            old_frames: Vec::new(),
            sessions: 0,
            metadata: Metadata::new(),
            proposals: VecDeque::new(),
            waiting: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            committed: Vec::new(),
            deleted: 0,
            watermarks: BTreeMap::new(),
            now_ms: 0,
            steps: 0,
            paused: None,
            lonely: None,
            is_hasty: false,
            slow_quorum_until: 0,
            lossy_quorum_until: FAULTY_STEPS,
            values: 0,
            counts: Counts::default(),
            trace: Vec::new(),
        };
        for node in &world.nodes {
            world.metadata.registered.insert(node.id, node.replica());
        }
        for (a, b) in [(1, 2), (1, 3), (2, 3)] {
            world.connect(NodeId(a), NodeId(b));
        }
        world
    }

    /// A controller that does not look which start of a node, and which disk, a proposal is about.
    pub fn with_fenced_counted(seed: u64) -> Self {
        let mut world = World::new(seed);
        world.metadata.counts_fenced = true;
        world
    }

    /// Followers that lag are soon to leave the in-sync set, and the quorum takes long to let them. Nothing heals here.
    pub fn hasty(seed: u64) -> Self {
        let mut world = World::new(seed);
        world.is_hasty = true;
        world
    }

    /// Lives a life with faults and then one without.
    pub fn live(mut self) -> Self {
        for _ in 0..FAULTY_STEPS {
            match self.random.below(700) {
                0 | 1 => self.crash(),
                2 => self.lose_power(),
                3 => self.lose_disk(),
                4..7 => self.break_session(),
                7..10 => self.move_leader(),
                10..14 => self.say_again(),
                14 | 15 => self.damage(),
                16 | 17 => self.delete(),
                18 => self.pause(),
                19 | 20 => self.cut_off(),
                22 => self.fail_writer(),
                21 => self.slow_quorum_until = self.steps + self.random.below(600),
                _ => self.step(),
            }
            self.steps += 1;
            self.check();
        }
        (self.paused, self.lonely, self.slow_quorum_until) = (None, None, 0);
        if self.is_hasty {
            return self;
        }
        for _ in 0..QUIET_STEPS {
            self.step();
            self.check();
        }
        self.check_healed();
        self.counts.acknowledged = self.acknowledged.len();
        self
    }

    fn step(&mut self) {
        let at = self.random.below(u64::from(NODES)) as usize;
        if self.is_paused(at) {
            return;
        }
        match self.random.below(20) {
            0..7 => self.deliver_some(),
            7..9 => self.sync(at),
            9..12 => self.produce(at),
            12 => self.read_for_followers(at),
            13 if !self.is_hasty || self.random.one_in(20) => self.decide_proposal(),
            13 if self.random.one_in(15) => self.move_leader(),
            13 => {}
            14 => self.review(),
            15 => self.come_back(),
            16..19 => self.hear_metadata(at),
            _ => self.tick(at),
        }
    }

    fn sync(&mut self, at: usize) {
        let writes = 1 + self.random.below(4);
        let node = &mut self.nodes[at];
        let Some(ticket) = (0..writes).map_while(|_| node.sync_one()).last() else { return };
        let id = node.id;
        let durable_end = node.durable_end();
        let mut effects = Vec::new();
        match &mut node.role {
            Role::Leads(leader) => leader.synced(durable_end, &mut effects),
            Role::Follows(leader, _) => {
                let leader = *leader;
                let words = node.follower_synced(ticket);
                self.say(id, leader, Stream::Live, 0, words);
            }
            Role::Idle => {}
        }
        self.carry_out(id, effects);
    }

    /// A client writes with acks=all to whoever believes that it leads.
    fn produce(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let (id, epoch, base) = (node.id, node.epoch, node.log_end());
        let Role::Leads(leader) = &mut node.role else { return };
        if !leader.is_enough_in_sync() {
            return;
        }
        leader.appended(base + 1);
        self.values += 1;
        let record = Record { epoch, value: self.values };
        node.append(record);
        self.waiting.entry((id, epoch)).or_default().push((base as usize, record));
        for to in others(id) {
            let node = self.node(id);
            let Role::Leads(leader) = &mut node.role else { return };
            let session = node.to_peers.get(&(to, Stream::Live));
            if session.is_some_and(|session| session.has_room(PUSH_BYTES)) {
                if leader.push_live(to, base, base + 1) {
                    self.push_records(id, to, Stream::Live, base, 1);
                }
            } else {
                let mut effects = Vec::new();
                leader.fell_behind(to, &mut effects);
                self.carry_out(id, effects);
                self.counts.full_windows += 1;
            }
        }
    }

    /// Reads some records of one term from the leader's log for each follower that wants them.
    fn read_for_followers(&mut self, at: usize) {
        let most = 1 + self.random.below(30) as usize;
        let id = self.nodes[at].id;
        for to in others(id) {
            let node = self.node(id);
            let Role::Leads(leader) = &mut node.role else { return };
            let Some((stream, base)) = leader.read_from(to) else { continue };
            let session = node.to_peers.get(&(to, stream));
            let same = node.log[base as usize..].iter().take(most);
            let end = base + same.take_while(|it| it.epoch == node.log[base as usize].epoch).count() as i64;
            if session.is_some_and(|session| session.has_room(PUSH_BYTES))
                && leader.push_from_log(to, stream, base, end)
            {
                self.push_records(id, to, stream, base, (end - base) as usize);
            }
        }
    }

    /// A client wants some of the oldest records gone.
    fn delete(&mut self) {
        let at = self.random.below(u64::from(NODES)) as usize;
        let node = &mut self.nodes[at];
        let Role::Leads(leader) = &mut node.role else { return };
        let LeaderLog { log_start, high_watermark, .. } = leader.log();
        if log_start < high_watermark {
            let log_start = log_start + 1 + self.random.below((high_watermark - log_start) as u64) as i64;
            let mut effects = Vec::new();
            leader.starts_at(log_start, &mut effects);
            node.delete_below(log_start);
            self.deleted = self.deleted.max(log_start);
            let id = node.id;
            self.carry_out(id, effects);
        }
    }

    fn tick(&mut self, at: usize) {
        self.now_ms += self.random.below(30);
        let now_ms = self.now_ms;
        let node = &mut self.nodes[at];
        let (id, leader_epoch) = (node.id, node.epoch);
        let mut effects = Vec::new();
        let Role::Leads(leader) = &mut node.role else { return };
        leader.tick(now_ms, &mut effects);
        let LeaderLog { high_watermark, log_start: log_start_offset, .. } = leader.log();
        let (topic, index) = (PARTITION.topic.to_bytes(), PARTITION.index);
        let mark = Mark { topic, index, leader_epoch, high_watermark, log_start_offset };
        self.carry_out(id, effects);
        let push = Push { marks: vec![mark], ..Push::default() };
        others(id).for_each(|to| self.push_word(id, to, Stream::Live, &push));
    }

    /// A node takes up the role that the metadata gives it.
    pub(super) fn become_follower(&mut self, id: NodeId, leader: NodeId) {
        let words = self.node(id).follow(leader);
        self.say(id, leader, Stream::Live, 0, words);
    }

    pub(super) fn become_leader(&mut self, id: NodeId, in_sync: InSync) {
        let followers: Vec<Replica> = others(id).map(|other| self.metadata.registered[&other]).collect();
        let now_ms = self.now_ms;
        let lag_max_ms = if self.is_hasty { HASTY_LAG_MAX_MS } else { LAG_MAX_MS };
        let mut effects = Vec::new();
        let node = self.node(id);
        let settings = LeaderSettings {
            partition: PARTITION,
            leader_epoch: node.epoch,
            own: node.replica(),
            min_in_sync: 2,
            lag_max_ms,
        };
        let log = node.leader_log();
        node.history.assign(node.epoch, log.log_end).expect("terms grow");
        let leader = Leader::new(settings, log, &followers, in_sync, now_ms, &mut effects);
        node.role = Role::Leads(Box::new(leader));
        self.check_has_acknowledged(id);
        self.counts.elections += 1;
        self.carry_out(id, effects);
    }

    pub(super) fn forget_waiting(&mut self, id: NodeId) {
        self.waiting.retain(|(leader, _), _| *leader != id);
    }

    pub(super) fn carry_out(&mut self, id: NodeId, effects: Vec<LeaderEffect>) {
        for effect in effects {
            match effect {
                LeaderEffect::Committed(end) => self.commit(id, end),
                LeaderEffect::Propose(proposal) => self.proposals.push_back((id, proposal)),
                LeaderEffect::Reconcile(to, stream, told) => {
                    match told.action {
                        1 => self.counts.cuts += 1,
                        2 => self.counts.restarts += 1,
                        _ => {}
                    }
                    let push = Push { reconciles: vec![told], ..Push::default() };
                    self.push_word(id, to, stream, &push);
                }
                LeaderEffect::Read(_) => self.counts.changes += 1,
                // Who is deposed hears of it from the metadata.
                LeaderEffect::Deposed(_) => {}
            }
        }
    }

    /// Answers who waits for what is committed now.
    fn commit(&mut self, id: NodeId, end: i64) {
        let node = self.node(id);
        node.high_watermark = end;
        let epoch = node.epoch;
        let Some(waiting) = self.waiting.get_mut(&(id, epoch)) else { return };
        let answered: Vec<_> = waiting.extract_if(.., |(offset, _)| (*offset as i64) < end).collect();
        self.acknowledged.extend(answered);
        self.note(format!("{id} commits {end}"));
    }

    pub(super) fn note(&mut self, line: String) {
        self.trace.push(line);
    }

    pub(super) fn any_node(&mut self) -> NodeId {
        NodeId(1 + self.random.below(u64::from(NODES)) as u32)
    }

    pub(super) fn node(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize - 1]
    }
}

pub fn others(id: NodeId) -> impl Iterator<Item = NodeId> {
    (1..=NODES).map(NodeId).filter(move |other| *other != id)
}
