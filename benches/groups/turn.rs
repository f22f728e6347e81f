//! How long the coordinator is at one thing in a large group, in memory, without sockets and disk: what others on its
//! shard have to wait for at once. Answers of a rebalance go out some at a time; each is encoded on its connection.

use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Args;
use corelane::base::limits::GROUP_REPLIES_PER_TURN;
use corelane::coordinator::{Coordinator, Effect, Joining, Moment, Request, Response, Settings, Ticket};
use corelane::protocol::batch::BatchBuilder;
use corelane::protocol::encode_response;
use corelane::protocol::group_records::{EncodedRecord, GroupRecord};
use corelane::protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use corelane::protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

use crate::table;

/// Versions with all fields.
const JOIN_VERSION: i16 = 9;
const PARTITION: i32 = 0;
const SESSION_TIMEOUT_MS: i32 = 45_000;

#[derive(Args)]
pub struct Arguments {
    /// Members of the groups, one after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [500, 2_000, 10_000])]
    members: Vec<usize>,
    /// Bytes of a member's metadata, and of its share.
    #[arg(long, default_value_t = 300)]
    member_bytes: usize,
    /// How often each group rebalances.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// The longest that each thing took.
#[derive(Default)]
struct Longest {
    join: Duration,
    last_join: Duration,
    some_answers: Duration,
    leader_encoded: Duration,
    shares: Duration,
    record: Duration,
    durable: Duration,
}

struct Bench<'a> {
    core: Coordinator,
    arguments: &'a Arguments,
    now_ms: u64,
    tickets: u64,
    longest: Longest,
}

pub fn run(arguments: &Arguments) {
    let rows: Vec<Vec<String>> = arguments.members.iter().map(|members| row(arguments, *members)).collect();
    let title = format!(
        "How long the coordinator is at one thing at most, in us: {} bytes of metadata and of share a member, {} \
         rebalances, {} answers in a turn.",
        arguments.member_bytes, arguments.rounds, GROUP_REPLIES_PER_TURN
    );
    let head = [
        "members",
        "a join",
        "the last join, which completes the generation",
        "a turn of answers",
        "encoding the leader's answer",
        "taking all shares",
        "their record",
        "the shares are durable",
        "the longest of these",
    ];
    table::print(&title, &head, &rows);
}

fn row(arguments: &Arguments, members: usize) -> Vec<String> {
    let mut bench = Bench::new(arguments, members);
    let ids: Vec<String> = (0..members).map(|_| bench.new_id()).collect();
    bench.rebalance(&ids);
    // The first one is another: it is complete by time, not by the last join.
    bench.longest = Longest::default();
    for _ in 0..arguments.rounds {
        bench.rebalance(&ids);
    }
    let us = |duration: Duration| format!("{:.0}", duration.as_secs_f64() * 1e6);
    let Longest { join, last_join, some_answers, leader_encoded, shares, record, durable } = bench.longest;
    let times = [join, last_join, some_answers, leader_encoded, shares, record, durable];
    let longest = times.into_iter().max().unwrap_or_default();
    [members.to_string()].into_iter().chain(times.into_iter().chain([longest]).map(us)).collect()
}

impl<'a> Bench<'a> {
    fn new(arguments: &'a Arguments, members: usize) -> Self {
        let core = Coordinator::new(Settings {
            session_timeout_min_ms: 1_000,
            session_timeout_max_ms: SESSION_TIMEOUT_MS,
            initial_rebalance_delay_ms: 0,
            group_members_max: members,
            offset_metadata_bytes_max: 4_096,
            offsets_retention_ms: i64::MAX,
            retention_check_interval_ms: u64::MAX,
            batch_bytes_max: usize::MAX,
            state_bytes_max: usize::MAX,
            replies_per_turn: GROUP_REPLIES_PER_TURN,
        });
        let mut bench = Bench { core, arguments, now_ms: 0, tickets: 0, longest: Longest::default() };
        bench.core.begin_load(PARTITION);
        let moment = bench.moment();
        bench.core.loaded(moment, PARTITION);
        bench
    }

    fn moment(&mut self) -> Moment {
        self.tickets += 1;
        Moment {
            now_ms: self.now_ms,
            wall_clock_ms: self.now_ms as i64,
            // Not where an id says which version it is.
            random: u128::from(self.tickets),
        }
    }

