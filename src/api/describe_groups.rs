//! DescribeGroups.

use std::collections::HashSet;

use crate::coordinator::{Request, Response};
use crate::protocol::messages::describe_groups::{DescribeGroupsRequest, DescribeGroupsResponse};
use crate::protocol::{ErrorCode, RequestHeader};

use super::operations::on_group;
use super::reply::{Reply, respond};
use super::router::Caller;

/// The first version in which a group that does not exist is an error (KIP-1043), not a dead group.
const UNKNOWN_GROUP_VERSION: i16 = 6;
const DEAD: &str = "Dead";

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: DescribeGroupsRequest) -> Reply {
    let operations = on_group(request.include_authorized_operations);
    let mut groups = Vec::with_capacity(request.groups.len());
    // A response must not be longer than the groups because one is named again and again.
    let mut seen = HashSet::new();
    for group_id in request.groups.into_iter().filter(|group_id| seen.insert(group_id.clone())) {
        let mut group = match caller.shard.ask_group(Request::Describe(group_id)).await {
            Response::Describe(group) => group,
            other => unreachable!("an answer of another kind: {other:?}"),
        };
        if group.error_code == ErrorCode::None {
            group.authorized_operations = operations;
            if header.version >= UNKNOWN_GROUP_VERSION && group.group_state == DEAD {
                group.error_code = ErrorCode::GroupIdNotFound;
                group.error_message = Some(format!("Group {} not found.", group.group_id));
            }
        }
        groups.push(group);
    }
    respond(header, &DescribeGroupsResponse { throttle_time_ms: 0, groups })
}
