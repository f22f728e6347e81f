//! SyncGroup: the leader hands the assignment in, and every member fetches its share.

use bytes::Bytes;

use crate::protocol::ErrorCode;

api! {
    SyncGroup: SyncGroupRequest => SyncGroupResponse, versions 0..=5, flexible 4..;

    /// Who asks for its share, and all shares if it is the leader.
    pub struct SyncGroupRequest {
        /// The group's id.
        group_id: String [0..],
        /// The generation that the member is part of.
        generation_id: i32 [0..],
        /// The member's id.
        member_id: String [0..],
        /// The id that the user gave the member.
        group_instance_id: Option<String> [3.., null 3..],
        /// The family of protocols that the member believes in.
        protocol_type: Option<String> [5.., null 5..],
        /// The protocol that the member believes in.
        protocol_name: Option<String> [5.., null 5..],
        /// A share for each member, from the leader only.
        assignments: Vec<SyncGroupRequestAssignment> [0..],
    }

    /// A member's share.
    pub struct SyncGroupRequestAssignment {
        /// The member's id.
        member_id: String [0..],
        /// What only members understand.
        assignment: Bytes [0..],
    }

    /// The member's share.
    pub struct SyncGroupResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// Why there is none.
        error_code: ErrorCode [0..],
        /// The family of protocols.
        protocol_type: Option<String> [5.., null 5..],
        /// The protocol that all members speak.
        protocol_name: Option<String> [5.., null 5..],
        /// What only members understand.
        assignment: Bytes [0..],
    }
}
