//! A broker, its log, its clients, and the time between them.

use std::collections::{BTreeMap, VecDeque};

use corelane::base::splitmix::SplitMix;
use corelane::coordinator::{
    AppendFailure, AppendId, Coordinator, Effect, Moment, Request, Response, Settings, Ticket,
};
use corelane::protocol::ErrorCode;
use corelane::protocol::group_records::{EncodedRecord, GroupRecord};

use super::checks::Checks;
use super::client::{Client, GROUP, PARTITIONS, REBALANCE_TIMEOUT_MS, Stage};

/// Disturbances last so long, and then all have so long to settle.
const CHAOS_MS: u64 = 8 * 60_000;
const CALM_MS: u64 = 3 * 60_000;
const PARTITION: i32 = 0;

enum Event {
    /// A client does something on its own.
    Act(usize),
    /// A client has waited long enough for the answer to this request.
    LosePatience(usize, u64),
    /// A request arrives at the broker.
    Request(usize, u64, Request),
    /// An answer arrives at a client.
    Response(usize, u64, Response),
    /// Records of the broker's life of this number are durable.
    Durable(u64),
    /// The broker's clock, in its life of this number.
    Tick(u64),
    Crash,
    /// The writer takes nothing more.
    FailWriter,
    Start,
}

/// Who waits behind a ticket, and what was promised when it asked.
struct Asked {
    client: usize,
    sequence: u64,
    generation: i32,
    owner: String,
    commit: Option<(i32, i64)>,
    newest: BTreeMap<i32, usize>,
}

