//! SyncGroup. Waits until the leader's assignment is durable.

use crate::coordinator::{Request, Response};
use crate::protocol::RequestHeader;
use crate::protocol::messages::sync_group::SyncGroupRequest;
use crate::shard::Charge;

use super::reply::{Reply, respond};
use super::router::Caller;

pub(super) async fn handle(
    caller: &Caller,
    header: &RequestHeader,
    request: SyncGroupRequest,
    charge: Option<Charge>,
) -> Reply {
    match caller.shard.ask_group_charged(Request::Sync(request), charge).await {
        Response::Sync(response) => respond(header, &response),
        other => unreachable!("an answer of another kind: {other:?}"),
    }
}
