//! Scenarios, one each: what members and operators do, and what they are told.

mod bounds;
mod counted;
mod membership;
mod retention;

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;
use crate::protocol::ErrorCode;
use crate::protocol::group_records::{EncodedRecord, GroupRecord};
use crate::protocol::messages::heartbeat::HeartbeatRequest;
use crate::protocol::messages::join_group::{JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse};
use crate::protocol::messages::leave_group::MemberIdentity;
use crate::protocol::messages::sync_group::{
    SyncGroupRequest, SyncGroupRequestAssignment, SyncGroupResponse,
};

/// A coordinator with a log that is durable at once, and a clock that is set by hand.
struct Bench {
    core: Coordinator,
    settings: Settings,
    now_ms: u64,
    tickets: u64,
    log: Vec<EncodedRecord>,
    /// While it is set, appends stay on their way.
    holds_appends: bool,
    held: Vec<(AppendId, Vec<GroupRecord>)>,
    answers: BTreeMap<Ticket, Response>,
    /// Partitions that are to be read again.
    wanted_loads: Vec<i32>,
}

impl Bench {
    fn new() -> Self {
        Bench::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            session_timeout_min_ms: 1_000,
            session_timeout_max_ms: 60_000,
            initial_rebalance_delay_ms: 3_000,
            group_members_max: 10,
            offset_metadata_bytes_max: 100,
            offsets_retention_ms: 1_000_000,
            retention_check_interval_ms: 1_000,
            batch_bytes_max: 1 << 20,
            state_bytes_max: 1 << 20,
            replies_per_turn: 3,
        };
        change(&mut settings);
        let core = Coordinator::new(settings.clone());
        let (log, held, answers, wanted_loads) = Default::default();
        let mut bench = Bench {
            core,
            settings,
            now_ms: 0,
            tickets: 0,
            log,
            holds_appends: false,
            held,
            answers,
            wanted_loads,
        };
        bench.restart();
        bench
    }

    /// The coordinator starts anew from its log.
    fn restart(&mut self) {
        self.core = Coordinator::new(self.settings.clone());
        self.held.clear();
        self.core.begin_load(0);
        self.read_log();
    }

    fn read_log(&mut self) {
        for EncodedRecord { key, value } in &self.log {
            let record = GroupRecord::decode(key.clone(), value.clone()).expect("our own");
            self.core.load(0, record.expect("of a known kind"));
        }
        let moment = self.moment();
        self.core.loaded(moment, 0);
    }

    /// The log cannot be read.
    fn fail_load(&mut self) {
        let moment = self.moment();
        self.core.load_failed(moment, 0);
    }

    fn moment(&mut self) -> Moment {
        self.tickets += 1;
        Moment {
            now_ms: self.now_ms,
            wall_clock_ms: self.now_ms as i64,
            random: u128::from(self.tickets) << 64,
        }
    }

    /// Asks, and waits for nothing.
    fn send(&mut self, request: Request) -> Ticket {
        let moment = self.moment();
        let ticket = Ticket(self.tickets);
        self.core.request(moment, 0, ticket, request);
        self.settle();
        ticket
    }

    fn settle(&mut self) {
        loop {
            let effects = self.core.take_effects();
            if effects.is_empty() {
                assert_eq!(self.core.census(), self.core.recounted());
                return;
            }
            for effect in effects {
                match effect {
                    Effect::Reply(ticket, response) => {
                        let twice = self.answers.insert(ticket, response);
                        assert_eq!(twice, None, "a request is answered once");
                    }
                    Effect::Append { id, records, .. } if self.holds_appends => self.held.push((id, records)),
                    Effect::Append { id, records, .. } => self.append(id, &records),
                    Effect::Load { partition } => self.wanted_loads.push(partition),
                }
            }
        }
    }

    fn append(&mut self, id: AppendId, records: &[GroupRecord]) {
        self.log.extend(records.iter().map(GroupRecord::encode));
        let moment = self.moment();
        self.core.appended(moment, id, Ok(()));
    }

    /// What was held is durable, or fails.
    fn release(&mut self, outcome: Result<(), AppendFailure>) {
        self.holds_appends = false;
        for (id, records) in std::mem::take(&mut self.held) {
            match outcome {
                Ok(()) => self.append(id, &records),
                Err(failure) => {
                    let moment = self.moment();
                    self.core.appended(moment, id, Err(failure));
                }
            }
        }
        self.settle();
    }

    /// Time goes on, and what is due is done when it is.
    fn wait(&mut self, ms: u64) {
        let end = self.now_ms + ms;
        while let Some(due) = self.core.next_deadline_ms().filter(|due| *due <= end) {
            self.now_ms = self.now_ms.max(due);
            let moment = self.moment();
            self.core.advance(moment);
            self.settle();
        }
        self.now_ms = end;
    }

    fn answer(&mut self, ticket: Ticket) -> Option<Response> {
        self.answers.remove(&ticket)
    }

    fn joined(&mut self, ticket: Ticket) -> JoinGroupResponse {
        match self.answer(ticket) {
            Some(Response::Join(response)) => response,
            other => panic!("no answer to the join: {other:?}"),
        }
    }

    fn synced(&mut self, ticket: Ticket) -> SyncGroupResponse {
        match self.answer(ticket) {
            Some(Response::Sync(response)) => response,
            other => panic!("no answer to the sync: {other:?}"),
        }
    }

    /// Gets a member id and joins with it.
    fn join(&mut self) -> Ticket {
        let first = self.send(join(&Who::default()));
        let first = self.joined(first);
        assert_eq!(first.error_code, ErrorCode::MemberIdRequired);
        self.send(join(&Who { member_id: first.member_id, ..Who::default() }))
    }

    fn sync(&mut self, joined: &JoinGroupResponse) -> Ticket {
        self.send(sync(joined))
    }

    /// A group of these many dynamic members, all with their shares. The leader comes first.
    fn stable(&mut self, count: usize) -> Vec<JoinGroupResponse> {
        let tickets: Vec<Ticket> = (0..count).map(|_| self.join()).collect();
        self.wait(7_000);
        let mut members: Vec<_> = tickets.into_iter().map(|ticket| self.joined(ticket)).collect();
        members.sort_by_key(|member| member.member_id != member.leader);
        self.share(&members);
        members
    }

    fn share(&mut self, members: &[JoinGroupResponse]) {
        let tickets: Vec<Ticket> = members.iter().map(|member| self.sync(member)).collect();
        for (ticket, member) in tickets.into_iter().zip(members) {
            let share = self.synced(ticket);
            assert_eq!(
                (share.error_code, &share.assignment[..]),
                (ErrorCode::None, share_of(&member.member_id))
            );
        }
    }

    fn heartbeat(&mut self, member: &JoinGroupResponse) -> ErrorCode {
        let ticket = self.send(Request::Heartbeat(HeartbeatRequest {
            group_id: "g".into(),
            generation_id: member.generation_id,
            member_id: member.member_id.clone(),
            group_instance_id: None,
        }));
        match self.answer(ticket) {
            Some(Response::Heartbeat(error_code)) => error_code,
            other => panic!("no answer to the heartbeat: {other:?}"),
        }
    }

    fn leave(&mut self, member_id: &str, instance_id: Option<&str>) -> ErrorCode {
        let identity = MemberIdentity {
            member_id: member_id.into(),
            group_instance_id: instance_id.map(Into::into),
            reason: None,
        };
        let ticket = self.send(Request::Leave("g".into(), vec![identity]));
        match self.answer(ticket) {
            Some(Response::Leave(response)) => response.members[0].error_code,
            other => panic!("no answer to the leave: {other:?}"),
        }
    }

    fn state(&mut self) -> String {
        let ticket = self.send(Request::Describe("g".into()));
        match self.answer(ticket) {
            Some(Response::Describe(group)) => group.group_state,
            other => panic!("no description: {other:?}"),
        }
    }

    fn commit(&mut self, member: Option<&JoinGroupResponse>, offset: i64) -> ErrorCode {
        let ticket = self.send(commit(member, offset, None));
        self.committed(ticket)
    }

    fn committed(&mut self, ticket: Ticket) -> ErrorCode {
        match self.answer(ticket) {
            Some(Response::Commit(errors)) => errors[0],
            other => panic!("no answer to the commit: {other:?}"),
        }
    }

    fn fetch(&mut self) -> i64 {
        let ticket = self.send(Request::FetchOffsets("g".into(), Some(vec![("t".into(), vec![0])])));
        match self.answer(ticket) {
            Some(Response::FetchOffsets(Ok(topics))) => topics[0].1[0].offset,
            other => panic!("no offsets: {other:?}"),
        }
    }
}