    /// Asks, and says how long that took.
    fn send(&mut self, request: Request) -> Duration {
        let moment = self.moment();
        let (ticket, began) = (Ticket(self.tickets), Instant::now());
        self.core.request(moment, PARTITION, ticket, request);
        began.elapsed()
    }

    fn new_id(&mut self) -> String {
        self.send(self.join(String::new()));
        match &self.core.take_effects()[..] {
            [Effect::Reply(_, Response::Join(joined))] => joined.member_id.clone(),
            other => panic!("no id: {other:?}"),
        }
    }

    fn join(&self, member_id: String) -> Request {
        let metadata = Bytes::from(vec![7; self.arguments.member_bytes]);
        let request = JoinGroupRequest {
            group_id: "crowd".into(),
            session_timeout_ms: SESSION_TIMEOUT_MS,
            rebalance_timeout_ms: SESSION_TIMEOUT_MS,
            member_id,
            protocol_type: "consumer".into(),
            protocols: vec![JoinGroupRequestProtocol { name: "range".into(), metadata }],
            ..Default::default()
        };
        let joining = Joining {
            client_id: "member".into(),
            client_host: "/127.0.0.1".into(),
            requires_known_member_id: true,
            can_skip_assignment: true,
        };
        Request::Join(request, joining)
    }

    /// What is wanted now, a turn after the other.
    fn turns(&mut self) -> Vec<Effect> {
        let mut all = self.core.take_effects();
        while self.core.next_deadline_ms().is_some_and(|due_ms| due_ms <= self.now_ms) {
            let moment = self.moment();
            let began = Instant::now();
            self.core.advance(moment);
            let some = self.core.take_effects();
            self.longest.some_answers = self.longest.some_answers.max(began.elapsed());
            all.extend(some);
        }
        all
    }

    /// The leader joins again, and all after it; then they have their shares.
    fn rebalance(&mut self, ids: &[String]) {
        self.now_ms += 1;
        for (at, id) in ids.iter().enumerate() {
            let took = self.send(self.join(id.clone()));
            let longest = match at + 1 == ids.len() {
                true => &mut self.longest.last_join,
                false => &mut self.longest.join,
            };
            *longest = took.max(*longest);
        }
        let joined: Vec<JoinGroupResponse> = self.turns().into_iter().filter_map(joined).collect();
        assert_eq!(joined.len(), ids.len(), "all are in one generation");
        for member in joined.iter().filter(|member| member.member_id != member.leader) {
            self.send(sync(member, Vec::new()));
        }
        let leader = joined.iter().find(|member| member.member_id == member.leader).expect("one leads");
        let began = Instant::now();
        drop(encode_response(leader, JOIN_VERSION, 1));
        self.longest.leader_encoded = self.longest.leader_encoded.max(began.elapsed());
        let share = Bytes::from(vec![7; self.arguments.member_bytes]);
        let shares = leader.members.iter().map(|member| SyncGroupRequestAssignment {
            member_id: member.member_id.clone(),
            assignment: share.clone(),
        });
        let took = self.send(sync(leader, shares.collect()));
        self.longest.shares = self.longest.shares.max(took);
        let effects = self.turns();
        let [Effect::Append { id, records, .. }] = &effects[..] else { panic!("the shares are one record") };
        let began = Instant::now();
        drop(batch(records));
        self.longest.record = self.longest.record.max(began.elapsed());
        let moment = self.moment();
        let began = Instant::now();
        self.core.appended(moment, *id, Ok(()));
        self.longest.durable = self.longest.durable.max(began.elapsed());
        assert_eq!(self.turns().len(), ids.len(), "all have their shares");
    }
}

fn joined(effect: Effect) -> Option<JoinGroupResponse> {
    match effect {
        Effect::Reply(_, Response::Join(joined)) => Some(joined),
        _ => None,
    }
}

/// As the coordinator's host appends them.
fn batch(records: &[GroupRecord]) -> Vec<u8> {
    let add = |builder: BatchBuilder, record: &GroupRecord| {
        let EncodedRecord { key, value } = record.encode();
        builder.record(0, Some(&key), value.as_deref())
    };
    records.iter().fold(BatchBuilder::new(), add).build()
}

fn sync(member: &JoinGroupResponse, assignments: Vec<SyncGroupRequestAssignment>) -> Request {
    Request::Sync(SyncGroupRequest {
        group_id: "crowd".into(),
        generation_id: member.generation_id,
        member_id: member.member_id.clone(),
        assignments,
        ..Default::default()
    })
}