pub struct World {
    random: SplitMix,
    now_ms: u64,
    events: BTreeMap<(u64, u64), Event>,
    next_event: u64,
    broker: Option<Coordinator>,
    life: u64,
    /// When the broker's clock ticks next.
    tick_ms: Option<u64>,
    writer_works: bool,
    durable: Vec<EncodedRecord>,
    on_their_way: VecDeque<(AppendId, Vec<GroupRecord>)>,
    asked: BTreeMap<Ticket, Asked>,
    next_ticket: u64,
    clients: Vec<Client>,
    next_offset: i64,
    checks: Checks,
    trace: u64,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let clients = (0..5).map(|at| Client::new((at % 2 == 1).then(|| format!("static-{at}")))).collect();
        World {
            random: SplitMix::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678),
            now_ms: 0,
            events: BTreeMap::new(),
            next_event: 0,
            broker: None,
            life: 0,
            tick_ms: None,
            writer_works: true,
            durable: Vec::new(),
            on_their_way: VecDeque::new(),
            asked: BTreeMap::new(),
            next_ticket: 0,
            clients,
            next_offset: 0,
            checks: Checks::default(),
            trace: seed,
        }
    }

    /// Lives until all have settled; a number that is the same for the same life.
    pub fn live(mut self) -> u64 {
        self.start();
        for client in 0..self.clients.len() {
            let at = self.below(3_000);
            self.after(at, Event::Act(client));
        }
        let at = self.below(60_000);
        self.after(at, Event::Crash);
        while let Some(((at, _), event)) = self.events.pop_first() {
            if at > CHAOS_MS + CALM_MS {
                break;
            }
            self.now_ms = at;
            self.happen(event);
        }
        self.check_settled();
        self.trace
    }

    fn next_random(&mut self) -> u64 {
        self.random.next_u64()
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next_random() % bound
    }

    fn is_calm(&self) -> bool {
        self.now_ms >= CHAOS_MS
    }

    fn after(&mut self, ms: u64, event: Event) {
        self.next_event += 1;
        self.events.insert((self.now_ms + ms, self.next_event), event);
    }

    /// How long a message takes; `None` if it is lost.
    fn travel_ms(&mut self) -> Option<u64> {
        match self.below(20) {
            _ if self.is_calm() => Some(1 + self.below(5)),
            0 => None,
            // Long enough for all around it to have changed.
            1 => Some(self.below(40_000)),
            _ => Some(1 + self.below(50)),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Act(client) => self.act(client),
            Event::LosePatience(client, sequence) => {
                let waiting = &mut self.clients[client];
                if waiting.sequence == sequence && matches!(waiting.stage, Stage::Joining | Stage::Syncing) {
                    let request = waiting.join();
                    self.send(client, request);
                }
            }
            Event::Request(client, sequence, request) => self.deliver(client, sequence, request),
            Event::Response(client, sequence, response) => {
                if self.clients[client].sequence != sequence {
                    return;
                }
                match self.clients[client].hear(&response) {
                    Some(request) => self.send(client, request),
                    // The broker cannot serve it now.
                    None if self.clients[client].stage == Stage::Joining => {
                        self.after(1_000, Event::LosePatience(client, sequence));
                    }
                    None => {}
                }
            }
            Event::Durable(life) if life == self.life => self.make_durable(),
            Event::Tick(life) if life == self.life => {
                self.tick_ms = self.tick_ms.filter(|tick_ms| *tick_ms > self.now_ms);
                self.step(|broker, moment| broker.advance(moment));
            }
            Event::Durable(_) | Event::Tick(_) => {}
            Event::Crash => self.crash(),
            Event::FailWriter => self.writer_works &= self.is_calm(),
            Event::Start => self.start(),
        }
    }

    fn act(&mut self, client: usize) {
        let pause_ms = 500 + self.below(2_000);
        self.after(pause_ms, Event::Act(client));
        let choice = self.below(100);
        let stage = self.clients[client].stage;
        if stage == Stage::Member && self.is_calm() {
            // A healthy client shows that it lives, whatever else it does.
            let request = self.clients[client].heartbeat();
            self.tell(client, request);
        }
        match (stage, choice) {
            (Stage::Away, choice) if choice < 20 || self.is_calm() => {
                let request = self.clients[client].join();
                self.send(client, request);
            }
            (Stage::Away | Stage::Joining | Stage::Syncing, _) => {}
            (Stage::Member, 0..2) if !self.is_calm() => {
                let request = self.clients[client].leave();
                self.send(client, request);
            }
            (Stage::Member, 2..4) if !self.is_calm() => self.clients[client].vanish(),
            (Stage::Member, 4..40) => self.commit(client),
            (Stage::Member, 40..60) => self.tell(client, Client::fetch()),
            (Stage::Member, _) => {
                let request = self.clients[client].heartbeat();
                self.tell(client, request);
            }
        }
    }

    fn commit(&mut self, client: usize) {
        let choice = self.next_random() as usize;
        let owned = &self.clients[client].owned;
        let Some(partition) = owned.get(choice % owned.len().max(1)).copied() else { return };
        self.next_offset += 1;
        let request = self.clients[client].commit(partition, self.next_offset);
        self.tell(client, request);
    }

    /// Sends a request whose answer is waited for; answers to earlier ones are ignored.
    fn send(&mut self, client: usize, request: Request) {
        self.clients[client].sequence += 1;
        let sequence = self.clients[client].sequence;
        self.tell(client, request);
        let patience_ms = REBALANCE_TIMEOUT_MS as u64 + 5_000;
        self.after(patience_ms, Event::LosePatience(client, sequence));
    }

    fn tell(&mut self, client: usize, request: Request) {
        let sequence = self.clients[client].sequence;
        if let Some(travel_ms) = self.travel_ms() {
            self.after(travel_ms, Event::Request(client, sequence, request));
        }
    }

    fn deliver(&mut self, client: usize, sequence: u64, request: Request) {
        if self.broker.is_none() {
            // Refused connections are noticed at once.
            return self.after(500, Event::LosePatience(client, sequence));
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let (generation, owner, commit) = match &request {
            Request::Sync(sync) => {
                let owner = Client::owner(sync.group_instance_id.as_ref(), &sync.member_id);
                (sync.generation_id, owner, None)
            }
            Request::Commit(commit) => {
                let new = &commit.offsets[0];
                self.checks.commits(new.offset);
                (-1, String::new(), Some((new.partition, new.offset)))
            }
            _ => Default::default(),
        };
        let newest =
            (0..PARTITIONS).filter_map(|partition| Some((partition, self.checks.newest(partition)?)));
        let asked = Asked { client, sequence, generation, owner, commit, newest: newest.collect() };
        self.asked.insert(ticket, asked);
        self.step(|broker, moment| broker.request(moment, PARTITION, ticket, request));
    }

    fn moment(&mut self) -> Moment {
        let random = u128::from(self.next_random()) << 64 | u128::from(self.next_random());
        Moment { now_ms: self.now_ms, wall_clock_ms: self.now_ms as i64, random }
    }

    fn step(&mut self, work: impl FnOnce(&mut Coordinator, Moment)) {
        let moment = self.moment();
        let Some(broker) = &mut self.broker else { return };
        work(broker, moment);
        let effects = broker.take_effects();
        let deadline_ms = broker.next_deadline_ms();
        if let Some(deadline_ms) = deadline_ms {
            // Clocks are a little late.
            let due_ms = deadline_ms.max(self.now_ms + 20);
            // One tick on its way is enough, if it comes in time.
            if self.tick_ms.is_none_or(|tick_ms| due_ms < tick_ms) {
                self.tick_ms = Some(due_ms);
                self.after(due_ms - self.now_ms, Event::Tick(self.life));
            }
        }
        for effect in effects {
            match effect {
                Effect::Reply(ticket, response) => self.answer(ticket, response),
                Effect::Append { id, records, .. } => {
                    self.on_their_way.push_back((id, records));
                    let disk_ms = 1 + self.below(if self.is_calm() { 5 } else { 400 });
                    self.after(disk_ms, Event::Durable(self.life));
                }
                Effect::Load { .. } => unreachable!("what is durable is read at once"),
            }
        }
    }

    /// What the broker says counts, whether it arrives or not.
    fn answer(&mut self, ticket: Ticket, response: Response) {
        let Some(asked) = self.asked.remove(&ticket) else { return };
        self.trace = self.trace.wrapping_mul(31).wrapping_add(self.now_ms ^ ticket.0);
        match &response {
            Response::Sync(synced) if synced.error_code == ErrorCode::None => {
                let partitions: Vec<i32> = synced.assignment.iter().map(|byte| i32::from(*byte)).collect();
                self.checks.owns(asked.generation, &asked.owner, &partitions);
            }
            Response::Commit(errors) if errors[0] == ErrorCode::None => {
                let (partition, offset) = asked.commit.expect("it was a commit");
                self.checks.committed(partition, offset);
            }
            Response::FetchOffsets(Ok(topics)) => {
                for fetched in &topics[0].1 {
                    let newest = asked.newest.get(&fetched.partition).copied();
                    self.checks.fetched(fetched.partition, fetched.offset, newest);
                }
            }
            _ => {}
        }
        if let Some(travel_ms) = self.travel_ms() {
            self.after(travel_ms, Event::Response(asked.client, asked.sequence, response));
        }
    }

    fn make_durable(&mut self) {
        let Some((id, records)) = self.on_their_way.pop_front() else { return };
        let outcome = if self.writer_works { Ok(()) } else { Err(AppendFailure::Unavailable) };
        if outcome.is_ok() {
            self.durable.extend(records.iter().map(GroupRecord::encode));
        }
        self.step(|broker, moment| broker.appended(moment, id, outcome));
    }

    fn crash(&mut self) {
        // A writer that has failed works again after a start only.
        if self.is_calm() && self.writer_works {
            return;
        }
        self.broker = None;
        self.life += 1;
        self.tick_ms = None;
        self.asked.clear();
        let kept = if self.writer_works { self.below(self.on_their_way.len() as u64 + 1) } else { 0 };
        for (_, records) in self.on_their_way.drain(..).take(kept as usize) {
            self.durable.extend(records.iter().map(GroupRecord::encode));
        }
        self.writer_works = true;
        let down_ms = self.below(5_000);
        self.after(down_ms, Event::Start);
        let up_ms = down_ms + self.below(60_000);
        if self.below(4) == 0 {
            let works_ms = self.below(up_ms - down_ms + 1);
            self.after(down_ms + works_ms, Event::FailWriter);
        }
        self.after(up_ms, Event::Crash);
    }

    fn start(&mut self) {
        let mut broker = Coordinator::new(settings());
        broker.begin_load(PARTITION);
        for EncodedRecord { key, value } in &self.durable {
            let record = GroupRecord::decode(key.clone(), value.clone()).expect("our own");
            broker.load(PARTITION, record.expect("of a known kind"));
        }
        self.broker = Some(broker);
        self.step(|broker, moment| broker.loaded(moment, PARTITION));
    }

    fn check_settled(&self) {
        assert!(self.checks.shares > 0 && self.checks.commits_answered > 0, "something was done");
        let mut owned: Vec<i32> = Vec::new();
        for client in &self.clients {
            assert_eq!(client.stage, Stage::Member, "stuck: {:#?} {:#?}", self.clients, self.broker);
            assert_eq!(client.generation, self.clients[0].generation, "not one group: {:#?}", self.clients);
            owned.extend(&client.owned);
        }
        owned.sort_unstable();
        assert_eq!(owned, (0..PARTITIONS).collect::<Vec<_>>(), "not all is shared out in {GROUP}");
    }
}

fn settings() -> Settings {
    Settings {
        session_timeout_min_ms: 1_000,
        session_timeout_max_ms: 60_000,
        initial_rebalance_delay_ms: 3_000,
        group_members_max: 100,
        offset_metadata_bytes_max: 4_096,
        offsets_retention_ms: i64::MAX,
        retention_check_interval_ms: 60_000,
        batch_bytes_max: 1 << 20,
        state_bytes_max: 1 << 24,
        // So few that much happens between two answers that are due at the same time.
        replies_per_turn: 2,
    }
}
