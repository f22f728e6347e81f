//! DescribeGroups: groups with their members.

use bytes::Bytes;

use crate::protocol::ErrorCode;

api! {
    DescribeGroups: DescribeGroupsRequest => DescribeGroupsResponse, versions 0..=6, flexible 5..;

    /// Which groups are asked about.
    pub struct DescribeGroupsRequest {
        /// Their ids.
        groups: Vec<String> [0..],
        /// Whether the client wants to know what it may do with them.
        include_authorized_operations: bool [3..],
    }

    /// The groups.
    pub struct DescribeGroupsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// One for each that was asked for.
        groups: Vec<DescribedGroup> [0..],
    }

    /// A group.
    pub struct DescribedGroup {
        /// Why it is not described.
        error_code: ErrorCode [0..],
        /// The same for people.
        error_message: Option<String> [6.., null 6..],
        /// The group's id.
        group_id: String [0..],
        /// Its state, by Kafka's name.
        group_state: String [0..],
        /// The family of protocols.
        protocol_type: String [0..],
        /// The protocol that all members speak.
        protocol_data: String [0..],
        /// The members.
        members: Vec<DescribedGroupMember> [0..],
        /// What the client may do with the group, as a bit field.
        authorized_operations: i32 [3..] = i32::MIN,
    }

    /// A member.
    pub struct DescribedGroupMember {
        /// Its id.
        member_id: String [0..],
        /// The id that the user gave it.
        group_instance_id: Option<String> [4.., null 4..],
        /// The client's name for itself.
        client_id: String [0..],
        /// Where it connects from.
        client_host: String [0..],
        /// Its metadata for the protocol.
        member_metadata: Bytes [0..],
        /// Its share.
        member_assignment: Bytes [0..],
    }
}
