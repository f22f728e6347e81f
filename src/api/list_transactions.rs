//! ListTransactions: there are none, since transactional producers are refused.

use crate::protocol::RequestHeader;
use crate::protocol::messages::list_transactions::{ListTransactionsRequest, ListTransactionsResponse};

use super::reply::{Reply, respond};

/// The states of transactions that Kafka knows; who filters by another is told.
const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

pub(super) fn handle(header: &RequestHeader, request: ListTransactionsRequest) -> Reply {
    let mut unknown_state_filters = request.state_filters;
    unknown_state_filters.retain(|state| !STATES.contains(&state.as_str()));
    respond(header, &ListTransactionsResponse { unknown_state_filters, ..Default::default() })
}
