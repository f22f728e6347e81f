//! InitProducerId: an identity for idempotent producers, new each time. A transactional id is refused as produce
//! refuses it.

use crate::protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::protocol::{ErrorCode, RequestHeader};

use super::reply::{Reply, respond};
use super::router::Caller;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: InitProducerIdRequest) -> Reply {
    let response = match request.transactional_id.as_deref() {
        Some("") => refusal(ErrorCode::InvalidRequest),
        Some(_) => refusal(ErrorCode::TransactionalIdAuthorizationFailed),
        None => match caller.shard.next_producer_id().await {
            Ok(producer_id) => InitProducerIdResponse { producer_id, ..Default::default() },
            Err(error) => {
                tracing::warn!(%error, "no producer ids");
                // Producers come back.
                refusal(ErrorCode::CoordinatorLoadInProgress)
            }
        },
    };
    respond(header, &response)
}

fn refusal(error_code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse { error_code, producer_id: -1, producer_epoch: -1, ..Default::default() }
}
