//! The machines, what happens to them and when.

use std::collections::BTreeMap;

use corelane::base::ids::{NodeId, PartitionId};
use corelane::cluster::{
    Change, ClusterRecord, DiskId, KafkaUuid, METADATA_FORMAT_VERSION, Record as MetadataRecord,
};
use corelane::control::change_of;
use corelane::protocol::group_records::GroupRecord;
use corelane::quorum::{Node, State};
use rkyv::util::AlignedVec;
use uuid::Uuid;

use super::checks::{Checks, Counts};
use super::clients::{Client, Waiting};
use super::controller::{Asked, Reply};
use super::links::Links;
use super::machine::Machine;
use super::network::Network;
use super::random::Random;

/// Disturbances last so long, and then all have so long to settle.
const CHAOS_MS: u64 = 40_000;
const CALM_MS: u64 = 20_000;
/// What happens on a machine besides the quorum's ticks happens so often.
const CHORES_MS: u64 = 150;

pub enum Event {
    /// The quorum's clock, in that start of that machine.
    Tick(usize, u64),
    QuorumFrame(usize, Vec<u8>),
    /// A write of the quorum's store is durable.
    Durable(usize, u64),
    /// Writes of a copy are durable.
    Sync(usize, u64, PartitionId),
    /// A frame between shards.
    Frame(usize, AlignedVec),
    /// A leader reads its log for a follower's machine.
    Read(usize, u64, PartitionId, usize),
    Ask(usize, Asked),
    Reply(usize, u64, Reply),
    Chores(usize, u64),
    Start(usize),
    /// What of that start cannot go on ends.
    GiveUp(usize, u64),
    /// Something bad.
    Trouble,
    Mend,
    /// Connections are looked after.
    Connect,
    /// Clients want something.
    Work,
    /// Topics and leaders change.
    Administer,
    /// An operator looks after the quorum's members.
    Operate,
}

impl Event {
    /// On which machine it happens, if on one.
    fn machine(&self) -> Option<usize> {
        match self {
            Event::Tick(at, _)
            | Event::QuorumFrame(at, _)
            | Event::Durable(at, _)
            | Event::Sync(at, ..)
            | Event::Frame(at, _)
            | Event::Read(at, ..)
            | Event::Ask(at, _)
            | Event::Reply(at, ..)
            | Event::Chores(at, _)
            | Event::GiveUp(at, _)
            | Event::Start(at) => Some(*at),
            Event::Trouble
            | Event::Mend
            | Event::Connect
            | Event::Work
            | Event::Administer
            | Event::Operate => None,
        }
    }
}

/// What came of a life.
pub struct Life {
    /// The same for the same life.
    pub trace: u64,
    pub counts: Counts,
}

