//! ApiVersions: what this broker speaks.

use crate::protocol::messages::SERVED;
use crate::protocol::messages::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse};
use crate::protocol::{Api, ErrorCode, Message, RequestHeader};

use super::reply::{Reply, respond};

pub(super) fn handle(header: &RequestHeader) -> Reply {
    let api_keys = SERVED.iter().map(advertised).collect();
    respond(header, &ApiVersionsResponse { api_keys, ..Default::default() })
}

/// Answers a version that is not known yet with a body of version 0, which every client can read, and with the
/// versions that it should try instead (KIP-511).
pub(super) fn refuse(header: &RequestHeader) -> Reply {
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion,
        api_keys: vec![advertised(&ApiVersionsRequest::API)],
        ..Default::default()
    };
    respond(&RequestHeader { version: 0, ..header.clone() }, &response)
}

fn advertised(api: &Api) -> ApiVersion {
    ApiVersion { api_key: api.key as i16, min_version: api.versions.min, max_version: api.versions.max }
}
