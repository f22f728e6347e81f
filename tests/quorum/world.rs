//! Machines, the network between them, and the time.

use std::collections::BTreeMap;

use corelane::quorum::{Effect, Node, RaftId, Rejection, Role, decode_frame, encode_frame};

use super::checks::{Checks, Counts, OPERATOR};
use super::machine::{LOG_ENTRIES_MAX, Machine};
use super::members::next_change;
use super::network::Network;
use super::random::Random;
use super::workload::{Numbers, changes};

/// Disturbances last so long, and then all have so long to settle.
const CHAOS_MS: u64 = 60_000;
const CALM_MS: u64 = 20_000;
/// Entries that may be in a log beyond the bound, since they are not committed.
const UNCOMMITTED_MAX: usize = 300;

enum Event {
    /// A machine's clock, in its incarnation of this number.
    Tick(usize, u64),
    Frame(usize, Vec<u8>),
    /// A write of the machine's incarnation of this number is durable.
    Durable(usize, u64),
    Start(usize),
    /// Something bad.
    Trouble,
    Mend,
    /// Connections are looked after.
    Connect,
    /// Somebody wants something.
    Work,
    /// An operator looks after the members.
    Operate,
}

/// What came of a life.
pub struct Life {
    /// The same for the same life.
    pub trace: u64,
    pub counts: Counts,
}

