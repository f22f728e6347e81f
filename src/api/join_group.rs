//! JoinGroup. Waits for the group's next generation.

use crate::coordinator::{Joining, Request, Response};
use crate::protocol::RequestHeader;
use crate::protocol::messages::join_group::JoinGroupRequest;
use crate::shard::Charge;

use super::reply::{Reply, respond};
use super::router::Caller;

/// The first version in which a member comes back with the id that it is given before it counts (KIP-394).
const KNOWN_MEMBER_VERSION: i16 = 4;
/// The first version that can tell a leader that it need not assign (KIP-814).
const SKIP_ASSIGNMENT_VERSION: i16 = 9;

pub(super) async fn handle(
    caller: &Caller,
    header: &RequestHeader,
    request: JoinGroupRequest,
    charge: Option<Charge>,
) -> Reply {
    let joining = Joining {
        client_id: header.client_id.clone().unwrap_or_default(),
        client_host: caller.client_host(),
        requires_known_member_id: header.version >= KNOWN_MEMBER_VERSION,
        can_skip_assignment: header.version >= SKIP_ASSIGNMENT_VERSION,
    };
    match caller.shard.ask_group_charged(Request::Join(request, joining), charge).await {
        Response::Join(response) => respond(header, &response),
        other => unreachable!("an answer of another kind: {other:?}"),
    }
}
