//! ListGroups: the groups that a broker coordinates.

use crate::protocol::ErrorCode;

api! {
    ListGroups: ListGroupsRequest => ListGroupsResponse, versions 0..=5, flexible 3..;

    /// Which groups are asked for.
    pub struct ListGroupsRequest {
        /// States by Kafka's names; none for all (KIP-518).
        states_filter: Vec<String> [4..],
        /// Types by Kafka's names; none for all (KIP-848).
        types_filter: Vec<String> [5..],
    }

    /// The groups.
    pub struct ListGroupsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// Why some may be missing.
        error_code: ErrorCode [0..],
        /// The groups.
        groups: Vec<ListedGroup> [0..],
    }

    /// A group.
    pub struct ListedGroup {
        /// Its id.
        group_id: String [0..],
        /// The family of protocols.
        protocol_type: String [0..],
        /// Its state, by Kafka's name.
        group_state: String [4..],
        /// Its type, by Kafka's name.
        group_type: String [5..],
    }
}
