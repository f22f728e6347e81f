//! Heartbeat.

use crate::coordinator::{Request, Response};
use crate::protocol::RequestHeader;
use crate::protocol::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};

use super::reply::{Reply, respond};
use super::router::Caller;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: HeartbeatRequest) -> Reply {
    match caller.shard.ask_group(Request::Heartbeat(request)).await {
        Response::Heartbeat(error_code) => {
            respond(header, &HeartbeatResponse { throttle_time_ms: 0, error_code })
        }
        other => unreachable!("an answer of another kind: {other:?}"),
    }
}
