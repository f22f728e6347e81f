//! A member as clients implement it: it joins, syncs, shows that it lives, commits and fetches.

use bytes::Bytes;
use corelane::coordinator::{Commit, Joining, NewOffset, Request, Response};
use corelane::protocol::ErrorCode;
use corelane::protocol::messages::heartbeat::HeartbeatRequest;
use corelane::protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse,
};
use corelane::protocol::messages::leave_group::MemberIdentity;
use corelane::protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

pub const GROUP: &str = "group";
pub const TOPIC: &str = "topic";
pub const PARTITIONS: i32 = 6;
pub const SESSION_TIMEOUT_MS: i32 = 6_000;
pub const REBALANCE_TIMEOUT_MS: i32 = 12_000;

/// How far it has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// It is not there.
    Away,
    /// It waits for an answer to its join.
    Joining,
    /// To its sync.
    Syncing,
    /// It has its share.
    Member,
}

#[derive(Debug)]
pub struct Client {
    pub instance_id: Option<String>,
    pub member_id: String,
    pub generation: i32,
    pub stage: Stage,
    pub owned: Vec<i32>,
    /// Answers to requests before this one are too late.
    pub sequence: u64,
}

impl Client {
    pub fn new(instance_id: Option<String>) -> Self {
        let (member_id, owned) = Default::default();
        Client { instance_id, member_id, generation: -1, stage: Stage::Away, owned, sequence: 0 }
    }

    /// What stands for it as an owner: a static member keeps its share under a new member id.
    pub fn owner(instance_id: Option<&String>, member_id: &str) -> String {
        instance_id.map_or(member_id, String::as_str).to_owned()
    }

    pub fn join(&mut self) -> Request {
        self.stage = Stage::Joining;
        self.owned.clear();
        let metadata = Bytes::from_static(&[0, 1, 0, 0, 0, 1, 0, 5, b't', b'o', b'p', b'i', b'c']);
        let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata };
        let request = JoinGroupRequest {
            group_id: GROUP.into(),
            session_timeout_ms: SESSION_TIMEOUT_MS,
            rebalance_timeout_ms: REBALANCE_TIMEOUT_MS,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: "consumer".into(),
            protocols: vec![protocol],
            reason: None,
        };
        let joining = Joining {
            client_id: "client".into(),
            requires_known_member_id: true,
            can_skip_assignment: true,
            ..Default::default()
        };
        Request::Join(request, joining)
    }

    /// The share of each member, all partitions dealt out.
    pub fn sync(&mut self, joined: &JoinGroupResponse) -> Request {
        (self.stage, self.generation) = (Stage::Syncing, joined.generation_id);
        self.member_id.clone_from(&joined.member_id);
        let assigns = joined.leader == joined.member_id && !joined.skip_assignment;
        let members: Vec<&String> =
            joined.members.iter().filter(|_| assigns).map(|member| &member.member_id).collect();
        let share = |(at, member_id): (usize, &&String)| {
            let mine = (0..PARTITIONS as usize).filter(|partition| partition % members.len() == at);
            let assignment = mine.map(|partition| partition as u8).collect::<Vec<u8>>();
            SyncGroupRequestAssignment { member_id: (*member_id).clone(), assignment: assignment.into() }
        };
        Request::Sync(SyncGroupRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            protocol_type: Some("consumer".into()),
            protocol_name: Some("range".into()),
            assignments: members.iter().enumerate().map(share).collect(),
        })
    }

    pub fn heartbeat(&self) -> Request {
        Request::Heartbeat(HeartbeatRequest {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
        })
    }

    pub fn commit(&self, partition: i32, offset: i64) -> Request {
        let new =
            NewOffset { topic: TOPIC.into(), partition, offset, leader_epoch: -1, metadata: String::new() };
        Request::Commit(Commit {
            group_id: GROUP.into(),
            generation_id: self.generation,
            member_id: self.member_id.clone(),
            group_instance_id: self.instance_id.clone(),
            retention_ms: None,
            offsets: vec![new],
        })
    }

    pub fn fetch() -> Request {
        let all = (0..PARTITIONS).collect();
        Request::FetchOffsets(GROUP.into(), Some(vec![(TOPIC.into(), all)]))
    }

    pub fn leave(&mut self) -> Request {
        self.stage = Stage::Away;
        let identity = MemberIdentity {
            member_id: std::mem::take(&mut self.member_id),
            group_instance_id: self.instance_id.clone(),
            reason: None,
        };
        self.owned.clear();
        Request::Leave(GROUP.into(), vec![identity])
    }

    /// It is started anew, and remembers nothing.
    pub fn vanish(&mut self) {
        (self.stage, self.generation) = (Stage::Away, -1);
        self.member_id.clear();
        self.owned.clear();
        self.sequence += 1;
    }

    /// Takes an answer in; returns what it asks next.
    pub fn hear(&mut self, response: &Response) -> Option<Request> {
        match response {
            Response::Join(joined) if self.stage == Stage::Joining => match joined.error_code {
                ErrorCode::None => Some(self.sync(joined)),
                ErrorCode::MemberIdRequired => {
                    self.member_id.clone_from(&joined.member_id);
                    Some(self.join())
                }
                error_code => self.start_again(error_code),
            },
            Response::Sync(synced) if self.stage == Stage::Syncing => match synced.error_code {
                ErrorCode::None => {
                    self.stage = Stage::Member;
                    self.owned = synced.assignment.iter().map(|partition| i32::from(*partition)).collect();
                    None
                }
                error_code => self.start_again(error_code),
            },
            Response::Heartbeat(ErrorCode::None) => None,
            Response::Heartbeat(error_code) if self.stage == Stage::Member => self.start_again(*error_code),
            Response::Commit(errors) if self.stage == Stage::Member && errors[0] != ErrorCode::None => {
                self.start_again(errors[0])
            }
            _ => None,
        }
    }

    fn start_again(&mut self, error_code: ErrorCode) -> Option<Request> {
        match error_code {
            ErrorCode::UnknownMemberId | ErrorCode::FencedInstanceId => self.member_id.clear(),
            // It asks again when its patience is over.
            ErrorCode::NotCoordinator
            | ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::CoordinatorNotAvailable => {
                self.stage = Stage::Joining;
                return None;
            }
            ErrorCode::IllegalGeneration | ErrorCode::RebalanceInProgress => {}
            other => panic!("{other} was not expected"),
        }
        Some(self.join())
    }
}
