//! LeaveGroup: members go, or are removed.

use crate::protocol::ErrorCode;

api! {
    LeaveGroup: LeaveGroupRequest => LeaveGroupResponse, versions 0..=5, flexible 4..;

    /// Who goes. Before version 3 it is one member, then any number.
    pub struct LeaveGroupRequest {
        /// The group's id.
        group_id: String [0..],
        /// The member's id.
        member_id: String [0..=2],
        /// The members.
        members: Vec<MemberIdentity> [3..],
    }

    /// A member that goes.
    pub struct MemberIdentity {
        /// Its id; empty if a static member is removed by the id that the user gave it.
        member_id: String [3..],
        /// The id that the user gave it.
        group_instance_id: Option<String> [3.., null 3..],
        /// Why it goes, for people (KIP-800).
        reason: Option<String> [5.., null 5..],
    }

    /// Who is gone.
    pub struct LeaveGroupResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// Why nobody is.
        error_code: ErrorCode [0..],
        /// The members.
        members: Vec<MemberResponse> [3..],
    }

    /// What became of one member.
    pub struct MemberResponse {
        /// Its id.
        member_id: String [3..],
        /// The id that the user gave it.
        group_instance_id: Option<String> [3.., null 3..],
        /// Why it is not gone.
        error_code: ErrorCode [3..],
    }
}