pub struct World {
    pub(super) random: Random,
    pub(super) now_ms: u64,
    events: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    pub(super) machines: Vec<Machine>,
    pub(super) network: Network,
    pub(super) links: Links,
    /// By machine, its start and partition: copies of a leader's proposal that are on their way.
    pub(super) alters: BTreeMap<(usize, u64, PartitionId), i64>,
    pub(super) clients: Vec<Client>,
    pub(super) waiting: BTreeMap<(usize, PartitionId), Vec<Waiting>>,
    /// What the records of groups say, by their values.
    pub(super) payloads: BTreeMap<u64, Vec<GroupRecord>>,
    /// By partition and group: the last commit that was answered.
    pub(super) answered_commits: BTreeMap<(PartitionId, u64), i64>,
    pub(super) checks: Checks,
    pub(super) counts: Counts,
    last_number: u64,
    trace: u64,
    /// Whether all that happens is told (`CORELANE_SIM_TRACE`).
    is_told: bool,
    /// The machine that is to lose its disk, and until when that may be.
    pub(super) doomed: Option<(usize, u64)>,
    /// A machine's disk that is gone, while in-sync sets have it.
    pub(super) mourned: Option<(NodeId, DiskId)>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let count = 3 + random.below(3) as usize;
        let records = founding_records();
        World {
            machines: (0..count).map(|at| Machine::new(at, count, seed, &records)).collect(),
            clients: Client::all(),
            random,
            now_ms: 0,
            events: BTreeMap::new(),
            next_event: 0,
            network: Network::rough(),
            links: Links::default(),
            alters: BTreeMap::new(),
            waiting: BTreeMap::new(),
            payloads: BTreeMap::new(),
            answered_commits: BTreeMap::new(),
            checks: Checks::default(),
            counts: Counts::default(),
            last_number: 1_000,
            trace: seed,
            is_told: std::env::var_os("CORELANE_SIM_TRACE").is_some(),
            doomed: None,
            mourned: None,
        }
    }

    pub fn live(mut self) -> Life {
        (0..self.machines.len()).for_each(|at| self.start(at));
        for event in [Event::Connect, Event::Work, Event::Administer, Event::Operate] {
            self.after(1, event);
        }
        self.after(3_000, Event::Trouble);
        self.after(CHAOS_MS, Event::Mend);
        while let Some(((at_ms, _), event)) = self.events.pop_first() {
            if at_ms > CHAOS_MS + CALM_MS {
                break;
            }
            self.now_ms = at_ms;
            let concerned = event.machine();
            self.happen(event);
            match concerned {
                Some(at) => self.checks.look(&self.machines[at..=at]),
                None => self.checks.look(&self.machines),
            }
        }
        for (id, _) in self.answered_commits.clone().into_keys() {
            (0..self.machines.len()).for_each(|at| self.check_groups(at, id));
        }
        self.check_healed();
        self.mix(self.counts.acknowledged as u64);
        Life { trace: self.trace, counts: self.counts }
    }

    pub(super) fn is_calm(&self) -> bool {
        self.now_ms >= CHAOS_MS
    }

    pub(super) fn after(&mut self, ms: u64, event: Event) {
        self.next_event += 1;
        self.events.insert((self.now_ms + ms, self.next_event), event);
    }

    /// The machines' clocks run apart.
    pub(super) fn clock(&self, at: usize) -> u64 {
        self.now_ms * (100 + at as u64) / 100
    }

    /// A number that was not there before.
    pub(super) fn number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    pub(super) fn note(&self, what: impl FnOnce() -> String) {
        if self.is_told {
            eprintln!("{:>6} {}", self.now_ms, what());
        }
    }

    pub(super) fn mix(&mut self, value: u64) {
        self.trace = (self.trace ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }

    /// How long something small is on its way; `None` if it does not arrive.
    pub(super) fn delay(&mut self, from: usize, to: usize) -> Option<u64> {
        if from == to {
            return Some(0);
        }
        if !self.network.reaches(from, to) {
            return None;
        }
        match self.random.below(60) {
            _ if !self.network.is_rough => Some(1 + self.random.below(3)),
            0 => None,
            1 => Some(self.random.below(3_000)),
            2..6 => Some(self.random.below(200)),
            _ => Some(1 + self.random.below(10)),
        }
    }

    /// Requests of a machine that are on their way are lost.
    pub(super) fn drop_asked(&mut self, from: usize) {
        self.events.retain(|_, event| !matches!(event, Event::Ask(_, asked) if asked.from == from));
    }

    fn is_running(&self, at: usize, starts: u64) -> bool {
        self.machines[at].is_up() && self.machines[at].starts == starts
    }

    fn happen(&mut self, event: Event) {
        let machine = event.machine();
        let paused_until_ms = machine.map_or(0, |at| self.machines[at].paused_until_ms);
        if paused_until_ms > self.now_ms {
            self.after(paused_until_ms - self.now_ms, event);
            return;
        }
        match event {
            Event::Tick(at, starts) if self.is_running(at, starts) => {
                self.after(self.machines[at].tick_ms, Event::Tick(at, starts));
                self.step(at, Node::tick);
            }
            Event::QuorumFrame(at, frame) => self.hear_quorum(at, &frame),
            Event::Durable(at, starts) if self.is_running(at, starts) => {
                if let Some(number) = self.machines[at].finish_persist() {
                    self.step(at, |member| member.persisted(number));
                }
            }
            Event::Sync(at, starts, id) if self.is_running(at, starts) => self.synced(at, id),
            Event::Frame(at, frame) => self.hear_frame(at, &frame),
            Event::Read(at, starts, id, to) if self.is_running(at, starts) => self.read_for(at, id, to),
            Event::Ask(at, asked) => self.hear_request(at, asked),
            Event::Reply(at, starts, reply) if self.is_running(at, starts) => self.hear_reply(at, reply),
            Event::Chores(at, starts) if self.is_running(at, starts) => self.do_chores(at),
            Event::GiveUp(at, starts) if self.is_running(at, starts) => self.crash(at),
            Event::Tick(..)
            | Event::GiveUp(..)
            | Event::Durable(..)
            | Event::Sync(..)
            | Event::Read(..)
            | Event::Reply(..)
            | Event::Chores(..) => {}
            Event::Start(at) => self.start(at),
            Event::Trouble => self.trouble(),
            Event::Mend => self.mend(),
            Event::Connect => self.connect_all(),
            Event::Work => self.work(),
            Event::Administer => self.administer(),
            Event::Operate => self.operate(),
        }
    }

    fn start(&mut self, at: usize) {
        if self.machines[at].is_up() {
            return;
        }
        let number = self.number();
        self.machines[at].start(Uuid::from_u128(number.into()));
        let starts = self.machines[at].starts;
        self.after(self.machines[at].tick_ms, Event::Tick(at, starts));
        let chores_ms = self.random.below(CHORES_MS);
        self.after(chores_ms, Event::Chores(at, starts));
        self.step(at, |_| ());
        // What it knows is of its former start: nothing is to be done about it.
        self.follow_image(at);
    }

    fn do_chores(&mut self, at: usize) {
        let starts = self.machines[at].starts;
        self.after(CHORES_MS, Event::Chores(at, starts));
        self.decide(at);
        // Heartbeats are late now and then, but not for no reason when all is well.
        if self.is_calm() || !self.random.one_in(3) {
            self.report(at);
        }
        self.tick_leaders(at);
    }
}

fn founding_records() -> State {
    let cluster_id = KafkaUuid(Uuid::from_u128(1));
    let cluster = ClusterRecord { format_version: METADATA_FORMAT_VERSION, cluster_id };
    let mut records = State::default();
    records.apply(&change_of(&Change::Put(MetadataRecord::Cluster(cluster))));
    records
}
