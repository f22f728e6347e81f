//! ListPartitionReassignments: partitions that are getting other replicas (KIP-455).

use crate::base::ids::BrokerId;
use crate::protocol::ErrorCode;

/// How long to wait where the client does not say, in ms.
const DEFAULT_TIMEOUT_MS: i32 = 60_000;

api! {
    ListPartitionReassignments: ListPartitionReassignmentsRequest => ListPartitionReassignmentsResponse,
    versions 0..=0, flexible 0..;

    /// Which partitions are asked about.
    pub struct ListPartitionReassignmentsRequest {
        /// How long to wait for the answer.
        timeout_ms: i32 [0..] = DEFAULT_TIMEOUT_MS,
        /// The topics; `None` for all.
        topics: Option<Vec<ListPartitionReassignmentsTopics>> [0.., null 0..],
    }

    /// A topic that is asked about.
    pub struct ListPartitionReassignmentsTopics {
        /// The topic's name.
        name: String [0..],
        /// The partitions.
        partition_indexes: Vec<i32> [0..],
    }

    /// What is under way.
    pub struct ListPartitionReassignmentsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// Why there is no answer.
        error_code: ErrorCode [0..],
        /// The same for people.
        error_message: Option<String> [0.., null 0..],
        /// The topics.
        topics: Vec<OngoingTopicReassignment> [0..],
    }

    /// What is under way in one topic.
    pub struct OngoingTopicReassignment {
        /// The topic's name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<OngoingPartitionReassignment> [0..],
    }

    /// What is under way for one partition.
    pub struct OngoingPartitionReassignment {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The brokers that have it now.
        replicas: Vec<BrokerId> [0..],
        /// Those that are getting it.
        adding_replicas: Vec<BrokerId> [0..],
        /// Those that will not have it any more.
        removing_replicas: Vec<BrokerId> [0..],
    }
}
