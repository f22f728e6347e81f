//! Heartbeat: a member says that it lives, and hears whether its group rebalances.

use crate::protocol::ErrorCode;

api! {
    Heartbeat: HeartbeatRequest => HeartbeatResponse, versions 0..=4, flexible 4..;

    /// Who lives.
    pub struct HeartbeatRequest {
        /// The group's id.
        group_id: String [0..],
        /// The generation that the member is part of.
        generation_id: i32 [0..],
        /// The member's id.
        member_id: String [0..],
        /// The id that the user gave the member.
        group_instance_id: Option<String> [3.., null 3..],
    }

    /// Whether all is as it was.
    pub struct HeartbeatResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// What the member has to do something about.
        error_code: ErrorCode [0..],
    }
}
