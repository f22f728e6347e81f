//! What the coordinator is told, and what it wants done.

use bytes::Bytes;

use crate::base::ids::{LeaderEpoch, Offset};
use crate::protocol::ErrorCode;
use crate::protocol::group_records::GroupRecord;
use crate::protocol::messages::{
    describe_groups::DescribedGroup,
    heartbeat::HeartbeatRequest,
    join_group::{JoinGroupRequest, JoinGroupResponse},
    leave_group::{LeaveGroupResponse, MemberIdentity},
    list_groups::ListedGroup,
    sync_group::{SyncGroupRequest, SyncGroupResponse},
};

/// When something happens, and the luck of it.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// By a clock that never goes back, in ms: timers go by it.
    pub now_ms: u64,
    /// By the wall clock, in ms since 1970: records carry it.
    pub wall_clock_ms: i64,
    /// Unpredictable bits, of which ids of members are made.
    pub random: u128,
}

/// Names a request until it is answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ticket(pub u64);

/// Names an append until it is known what has become of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AppendId(pub u64);

/// Who sends a JoinGroup, and what its version can do.
#[derive(Clone, Debug, Default)]
pub struct Joining {
    /// The client's name for itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// Whether a member must come back with the id that it is given before it counts (KIP-394).
    pub requires_known_member_id: bool,
    /// Whether a leader can be told that it need not assign (KIP-814).
    pub can_skip_assignment: bool,
}

/// An offset that is to be committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewOffset {
    /// The topic's name.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
    /// The offset to go on from.
    pub offset: Offset,
    /// The term of the record before it, -1 if unknown.
    pub leader_epoch: LeaderEpoch,
    /// What the group wants to remember with it.
    pub metadata: String,
}

/// Offsets that are to be committed, and by whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    /// The group's id.
    pub group_id: String,
    /// The generation that the member is part of; -1 for who is no member.
    pub generation_id: i32,
    /// The member's id; empty for who is no member.
    pub member_id: String,
    /// The id that the user gave the member.
    pub group_instance_id: Option<String>,
    /// How long the offsets are to be kept, in ms, if the client says so.
    pub retention_ms: Option<i64>,
    /// The offsets.
    pub offsets: Vec<NewOffset>,
}

/// What clients ask for, one group each.
#[derive(Clone, Debug)]
pub enum Request {
    /// JoinGroup. Answered when the group's next generation begins.
    Join(JoinGroupRequest, Joining),
    /// SyncGroup. Answered when the leader's assignment is durable.
    Sync(SyncGroupRequest),
    /// Heartbeat.
    Heartbeat(HeartbeatRequest),
    /// LeaveGroup: the group's id and who goes.
    Leave(String, Vec<MemberIdentity>),
    /// OffsetCommit. Answered when the offsets are durable.
    Commit(Commit),
    /// OffsetFetch: the group's id and topics with partitions; `None` for all.
    FetchOffsets(String, Option<Vec<(String, Vec<i32>)>>),
    /// OffsetDelete: the group's id and partitions by topic. Answered when that is durable.
    DeleteOffsets(String, Vec<(String, i32)>),
    /// DescribeGroups.
    Describe(String),
    /// DeleteGroups. Answered when that is durable.
    DeleteGroup(String),
}

impl Request {
    /// The group that is meant.
    pub fn group_id(&self) -> &str {
        match self {
            Request::Join(request, _) => &request.group_id,
            Request::Sync(request) => &request.group_id,
            Request::Heartbeat(request) => &request.group_id,
            Request::Commit(commit) => &commit.group_id,
            Request::Leave(group_id, _)
            | Request::FetchOffsets(group_id, _)
            | Request::DeleteOffsets(group_id, _)
            | Request::Describe(group_id)
            | Request::DeleteGroup(group_id) => group_id,
        }
    }
}

/// An offset that was committed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FetchedOffset {
    /// The partition's index.
    pub partition: i32,
    /// The offset to go on from; -1 if none was committed.
    pub offset: Offset,
    /// The term of the record before it, -1 if unknown.
    pub leader_epoch: LeaderEpoch,
    /// What the group remembers with it.
    pub metadata: String,
}

/// The answer to a [`Request`] of the same name.
#[derive(Clone, PartialEq, Debug)]
pub enum Response {
    /// To a join.
    Join(JoinGroupResponse),
    /// To a sync.
    Sync(SyncGroupResponse),
    /// To a heartbeat.
    Heartbeat(ErrorCode),
    /// To a leave.
    Leave(LeaveGroupResponse),
    /// To a commit: offset by offset.
    Commit(Vec<ErrorCode>),
    /// Offsets by topic.
    FetchOffsets(Result<Vec<(String, Vec<FetchedOffset>)>, ErrorCode>),
    /// To a deletion of offsets: partition by partition.
    DeleteOffsets(Result<Vec<ErrorCode>, ErrorCode>),
    /// A group.
    Describe(DescribedGroup),
    /// To the deletion of a group.
    DeleteGroup(ErrorCode),
}

impl Response {
    /// The answer to a request that is refused as a whole.
    pub fn refusal(request: &Request, error_code: ErrorCode) -> Response {
        match request {
            Request::Join(join, _) => Response::Join(join_refusal(&join.member_id, error_code)),
            Request::Sync(_) => Response::Sync(sync_refusal(error_code)),
            Request::Heartbeat(_) => Response::Heartbeat(error_code),
            Request::Leave(..) => Response::Leave(LeaveGroupResponse { error_code, ..Default::default() }),
            Request::Commit(commit) => Response::Commit(vec![error_code; commit.offsets.len()]),
            Request::FetchOffsets(..) => Response::FetchOffsets(Err(error_code)),
            Request::DeleteOffsets(..) => Response::DeleteOffsets(Err(error_code)),
            Request::Describe(group_id) => Response::Describe(DescribedGroup {
                error_code,
                group_id: group_id.clone(),
                ..Default::default()
            }),
            Request::DeleteGroup(_) => Response::DeleteGroup(error_code),
        }
    }
}

/// The answer to a join that does not lead to membership.
pub(super) fn join_refusal(member_id: &str, error_code: ErrorCode) -> JoinGroupResponse {
    JoinGroupResponse { error_code, member_id: member_id.to_owned(), ..Default::default() }
}

/// The answer to a sync that gets no share.
pub(super) fn sync_refusal(error_code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse { error_code, ..Default::default() }
}

/// Which groups are listed: states and types by Kafka's names, all if there are none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ListFilter {
    /// States.
    pub states: Vec<String>,
    /// Types.
    pub types: Vec<String>,
}

/// The groups of a coordinator.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Listing {
    /// The groups.
    pub groups: Vec<ListedGroup>,
    /// Whether some are still being read from the log.
    pub is_partial: bool,
}

/// What the coordinator wants done, in this order.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// A request is answered.
    Reply(Ticket, Response),
    /// Records are to be appended to a partition of `__consumer_offsets`, as one batch. What comes of it is told in
    /// the order of these effects.
    Append {
        /// The append.
        id: AppendId,
        /// The partition.
        partition: i32,
        /// The records.
        records: Vec<GroupRecord>,
    },
    /// A partition that could not be read is to be read again.
    Load {
        /// The partition.
        partition: i32,
    },
}

/// Why records are not in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AppendFailure {
    /// The log does not take so much at once.
    TooLarge,
    /// The log takes nothing now, or it is not known whether it took them.
    Unavailable,
}

/// A copy that does not keep the request's frame alive.
pub(super) fn owned(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