/// Who joins, where it is not an ordinary new member.
#[derive(Clone, Default)]
struct Who {
    /// Speaks these protocols, the preferred one first; `range` if there are none.
    protocols: Vec<String>,
    member_id: String,
    instance_id: Option<String>,
    metadata: &'static [u8],
}

fn join(who: &Who) -> Request {
    // Subscribed to topic "t".
    let subscription: &[u8] = &[0, 1, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 0];
    let metadata = if who.metadata.is_empty() { subscription } else { who.metadata };
    let names = if who.protocols.is_empty() { vec!["range".to_owned()] } else { who.protocols.clone() };
    let protocol = |name| JoinGroupRequestProtocol { name, metadata: Bytes::copy_from_slice(metadata) };
    let request = JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 15_000,
        member_id: who.member_id.clone(),
        group_instance_id: who.instance_id.clone(),
        protocol_type: "consumer".into(),
        protocols: names.into_iter().map(protocol).collect(),
        reason: None,
    };
    let joining = Joining {
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        requires_known_member_id: true,
        can_skip_assignment: true,
    };
    Request::Join(request, joining)
}

/// Who leads gives every member its own id as its share.
fn sync(joined: &JoinGroupResponse) -> Request {
    let share = |member_id: &String| SyncGroupRequestAssignment {
        member_id: member_id.clone(),
        assignment: Bytes::copy_from_slice(share_of(member_id)),
    };
    Request::Sync(SyncGroupRequest {
        group_id: "g".into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        assignments: joined.members.iter().map(|member| share(&member.member_id)).collect(),
        ..Default::default()
    })
}

fn share_of(member_id: &str) -> &[u8] {
    member_id.as_bytes()
}

fn commit(member: Option<&JoinGroupResponse>, offset: i64, retention_ms: Option<i64>) -> Request {
    Request::Commit(Commit {
        group_id: "g".into(),
        generation_id: member.map_or(-1, |member| member.generation_id),
        member_id: member.map_or(String::new(), |member| member.member_id.clone()),
        group_instance_id: None,
        retention_ms,
        offsets: vec![NewOffset {
            topic: "t".into(),
            partition: 0,
            offset,
            leader_epoch: 1,
            metadata: "so far".into(),
        }],
    })
}
