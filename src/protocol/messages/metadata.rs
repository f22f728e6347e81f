//! Metadata: the brokers, and who leads which partition.

use crate::base::ids::{BrokerId, LeaderEpoch, TopicId};
use crate::protocol::ErrorCode;

/// A set of authorized operations that was not asked for.
pub const OPERATIONS_NOT_REQUESTED: i32 = i32::MIN;

api! {
    Metadata: MetadataRequest => MetadataResponse, versions 0..=13, flexible 9..;

    /// Which topics the client asks about.
    pub struct MetadataRequest {
        /// `None` asks for all topics, an empty list for none. Version 0 knows no null: there an empty list asks
        /// for all.
        topics: Option<Vec<MetadataRequestTopic>> [0.., null 1..],
        /// Whether topics that do not exist may be created, if the broker allows it too.
        allow_auto_topic_creation: bool [4..] = true,
        /// Whether the operations on the cluster that the client may perform are asked for.
        include_cluster_authorized_operations: bool [8..=10],
        /// Whether the operations on each topic that the client may perform are asked for.
        include_topic_authorized_operations: bool [8..],
    }

    /// A topic by name or, from version 12, by id.
    pub struct MetadataRequestTopic {
        /// The topic's id, or [`TopicId::ZERO`] if asked by name.
        topic_id: TopicId [10..],
        /// The topic's name, or `None` if asked by id.
        name: Option<String> [0.., null 10..],
    }

    /// The cluster as the broker knows it.
    pub struct MetadataResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [3..],
        /// The brokers that live.
        brokers: Vec<MetadataResponseBroker> [0..],
        /// The cluster's id.
        cluster_id: Option<String> [2.., null 2..],
        /// The broker to send administrative requests to, -1 if unknown.
        controller_id: BrokerId [1..] = -1,
        /// The topics asked for.
        topics: Vec<MetadataResponseTopic> [0..],
        /// Bits of the operations on the cluster that the client may perform.
        cluster_authorized_operations: i32 [8..=10] = OPERATIONS_NOT_REQUESTED,
        /// An error of the whole request (KIP-1102).
        error_code: ErrorCode [13..],
    }

    /// A broker and where to reach it.
    pub struct MetadataResponseBroker {
        /// The broker's id.
        node_id: BrokerId [0..],
        /// The advertised host.
        host: String [0..],
        /// The advertised port.
        port: i32 [0..],
        /// The broker's rack.
        rack: Option<String> [1.., null 1..],
    }

    /// A topic.
    pub struct MetadataResponseTopic {
        /// Why the topic cannot be described.
        error_code: ErrorCode [0..],
        /// The name; `None` only for an id that does not exist.
        name: Option<String> [0.., null 12..],
        /// The id; [`TopicId::ZERO`] only for a name that does not exist.
        topic_id: TopicId [10..],
        /// Whether the broker keeps the topic for itself.
        is_internal: bool [1..],
        /// All partitions.
        partitions: Vec<MetadataResponsePartition> [0..],
        /// Bits of the operations on the topic that the client may perform.
        topic_authorized_operations: i32 [8..] = OPERATIONS_NOT_REQUESTED,
    }

    /// A partition.
    pub struct MetadataResponsePartition {
        /// What is wrong with the partition.
        error_code: ErrorCode [0..],
        /// The partition's index.
        partition_index: i32 [0..],
        /// The leader, -1 if there is none.
        leader_id: BrokerId [0..],
        /// The leader's epoch. Clients ignore a leader whose epoch is not newer than the one that they know.
        leader_epoch: LeaderEpoch [7..] = -1,
        /// All replicas.
        replica_nodes: Vec<BrokerId> [0..],
        /// The replicas in sync.
        isr_nodes: Vec<BrokerId> [0..],
        /// The replicas that are offline.
        offline_replicas: Vec<BrokerId> [5..],
    }
}
