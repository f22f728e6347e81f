//! FindCoordinator: there is none, as there are neither groups nor transactions yet. Served all the same, because
//! librdkafka takes a broker without it for one that is too old for LZ4, and then compresses nothing.

use crate::base::limits::COORDINATOR_KEYS_MAX;
use crate::protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::reply::{Reply, respond};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE_GROUP: i8 = 2;

/// Kafka's id and port for a broker that there is not.
const NOBODY: i32 = -1;

pub(super) fn handle(header: &RequestHeader, request: FindCoordinatorRequest) -> Reply {
    let error_code = refusal(request.key_type);
    let keys = request.coordinator_keys.into_iter().take(COORDINATOR_KEYS_MAX);
    let coordinators =
        keys.map(|key| Coordinator { key, node_id: NOBODY, port: NOBODY, error_code, ..Default::default() });
    let response = FindCoordinatorResponse {
        error_code,
        node_id: NOBODY,
        port: NOBODY,
        coordinators: coordinators.collect(),
        ..Default::default()
    };
    respond(header, &response)
}

/// Consumers with a group id but partitions of their own ask for a coordinator too, and read while they wait: they
/// are told to ask again. Producers with a transactional id are refused for good, as InitProducerId refuses them.
fn refusal(key_type: i8) -> ErrorCode {
    match key_type {
        GROUP | SHARE_GROUP => ErrorCode::CoordinatorNotAvailable,
        TRANSACTION => ErrorCode::TransactionalIdAuthorizationFailed,
        _ => ErrorCode::InvalidRequest,
    }
}
