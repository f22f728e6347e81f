//! FindCoordinator: the broker that keeps a group, or the transactions of a transactional id.

use crate::base::ids::BrokerId;
use crate::protocol::ErrorCode;

api! {
    FindCoordinator: FindCoordinatorRequest => FindCoordinatorResponse, versions 0..=6, flexible 3..;

    /// Whose coordinator is asked for. Before version 4 it is one key, then any number (KIP-699).
    pub struct FindCoordinatorRequest {
        /// The group or transactional id.
        key: String [0..=3],
        /// What the keys are: 0 groups, 1 transactional ids, 2 share groups.
        key_type: i8 [1..],
        /// The groups or transactional ids.
        coordinator_keys: Vec<String> [4..],
    }

    /// The coordinator, or one for each key.
    pub struct FindCoordinatorResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// Why there is none.
        error_code: ErrorCode [0..=3],
        /// What is wrong, for people.
        error_message: Option<String> [1..=3, null 1..=3] = Some(String::new()),
        /// The coordinator's id.
        node_id: BrokerId [0..=3],
        /// The coordinator's host.
        host: String [0..=3],
        /// The coordinator's port.
        port: i32 [0..=3],
        /// One for each key.
        coordinators: Vec<Coordinator> [4..],
    }

    /// The coordinator of a key.
    pub struct Coordinator {
        /// The group or transactional id.
        key: String [4..],
        /// The coordinator's id.
        node_id: BrokerId [4..],
        /// The coordinator's host.
        host: String [4..],
        /// The coordinator's port.
        port: i32 [4..],
        /// Why there is none.
        error_code: ErrorCode [4..],
        /// What is wrong, for people.
        error_message: Option<String> [4.., null 4..],
    }
}
