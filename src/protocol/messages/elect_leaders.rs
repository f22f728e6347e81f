//! ElectLeaders: partitions get the leader that they should have (KIP-183, KIP-460).

use crate::protocol::ErrorCode;

/// How long to wait where the client does not say, in ms.
const DEFAULT_TIMEOUT_MS: i32 = 60_000;

api! {
    ElectLeaders: ElectLeadersRequest => ElectLeadersResponse, versions 0..=2, flexible 2..;

    /// Which partitions.
    pub struct ElectLeadersRequest {
        /// 0 for the preferred replica, 1 for any that lives.
        election_type: i8 [1..],
        /// The partitions by topic; `None` for all.
        topic_partitions: Option<Vec<TopicPartitions>> [0.., null 0..] = Some(Vec::new()),
        /// How long to wait until it is done.
        timeout_ms: i32 [0..] = DEFAULT_TIMEOUT_MS,
    }

    /// One topic's partitions.
    pub struct TopicPartitions {
        /// The topic's name.
        topic: String [0..],
        /// The partitions.
        partitions: Vec<i32> [0..],
    }

    /// What came of it.
    pub struct ElectLeadersResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// An error of the whole request.
        error_code: ErrorCode [1..],
        /// The topics.
        replica_election_results: Vec<ReplicaElectionResult> [0..],
    }

    /// What came of it for one topic.
    pub struct ReplicaElectionResult {
        /// The topic's name.
        topic: String [0..],
        /// The partitions.
        partition_result: Vec<PartitionResult> [0..],
    }

    /// What came of it for one partition.
    pub struct PartitionResult {
        /// The partition's index.
        partition_id: i32 [0..],
        /// Why its leader is the same as before.
        error_code: ErrorCode [0..],
        /// The same for people.
        error_message: Option<String> [0.., null 0..],
    }
}
