//! DescribeAcls, CreateAcls and DeleteAcls. Nobody checks access yet, and all three say so with the error that Kafka has
//! for a broker without an authorizer.

use crate::protocol::messages::create_acls::{AclCreationResult, CreateAclsRequest, CreateAclsResponse};
use crate::protocol::messages::delete_acls::{DeleteAclsFilterResult, DeleteAclsRequest, DeleteAclsResponse};
use crate::protocol::messages::describe_acls::DescribeAclsResponse;
use crate::protocol::{ErrorCode, RequestHeader};

use super::reply::{Reply, respond, respond_charged, set_aside};
use super::router::Caller;

const DISABLED: &str = "No authorizer is configured: access control lists are not supported yet.";

/// About the bytes of one refusal while the response is put together.
const REFUSAL_BYTES: u64 = 256;

pub(super) fn describe(header: &RequestHeader) -> Reply {
    let (error_code, error_message) = (ErrorCode::SecurityDisabled, Some(DISABLED.to_owned()));
    respond(header, &DescribeAclsResponse { error_code, error_message, ..Default::default() })
}

pub(super) async fn create(caller: &Caller, header: &RequestHeader, request: CreateAclsRequest) -> Reply {
    let charge = set_aside(&caller.shard, request.creations.len() as u64 * REFUSAL_BYTES).await;
    let refused = |_| AclCreationResult {
        error_code: ErrorCode::SecurityDisabled,
        error_message: Some(DISABLED.to_owned()),
    };
    let results = request.creations.iter().map(refused).collect();
    respond_charged(header, &CreateAclsResponse { throttle_time_ms: 0, results }, charge)
}

pub(super) async fn delete(caller: &Caller, header: &RequestHeader, request: DeleteAclsRequest) -> Reply {
    let charge = set_aside(&caller.shard, request.filters.len() as u64 * REFUSAL_BYTES).await;
    let refused = |_| DeleteAclsFilterResult {
        error_code: ErrorCode::SecurityDisabled,
        error_message: Some(DISABLED.to_owned()),
        matching_acls: Vec::new(),
    };
    let filter_results = request.filters.iter().map(refused).collect();
    respond_charged(header, &DeleteAclsResponse { throttle_time_ms: 0, filter_results }, charge)
}
