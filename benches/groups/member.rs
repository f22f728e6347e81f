//! A member of a group, over a blocking socket of its own.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use corelane::protocol::ErrorCode;
use corelane::protocol::messages::find_coordinator::FindCoordinatorRequest;
use corelane::protocol::messages::heartbeat::HeartbeatRequest;
use corelane::protocol::messages::join_group::{
    JoinGroupRequest, JoinGroupRequestProtocol, JoinGroupResponse, JoinGroupResponseMember,
};
use corelane::protocol::messages::leave_group::{LeaveGroupRequest, MemberIdentity};
use corelane::protocol::messages::sync_group::{SyncGroupRequest, SyncGroupRequestAssignment};

use crate::wire;

// The last versions before the flexible ones.
const FIND_COORDINATOR_VERSION: i16 = 2;
const JOIN_VERSION: i16 = 5;
const SYNC_VERSION: i16 = 3;
pub const HEARTBEAT_VERSION: i16 = 3;
const LEAVE_VERSION: i16 = 3;
/// Longer than any measurement is silent.
const SESSION_TIMEOUT_MS: i32 = 120_000;
/// How soon a request is repeated that comes too early for the coordinator.
const RETRY_PAUSE: Duration = Duration::from_millis(10);
/// The coordinator must be there by then.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a group consumes.
#[derive(Clone)]
pub struct Subscription {
    /// A topic.
    pub topic: &'static str,
    /// Its partitions.
    pub partitions: i32,
}

/// How a member came into a generation.
#[derive(Clone, Copy)]
pub struct Entry {
    pub generation: i32,
    /// When it sent its join.
    pub joining_at: Instant,
    /// When it had its share.
    pub settled_at: Instant,
}

pub struct Member {
    stream: TcpStream,
    group: String,
    subscription: Subscription,
    id: String,
    generation: i32,
}

/// Waits until there is a coordinator; asking makes `__consumer_offsets`.
pub fn await_coordinator(address: &str) {
    let mut stream = wire::connect(address);
    let deadline = Instant::now() + PATIENCE;
    let request = FindCoordinatorRequest { key: "any".to_owned(), ..Default::default() };
    while wire::call(&mut stream, &request, FIND_COORDINATOR_VERSION).error_code != ErrorCode::None {
        assert!(Instant::now() < deadline, "there is no coordinator");
        std::thread::sleep(RETRY_PAUSE);
    }
}

impl Member {
    pub fn connect(address: &str, group: &str, subscription: &Subscription) -> Self {
        Member {
            stream: wire::connect(address),
            group: group.to_owned(),
            subscription: subscription.clone(),
            id: String::new(),
            generation: -1,
        }
    }

    /// Becomes part of the group's next generation, and gets its share of it.
    pub fn enter(&mut self) -> Entry {
        loop {
            let joining_at = Instant::now();
            let joined = self.join();
            if self.sync(&joined) {
                return Entry { generation: self.generation, joining_at, settled_at: Instant::now() };
            }
        }
    }

    fn join(&mut self) -> JoinGroupResponse {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let request = self.join_request();
            let response = wire::call(&mut self.stream, &request, JOIN_VERSION);
            match response.error_code {
                ErrorCode::None => {
                    self.generation = response.generation_id;
                    return response;
                }
                ErrorCode::MemberIdRequired => self.id = response.member_id,
                ErrorCode::UnknownMemberId => self.id.clear(),
                ErrorCode::RebalanceInProgress => {}
                ErrorCode::CoordinatorLoadInProgress | ErrorCode::NotCoordinator => {
                    assert!(Instant::now() < deadline, "{} is not served", self.group);
                    std::thread::sleep(RETRY_PAUSE);
                }
                other => panic!("the group refuses a member: {other:?}"),
            }
        }
    }

    fn join_request(&self) -> JoinGroupRequest {
        let metadata = self.subscription.encode();
        JoinGroupRequest {
            group_id: self.group.clone(),
            session_timeout_ms: SESSION_TIMEOUT_MS,
            rebalance_timeout_ms: SESSION_TIMEOUT_MS,
            member_id: self.id.clone(),
            protocol_type: "consumer".to_owned(),
            protocols: vec![JoinGroupRequestProtocol { name: "range".to_owned(), metadata }],
            ..Default::default()
        }
    }

    /// Whether it has its share; if not, the group has moved on.
    fn sync(&mut self, joined: &JoinGroupResponse) -> bool {
        let is_leader = joined.leader == self.id;
        let request = SyncGroupRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            assignments: if is_leader { self.subscription.share_out(&joined.members) } else { Vec::new() },
            ..Default::default()
        };
        match wire::call(&mut self.stream, &request, SYNC_VERSION).error_code {
            ErrorCode::None => true,
            ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration => false,
            ErrorCode::UnknownMemberId => {
                self.id.clear();
                false
            }
            other => panic!("the group refuses a share: {other:?}"),
        }
    }

    /// Whether all is as it was; if not, it must enter again.
    pub fn heartbeat(&mut self) -> bool {
        let request = self.heartbeat_request();
        match wire::call(&mut self.stream, &request, HEARTBEAT_VERSION).error_code {
            ErrorCode::None => true,
            ErrorCode::RebalanceInProgress | ErrorCode::IllegalGeneration => false,
            other => panic!("the group refuses a heartbeat: {other:?}"),
        }
    }

    pub fn heartbeat_request(&self) -> HeartbeatRequest {
        HeartbeatRequest {
            group_id: self.group.clone(),
            generation_id: self.generation,
            member_id: self.id.clone(),
            group_instance_id: None,
        }
    }

    pub fn leave(mut self) {
        let identity = MemberIdentity { member_id: self.id.clone(), ..Default::default() };
        let request =
            LeaveGroupRequest { group_id: self.group.clone(), members: vec![identity], ..Default::default() };
        let left = wire::call(&mut self.stream, &request, LEAVE_VERSION);
        assert_eq!(left.members[0].error_code, ErrorCode::None, "it was a member");
    }
}

impl Subscription {
    /// As ConsumerProtocolSubscription, version 0.
    fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_i16(0);
        bytes.put_i32(1);
        put_string(&mut bytes, self.topic);
        bytes.put_i32(-1);
        bytes.freeze()
    }

    /// A share for each member, as ConsumerProtocolAssignment, version 0: partitions in turn.
    fn share_out(&self, members: &[JoinGroupResponseMember]) -> Vec<SyncGroupRequestAssignment> {
        let share = |(number, member): (usize, &JoinGroupResponseMember)| {
            let partitions: Vec<i32> = (0..self.partitions).skip(number).step_by(members.len()).collect();
            let mut bytes = BytesMut::new();
            bytes.put_i16(0);
            bytes.put_i32(1);
            put_string(&mut bytes, self.topic);
            bytes.put_i32(partitions.len() as i32);
            partitions.into_iter().for_each(|partition| bytes.put_i32(partition));
            bytes.put_i32(-1);
            SyncGroupRequestAssignment { member_id: member.member_id.clone(), assignment: bytes.freeze() }
        };
        members.iter().enumerate().map(share).collect()
    }
}

fn put_string(bytes: &mut BytesMut, text: &str) {
    bytes.put_i16(text.len() as i16);
    bytes.put_slice(text.as_bytes());
}
