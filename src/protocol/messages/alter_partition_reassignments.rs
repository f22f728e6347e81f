//! AlterPartitionReassignments: partitions get other replicas (KIP-455, KIP-860).

use crate::base::ids::BrokerId;
use crate::protocol::ErrorCode;

/// How long to wait where the client does not say, in ms.
const DEFAULT_TIMEOUT_MS: i32 = 60_000;

api! {
    AlterPartitionReassignments: AlterPartitionReassignmentsRequest => AlterPartitionReassignmentsResponse,
    versions 0..=1, flexible 0..;

    /// What goes where.
    pub struct AlterPartitionReassignmentsRequest {
        /// How long to wait until it has begun.
        timeout_ms: i32 [0..] = DEFAULT_TIMEOUT_MS,
        /// Whether a partition may get more replicas, or fewer (KIP-860).
        allow_replication_factor_change: bool [1..] = true,
        /// The topics.
        topics: Vec<ReassignableTopic> [0..],
    }

    /// A topic of which partitions get other replicas.
    pub struct ReassignableTopic {
        /// The topic's name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<ReassignablePartition> [0..],
    }

    /// A partition that gets other replicas.
    pub struct ReassignablePartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The brokers; `None` ends a reassignment that is under way.
        replicas: Option<Vec<BrokerId>> [0.., null 0..],
    }

    /// What came of it.
    pub struct AlterPartitionReassignmentsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// What the request said of the number of replicas.
        allow_replication_factor_change: bool [1..] = true,
        /// An error of the whole request.
        error_code: ErrorCode [0..],
        /// The same for people.
        error_message: Option<String> [0.., null 0..],
        /// The topics.
        responses: Vec<ReassignableTopicResponse> [0..],
    }

    /// What came of it for one topic.
    pub struct ReassignableTopicResponse {
        /// The topic's name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<ReassignablePartitionResponse> [0..],
    }

    /// What came of it for one partition.
    pub struct ReassignablePartitionResponse {
        /// The partition's index.
        partition_index: i32 [0..],
        /// Why it stays as it is.
        error_code: ErrorCode [0..],
        /// The same for people.
        error_message: Option<String> [0.., null 0..],
    }
}
