//! LeaveGroup.

use crate::coordinator::{Request, Response};
use crate::protocol::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity};
use crate::protocol::{ErrorCode, RequestHeader};

use super::reply::{Reply, respond};
use super::router::Caller;

/// The first version in which several members may leave at once (KIP-345).
const MANY_VERSION: i16 = 3;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: LeaveGroupRequest) -> Reply {
    let LeaveGroupRequest { group_id, member_id, members } = request;
    let is_one = header.version < MANY_VERSION;
    let members = match is_one {
        true => vec![MemberIdentity { member_id, ..Default::default() }],
        false => members,
    };
    let mut response = match caller.shard.ask_group(Request::Leave(group_id, members)).await {
        Response::Leave(response) => response,
        other => unreachable!("an answer of another kind: {other:?}"),
    };
    if is_one && response.error_code == ErrorCode::None {
        let error_code = response.members.first().map_or(ErrorCode::None, |member| member.error_code);
        response = LeaveGroupResponse { error_code, ..Default::default() };
    }
    respond(header, &response)
}
