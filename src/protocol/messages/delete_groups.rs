//! DeleteGroups: groups without members are forgotten with their offsets.

use crate::protocol::ErrorCode;

api! {
    DeleteGroups: DeleteGroupsRequest => DeleteGroupsResponse, versions 0..=2, flexible 2..;

    /// Which groups to forget.
    pub struct DeleteGroupsRequest {
        /// Their ids.
        groups_names: Vec<String> [0..],
    }

    /// What became of the groups.
    pub struct DeleteGroupsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// One for each.
        results: Vec<DeletableGroupResult> [0..],
    }

    /// What became of one group.
    pub struct DeletableGroupResult {
        /// Its id.
        group_id: String [0..],
        /// Why it is not forgotten.
        error_code: ErrorCode [0..],
    }
}
