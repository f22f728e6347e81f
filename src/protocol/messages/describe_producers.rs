//! DescribeProducers: the idempotent and transactional producers that partitions know (KIP-664).

use crate::base::ids::Offset;
use crate::protocol::ErrorCode;

api! {
    DescribeProducers: DescribeProducersRequest => DescribeProducersResponse, versions 0..=0, flexible 0..;

    /// Which partitions are asked about.
    pub struct DescribeProducersRequest {
        /// The topics.
        topics: Vec<TopicRequest> [0..],
    }

    /// A topic that is asked about.
    pub struct TopicRequest {
        /// The topic's name.
        name: String [0..],
        /// The partitions.
        partition_indexes: Vec<i32> [0..],
    }

    /// The producers.
    pub struct DescribeProducersResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// The topics.
        topics: Vec<TopicResponse> [0..],
    }

    /// One topic's producers.
    pub struct TopicResponse {
        /// The topic's name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<PartitionResponse> [0..],
    }

    /// One partition's producers.
    pub struct PartitionResponse {
        /// The partition's index.
        partition_index: i32 [0..],
        /// Why there is no answer.
        error_code: ErrorCode [0..],
        /// The same for people.
        error_message: Option<String> [0.., null 0..],
        /// The producers.
        active_producers: Vec<ProducerState> [0..],
    }

    /// What a partition knows of a producer.
    pub struct ProducerState {
        /// The producer's id.
        producer_id: i64 [0..],
        /// Its epoch.
        producer_epoch: i32 [0..],
        /// The last sequence number that it appended.
        last_sequence: i32 [0..] = -1,
        /// The largest timestamp in its last batch, in ms since 1970.
        last_timestamp: i64 [0..] = -1,
        /// The epoch of its transaction coordinator, -1 without one.
        coordinator_epoch: i32 [0..],
        /// Where its open transaction began, -1 without one.
        current_txn_start_offset: Offset [0..] = -1,
    }
}
