//! DescribeClientQuotas and AlterClientQuotas. There are no quotas yet: none is found, removing one changes nothing, and
//! setting one is refused.

use crate::protocol::messages::alter_client_quotas::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, EntryData, EntryResponse,
};
use crate::protocol::messages::describe_client_quotas::DescribeClientQuotasResponse;
use crate::protocol::{ErrorCode, RequestHeader};

use super::reply::{Reply, respond, respond_charged, set_aside};
use super::router::Caller;

const NOT_SUPPORTED: &str = "Quotas are not supported yet.";

/// About the bytes of one answer while the response is put together, besides what it repeats of the request.
const ANSWER_BYTES: u64 = 192;

pub(super) fn describe(header: &RequestHeader) -> Reply {
    respond(header, &DescribeClientQuotasResponse::default())
}

pub(super) async fn alter(
    caller: &Caller,
    header: &RequestHeader,
    request: AlterClientQuotasRequest,
) -> Reply {
    let charge = set_aside(&caller.shard, request.entries.len() as u64 * ANSWER_BYTES).await;
    let entries = request.entries.into_iter().map(altered).collect();
    respond_charged(header, &AlterClientQuotasResponse { throttle_time_ms: 0, entries }, charge)
}

fn altered(entry: EntryData) -> EntryResponse {
    let (error_code, error_message) = match entry.ops.iter().all(|op| op.remove) {
        true => (ErrorCode::None, None),
        // The code of Kafka for what the cluster's version cannot do.
        false => (ErrorCode::UnsupportedVersion, Some(NOT_SUPPORTED.to_owned())),
    };
    EntryResponse { error_code, error_message, entity: entry.entity }
}
