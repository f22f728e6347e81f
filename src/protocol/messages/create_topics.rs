//! CreateTopics.

use crate::base::ids::{BrokerId, TopicId};
use crate::protocol::ErrorCode;

api! {
    CreateTopics: CreateTopicsRequest => CreateTopicsResponse, versions 2..=7, flexible 5..;

    /// Topics to create.
    pub struct CreateTopicsRequest {
        /// The topics.
        topics: Vec<CreatableTopic> [2..],
        /// How long to wait until they exist.
        timeout_ms: i32 [2..] = 60_000,
        /// Whether to check only, and create nothing.
        validate_only: bool [2..],
    }

    /// A topic to create.
    pub struct CreatableTopic {
        /// The name.
        name: String [2..],
        /// The number of partitions; -1 for the broker's default, or with `assignments`.
        num_partitions: i32 [2..],
        /// The number of replicas of each partition; -1 for the broker's default, or with `assignments`.
        replication_factor: i16 [2..],
        /// Where the partitions go; empty to leave that to the broker.
        assignments: Vec<CreatableReplicaAssignment> [2..],
        /// The topic's configuration.
        configs: Vec<CreatableTopicConfig> [2..],
    }

    /// Where one partition goes.
    pub struct CreatableReplicaAssignment {
        /// The partition's index.
        partition_index: i32 [2..],
        /// The brokers.
        broker_ids: Vec<BrokerId> [2..],
    }

    /// A configuration entry to set.
    pub struct CreatableTopicConfig {
        /// The key.
        name: String [2..],
        /// The value.
        value: Option<String> [2.., null 2..],
    }

    /// What was created.
    pub struct CreateTopicsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [2..],
        /// The topics.
        topics: Vec<CreatableTopicResult> [2..],
    }

    /// The outcome for one topic.
    pub struct CreatableTopicResult {
        /// The name.
        name: String [2..],
        /// The id.
        topic_id: TopicId [7..],
        /// Why the topic was not created.
        error_code: ErrorCode [2..],
        /// What is wrong, for people.
        error_message: Option<String> [2.., null 2..],
        /// Why `configs` is missing.
        topic_config_error_code: ErrorCode [5.., tag 0],
        /// The number of partitions.
        num_partitions: i32 [5..] = -1,
        /// The number of replicas of each partition.
        replication_factor: i16 [5..] = -1,
        /// The effective configuration.
        configs: Option<Vec<CreatableTopicConfigs>> [5.., null 5..],
    }

    /// A configuration entry.
    pub struct CreatableTopicConfigs {
        /// The key.
        name: String [5..],
        /// The value.
        value: Option<String> [5.., null 5..],
        /// Whether it cannot be changed.
        read_only: bool [5..],
        /// Where the value comes from, see [`ConfigSource`](super::describe_configs::ConfigSource). Never leave
        /// the default: some clients do not survive it.
        config_source: i8 [5..] = -1,
        /// Whether the value is kept secret.
        is_sensitive: bool [5..],
    }
}
