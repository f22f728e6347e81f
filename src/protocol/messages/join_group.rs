//! JoinGroup: a member asks to be part of the group's next generation.

use bytes::Bytes;

use crate::protocol::ErrorCode;

api! {
    JoinGroup: JoinGroupRequest => JoinGroupResponse, versions 0..=9, flexible 6..;

    /// Who wants to join, and what it can speak.
    pub struct JoinGroupRequest {
        /// The group's id.
        group_id: String [0..],
        /// Silence after which the member counts as gone, in ms.
        session_timeout_ms: i32 [0..],
        /// How long the coordinator waits for the member when the group rebalances, in ms; -1 for the session
        /// timeout.
        rebalance_timeout_ms: i32 [1..] = -1,
        /// The member's id; empty if it has none yet.
        member_id: String [0..],
        /// The id that the user gave the member, if it is a static one (KIP-345).
        group_instance_id: Option<String> [5.., null 5..],
        /// The family of protocols, such as `consumer`.
        protocol_type: String [0..],
        /// The protocols that the member speaks, the preferred one first.
        protocols: Vec<JoinGroupRequestProtocol> [0..],
        /// Why the member joins, for people (KIP-800).
        reason: Option<String> [8.., null 8..],
    }

    /// A protocol, which for consumers is an assignor.
    pub struct JoinGroupRequestProtocol {
        /// Its name.
        name: String [0..],
        /// What the leader is to know of the member, such as its subscription.
        metadata: Bytes [0..],
    }

    /// The generation that the member is part of.
    pub struct JoinGroupResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [2..],
        /// Why the member is not part of a generation.
        error_code: ErrorCode [0..],
        /// The generation.
        generation_id: i32 [0..] = -1,
        /// The family of protocols.
        protocol_type: Option<String> [7.., null 7..],
        /// The protocol that all members speak.
        protocol_name: Option<String> [0.., null 7..],
        /// The member that assigns.
        leader: String [0..],
        /// Whether the leader need not assign, because nothing has changed (KIP-814).
        skip_assignment: bool [9..],
        /// The member's id.
        member_id: String [0..],
        /// All members, if this one is the leader.
        members: Vec<JoinGroupResponseMember> [0..],
    }

    /// A member as the leader sees it.
    pub struct JoinGroupResponseMember {
        /// Its id.
        member_id: String [0..],
        /// The id that the user gave it.
        group_instance_id: Option<String> [5.., null 5..],
        /// Its metadata for the protocol.
        metadata: Bytes [0..],
    }
}