pub struct World {
    random: Random,
    now_ms: u64,
    events: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    machines: Vec<Machine>,
    network: Network,
    checks: Checks,
    numbers: Numbers,
    keeps_ids: bool,
    is_hasty: bool,
    answered_at_calm: u64,
    trace: u64,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let count = if random.one_in(3) { 5 } else { 3 };
        let machines = (0..count).map(|at| Machine::new(at, count, seed, seed % 16 == 3)).collect();
        World {
            random,
            now_ms: 0,
            events: BTreeMap::new(),
            next_event: 0,
            machines,
            network: Network::rough(),
            checks: Checks::default(),
            numbers: Numbers::default(),
            keeps_ids: false,
            is_hasty: false,
            answered_at_calm: 0,
            trace: seed,
        }
    }

    /// Machines that lose their disk come back as though they had not.
    pub fn with_kept_ids(seed: u64) -> Self {
        World { keeps_ids: true, ..World::new(seed) }
    }

    /// Machines crash all the time, and are back at once: within the election that they took part in.
    pub fn hasty(seed: u64) -> Self {
        World { is_hasty: true, ..World::new(seed) }
    }

    pub fn live(mut self) -> Life {
        (0..self.machines.len()).for_each(|at| self.start(at));
        for event in [Event::Connect, Event::Work, Event::Operate, Event::Trouble] {
            self.after(1, event);
        }
        self.after(CHAOS_MS, Event::Mend);
        while let Some(((at_ms, _), event)) = self.events.pop_first() {
            if at_ms > CHAOS_MS + CALM_MS {
                break;
            }
            self.now_ms = at_ms;
            self.happen(event);
        }
        self.check_settled();
        Life { trace: self.trace, counts: self.checks.counts }
    }

    fn is_calm(&self) -> bool {
        self.now_ms >= CHAOS_MS
    }

    fn after(&mut self, ms: u64, event: Event) {
        self.next_event += 1;
        self.events.insert((self.now_ms + ms, self.next_event), event);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tick(at, ..) | Event::Frame(at, _) | Event::Durable(at, _) | Event::Start(at)
                if self.machines[at].paused_until_ms > self.now_ms =>
            {
                let pause_ms = self.machines[at].paused_until_ms - self.now_ms;
                self.after(pause_ms, event);
            }
            Event::Tick(at, incarnation) => {
                if self.machines[at].incarnation == incarnation && self.machines[at].node.is_some() {
                    self.after(self.machines[at].tick_ms, Event::Tick(at, incarnation));
                    self.step(at, Node::tick);
                }
            }
            Event::Frame(at, frame) => self.deliver(at, &frame),
            Event::Durable(at, incarnation) => {
                if self.machines[at].incarnation == incarnation
                    && self.machines[at].node.is_some()
                    && let Some(number) = self.machines[at].finish_persist()
                {
                    self.step(at, |node| node.persisted(number));
                }
            }
            Event::Start(at) => self.start(at),
            Event::Trouble => self.trouble(),
            Event::Mend => self.mend(),
            Event::Connect => self.connect(),
            Event::Work => self.work(),
            Event::Operate => self.operate(),
        }
    }

    fn start(&mut self, at: usize) {
        if self.machines[at].node.is_none() {
            self.machines[at].start();
            let tick = Event::Tick(at, self.machines[at].incarnation);
            self.after(self.machines[at].tick_ms, tick);
            self.step(at, |_| ());
        }
    }

    fn deliver(&mut self, at: usize, frame: &[u8]) {
        let machine = &mut self.machines[at];
        if machine.node.is_none() {
            return;
        }
        let Ok((address, message)) = decode_frame(frame) else {
            self.checks.counts.damaged += 1;
            return;
        };
        if machine.incoming.admit(&address).is_err() {
            self.checks.counts.stale += 1;
            return;
        }
        self.step(at, |node| node.receive(address.from, message));
    }

    /// Something happens to a member, and what it wants done is done.
    fn step(&mut self, at: usize, work: impl FnOnce(&mut Node)) {
        let Some(node) = &mut self.machines[at].node else { return };
        work(node);
        let effects = node.take_effects();
        let status = node.status();
        assert!(status.log_entries <= LOG_ENTRIES_MAX + UNCOMMITTED_MAX, "the log has no bound");
        self.trace =
            mix(self.trace, self.now_ms ^ ((at as u64) << 32) ^ status.applied ^ (status.term << 40));
        let applied = status.applied;
        effects.into_iter().for_each(|effect| self.carry_out(at, applied, effect));
    }

    fn carry_out(&mut self, at: usize, applied: u64, effect: Effect) {
        let id = self.machines[at].id;
        match effect {
            Effect::Persist(persist) => {
                self.machines[at].persist(persist);
                let disk_ms = match self.random.below(200) {
                    _ if self.is_calm() => 1,
                    0 => self.random.below(3_000),
                    _ => 1 + self.random.below(12),
                };
                self.after(disk_ms, Event::Durable(at, self.machines[at].incarnation));
            }
            Effect::Send { to, message } => {
                let Some(peer) = self.machines.iter().position(|machine| machine.id == to) else { return };
                // Without a connection it comes to nothing.
                let Some(outgoing) = self.machines[at].outgoing.get_mut(&peer) else { return };
                let frame = encode_frame(&outgoing.address(), &message);
                for (delay_ms, frame) in self.network.carry(&mut self.random, at, peer, &frame) {
                    self.after(delay_ms, Event::Frame(peer, frame));
                }
            }
            Effect::Applied { index, term, checksum, .. } => {
                self.trace = mix(self.trace, checksum);
                self.checks.applied(index, term, checksum);
            }
            Effect::Restored { index, term, checksum } => {
                self.checks.counts.snapshots += 1;
                self.checks.applied(index, term, checksum);
            }
            Effect::Committed { proposal, index } => self.checks.committed(proposal, index),
            Effect::Rejected { why: Rejection::Uncertain, .. } => {}
            Effect::Rejected { proposal, .. } => self.checks.refused(proposal),
            Effect::ReadReady { read, index } => self.checks.read_ready(read, index, applied),
            Effect::ReadRefused { .. } => {}
            Effect::Role { role: Role::Leader, term, .. } => self.checks.leads(term, id),
            Effect::Role { .. } => {}
            Effect::Suspicious { from, what } => panic!("{id} suspects {from}: {what}"),
            Effect::Halted { what } => panic!("{id} halts: {what}"),
        }
    }

    fn trouble(&mut self) {
        if self.is_calm() {
            return;
        }
        let pause_ms = if self.is_hasty { self.random.below(150) } else { 200 + self.random.below(2_500) };
        self.after(pause_ms, Event::Trouble);
        let at = self.random.below(self.machines.len() as u64) as usize;
        let other = self.random.below(self.machines.len() as u64) as usize;
        match self.random.below(10) {
            _ if self.is_hasty => self.crash(at),
            0..2 => self.crash(at),
            2..4 => self.lose_disk(at),
            4 => self.machines[at].paused_until_ms = self.now_ms + self.random.below(4_000),
            5 => self.network.cut(at, other),
            6 => (0..self.machines.len()).for_each(|peer| {
                self.network.cut(at, peer);
                self.network.cut(peer, at);
            }),
            7 => {
                for _ in 0..self.random.below(30) {
                    if let Some((to, frame)) = self.network.again(&mut self.random) {
                        let delay_ms = self.random.below(500);
                        self.after(delay_ms, Event::Frame(to, frame));
                    }
                }
            }
            _ => self.network.mend(),
        }
    }

    fn crash(&mut self, at: usize) {
        if self.machines[at].node.is_none() {
            return;
        }
        self.checks.counts.crashes += 1;
        let is_durable = self.random.one_in(2);
        self.machines[at].crash(is_durable);
        let down_ms = self.random.below(if self.is_hasty { 20 } else { 3_000 });
        self.after(down_ms, Event::Start(at));
    }

    /// One disk at a time: the next one only when another member has taken the place of the last.
    fn lose_disk(&mut self, at: usize) {
        let wanted = self.wanted();
        let is_whole = |machine: &Machine| {
            let status = machine.node.as_ref().map(Node::status);
            let leads = status.filter(|_| machine.node.as_ref().is_some_and(Node::is_settled_leader));
            leads.is_some_and(|status| {
                let caught_up = status.matched.values().all(|matched| *matched + 1 >= status.commit);
                status.members.voters == wanted && status.members.learners.is_empty() && caught_up
            })
        };
        if self.machines[at].node.is_some() && self.machines.iter().any(is_whole) {
            self.crash(at);
            self.machines[at].wipe(self.keeps_ids);
            self.checks.counts.wiped += 1;
        }
    }

    fn wanted(&self) -> Vec<RaftId> {
        let mut wanted: Vec<RaftId> = self.machines.iter().map(|machine| machine.id).collect();
        wanted.sort_unstable();
        wanted
    }

    fn mend(&mut self) {
        self.network.mend();
        self.network.is_rough = false;
        self.answered_at_calm = self.checks.counts.answered;
    }

    fn connect(&mut self) {
        self.after(100, Event::Connect);
        for from in 0..self.machines.len() {
            for to in 0..self.machines.len() {
                let (id, incarnation) = (self.machines[to].id, self.machines[to].incarnation);
                let are_up = self.machines[from].node.is_some() && self.machines[to].node.is_some();
                let is_up = are_up && self.network.reaches(from, to) && self.network.reaches(to, from);
                let now = self.machines[from].outgoing.get(&to).map(|outgoing| outgoing.clone().address());
                let is_right = now.is_some_and(|now| (now.to, now.incarnation) == (id, incarnation));
                let breaks = !self.is_calm() && self.random.one_in(100);
                if from != to && is_up && (!is_right || breaks) {
                    self.machines[from].connect(to, id, incarnation);
                } else if from != to && !is_up && self.random.one_in(5) {
                    self.step(from, |node| node.unreachable(id));
                }
            }
        }
    }

    fn work(&mut self) {
        let pause_ms = 5 + self.random.below(60);
        self.after(pause_ms, Event::Work);
        let at = self.random.below(self.machines.len() as u64) as usize;
        // Who asks mostly knows who leads.
        let leader =
            self.machines.iter().position(|it| it.node.as_ref().is_some_and(Node::is_settled_leader));
        let target = if self.random.one_in(5) { at } else { leader.unwrap_or(at) };
        match self.random.below(20) {
            0 if !self.is_calm() => {
                let to = self.machines[at].id;
                self.step(target, |node| node.transfer(to));
            }
            1..6 => {
                let read = self.numbers.read();
                if self.machines[at].node.is_some() {
                    self.checks.read_begins(read);
                    self.step(at, |node| node.read(read));
                }
            }
            _ => {
                let proposal = self.numbers.proposal();
                let changes = changes(&mut self.random, proposal);
                self.step(target, |node| node.propose(proposal, changes));
            }
        }
    }

    fn operate(&mut self) {
        let pause_ms = 100 + self.random.below(400);
        self.after(pause_ms, Event::Operate);
        let wanted = self.wanted();
        for at in 0..self.machines.len() {
            let Some(node) = self.machines[at].node.as_ref().filter(|node| node.is_settled_leader()) else {
                continue;
            };
            if let Some(change) = next_change(&node.status(), &wanted) {
                self.step(at, |node| node.change_members(OPERATOR, change));
            }
        }
    }

    fn check_settled(&self) {
        let answered = self.checks.counts.answered - self.answered_at_calm;
        assert!(answered > 50, "only {answered} proposals were carried out when all was well");
        let nodes: Vec<&Node> =
            self.machines.iter().map(|it| it.node.as_ref().expect("all are up")).collect();
        let leaders = nodes.iter().filter(|node| node.is_settled_leader()).count();
        assert_eq!(leaders, 1, "leaders when all was well");
        let last_index = self.checks.last_index();
        let mut are_complete = false;
        for node in nodes {
            let status = node.status();
            assert_eq!(status.members.voters, self.wanted(), "not all were taken in");
            assert!(status.members.learners.is_empty(), "not all vote");
            assert!(status.applied + 20 > last_index, "{status:?} is behind {last_index}");
            // What was answered in the last moments is not everywhere yet.
            if status.applied == last_index {
                self.checks.holds_all(node.state());
                are_complete = true;
            }
        }
        assert!(are_complete, "nobody has everything");
    }
}

fn mix(trace: u64, value: u64) -> u64 {
    (trace ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
}
