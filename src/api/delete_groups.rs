//! DeleteGroups. Waits until that is durable.

use crate::coordinator::{Request, Response};
use crate::protocol::RequestHeader;
use crate::protocol::messages::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};

use super::reply::{Reply, respond};
use super::router::Caller;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: DeleteGroupsRequest) -> Reply {
    let mut results = Vec::with_capacity(request.groups_names.len());
    for group_id in request.groups_names {
        let error_code = match caller.shard.ask_group(Request::DeleteGroup(group_id.clone())).await {
            Response::DeleteGroup(error_code) => error_code,
            other => unreachable!("an answer of another kind: {other:?}"),
        };
        results.push(DeletableGroupResult { group_id, error_code });
    }
    respond(header, &DeleteGroupsResponse { throttle_time_ms: 0, results })
}
