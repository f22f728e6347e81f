//! DescribeTopicPartitions: topics page by page (KIP-966).

use crate::base::ids::{BrokerId, LeaderEpoch, TopicId};
use crate::protocol::ErrorCode;

use super::metadata::OPERATIONS_NOT_REQUESTED;

api! {
    DescribeTopicPartitions: DescribeTopicPartitionsRequest => DescribeTopicPartitionsResponse,
    versions 0..=0, flexible 0..;

    /// Which topics the client asks about.
    pub struct DescribeTopicPartitionsRequest {
        /// The topics; none asks for all.
        topics: Vec<TopicRequest> [0..],
        /// Partitions in the response at most.
        response_partition_limit: i32 [0..] = 2000,
        /// Where to go on; `None` to start.
        cursor: Option<Cursor> [0.., null 0..],
    }

    /// A topic.
    pub struct TopicRequest {
        /// The name.
        name: String [0..],
    }

    /// The first partition of the next page.
    pub struct Cursor {
        /// Its topic.
        topic_name: String [0..],
        /// Its index.
        partition_index: i32 [0..],
    }

    /// One page, in order of the topics' names.
    pub struct DescribeTopicPartitionsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// The topics.
        topics: Vec<DescribeTopicPartitionsResponseTopic> [0..],
        /// Where the next page starts; `None` after the last.
        next_cursor: Option<Cursor> [0.., null 0..],
    }

    /// A topic.
    pub struct DescribeTopicPartitionsResponseTopic {
        /// Why the topic cannot be described.
        error_code: ErrorCode [0..],
        /// The name.
        name: Option<String> [0.., null 0..],
        /// The id; [`TopicId::ZERO`] only for a name that does not exist.
        topic_id: TopicId [0..],
        /// Whether the broker keeps the topic for itself.
        is_internal: bool [0..],
        /// The partitions that are on this page.
        partitions: Vec<DescribeTopicPartitionsResponsePartition> [0..],
        /// Bits of the operations on the topic that the client may perform.
        topic_authorized_operations: i32 [0..] = OPERATIONS_NOT_REQUESTED,
    }

    /// A partition.
    pub struct DescribeTopicPartitionsResponsePartition {
        /// What is wrong with the partition.
        error_code: ErrorCode [0..],
        /// The partition's index.
        partition_index: i32 [0..],
        /// The leader, -1 if there is none.
        leader_id: BrokerId [0..],
        /// The leader's epoch.
        leader_epoch: LeaderEpoch [0..] = -1,
        /// All replicas.
        replica_nodes: Vec<BrokerId> [0..],
        /// The replicas in sync.
        isr_nodes: Vec<BrokerId> [0..],
        /// Replicas that may lead although they are not in sync.
        eligible_leader_replicas: Option<Vec<BrokerId>> [0.., null 0..],
        /// The last of those that were known.
        last_known_elr: Option<Vec<BrokerId>> [0.., null 0..],
        /// The replicas that are offline.
        offline_replicas: Vec<BrokerId> [0..],
    }
}

nullable_struct! { Cursor }
