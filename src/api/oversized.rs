//! Requests that memory does not hold and that have an error for it: members learn why they are refused, where a closed
//! connection would have them try for ever.

use crate::protocol::messages::{join_group::JoinGroupResponse, sync_group::SyncGroupResponse};
use crate::protocol::{ApiKey, ErrorCode, RequestHeader};

use super::reply::{Reply, respond};

/// Answers as the coordinator does where what members send exceeds the memory for groups.
pub(super) fn refuse(header: &RequestHeader) -> Reply {
    match header.api.key {
        ApiKey::JoinGroup => {
            let error_code = ErrorCode::GroupMaxSizeReached;
            respond(header, &JoinGroupResponse { error_code, ..Default::default() })
        }
        ApiKey::SyncGroup => {
            let error_code = ErrorCode::UnknownServerError;
            respond(header, &SyncGroupResponse { error_code, ..Default::default() })
        }
        other => unreachable!("{other:?} is not refused by name"),
    }
}
