//! CreatePartitions.

use crate::base::ids::BrokerId;
use crate::protocol::ErrorCode;

api! {
    CreatePartitions: CreatePartitionsRequest => CreatePartitionsResponse, versions 0..=3, flexible 2..;

    /// Topics that are to have more partitions.
    pub struct CreatePartitionsRequest {
        /// The topics.
        topics: Vec<CreatePartitionsTopic> [0..],
        /// How long to wait until the partitions exist.
        timeout_ms: i32 [0..],
        /// Whether to check only, and create nothing.
        validate_only: bool [0..],
    }

    /// A topic that is to have more partitions.
    pub struct CreatePartitionsTopic {
        /// The name.
        name: String [0..],
        /// The number of partitions that it is to have in all.
        count: i32 [0..],
        /// Where the new partitions go, in order of their indexes; `None` to leave that to the broker.
        assignments: Option<Vec<CreatePartitionsAssignment>> [0.., null 0..],
    }

    /// Where one partition goes.
    pub struct CreatePartitionsAssignment {
        /// The brokers.
        broker_ids: Vec<BrokerId> [0..],
    }

    /// What was created.
    pub struct CreatePartitionsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// The topics.
        results: Vec<CreatePartitionsTopicResult> [0..],
    }

    /// The outcome for one topic.
    pub struct CreatePartitionsTopicResult {
        /// The name.
        name: String [0..],
        /// Why nothing was created.
        error_code: ErrorCode [0..],
        /// What is wrong, for people.
        error_message: Option<String> [0.., null 0..],
    }
}
