//! ListGroups: those that this broker coordinates. Tools ask every broker.

use crate::coordinator::ListFilter;
use crate::protocol::messages::list_groups::{ListGroupsRequest, ListGroupsResponse};
use crate::protocol::{ErrorCode, RequestHeader};

use super::reply::{Reply, respond};
use super::router::Caller;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: ListGroupsRequest) -> Reply {
    let filter = ListFilter { states: request.states_filter, types: request.types_filter };
    let listing = caller.shard.list_groups(&filter).await;
    let error_code = if listing.is_partial { ErrorCode::CoordinatorLoadInProgress } else { ErrorCode::None };
    respond(header, &ListGroupsResponse { throttle_time_ms: 0, error_code, groups: listing.groups })
}
