//! OffsetFetch: how far groups have come.

use crate::base::ids::{LeaderEpoch, Offset, TopicId};
use crate::protocol::ErrorCode;

api! {
    OffsetFetch: OffsetFetchRequest => OffsetFetchResponse, versions 1..=10, flexible 6..;

    /// Which offsets are asked for. Before version 8 those of one group, then of any number (KIP-709).
    pub struct OffsetFetchRequest {
        /// The group's id.
        group_id: String [0..=7],
        /// The topics; `None` for all.
        topics: Option<Vec<OffsetFetchRequestTopic>> [0..=7, null 2..=7] = Some(Vec::new()),
        /// The groups.
        groups: Vec<OffsetFetchRequestGroup> [8..],
        /// Whether offsets that a transaction may still change are to be refused (KIP-447).
        require_stable: bool [7..],
    }

    /// A topic of which offsets are asked for.
    pub struct OffsetFetchRequestTopic {
        /// Its name.
        name: String [0..=7],
        /// The partitions.
        partition_indexes: Vec<i32> [0..=7],
    }

    /// A group of which offsets are asked for.
    pub struct OffsetFetchRequestGroup {
        /// The group's id.
        group_id: String [8..],
        /// The member that asks, by the consumer protocol of KIP-848.
        member_id: Option<String> [9.., null 9..],
        /// The epoch that the member believes in.
        member_epoch: i32 [9..] = -1,
        /// The topics; `None` for all.
        topics: Option<Vec<OffsetFetchRequestTopics>> [8.., null 8..],
    }

    /// A topic of which a group's offsets are asked for.
    pub struct OffsetFetchRequestTopics {
        /// Its name.
        name: String [8..=9],
        /// Its id.
        topic_id: TopicId [10..],
        /// The partitions.
        partition_indexes: Vec<i32> [8..],
    }

    /// The offsets.
    pub struct OffsetFetchResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [3..],
        /// The topics.
        topics: Vec<OffsetFetchResponseTopic> [0..=7],
        /// Why there are none.
        error_code: ErrorCode [2..=7],
        /// The groups.
        groups: Vec<OffsetFetchResponseGroup> [8..],
    }

    /// One topic's offsets.
    pub struct OffsetFetchResponseTopic {
        /// Its name.
        name: String [0..=7],
        /// The partitions.
        partitions: Vec<OffsetFetchResponsePartition> [0..=7],
    }

    /// One partition's offset.
    pub struct OffsetFetchResponsePartition {
        /// The partition's index.
        partition_index: i32 [0..=7],
        /// The offset to go on from, -1 if none was committed.
        committed_offset: Offset [0..=7],
        /// The term of the record before it, -1 if unknown.
        committed_leader_epoch: LeaderEpoch [5..=7] = -1,
        /// What the group remembers with it.
        metadata: Option<String> [0..=7, null 0..=7],
        /// Why there is none.
        error_code: ErrorCode [0..=7],
    }

    /// One group's offsets.
    pub struct OffsetFetchResponseGroup {
        /// The group's id.
        group_id: String [8..],
        /// The topics.
        topics: Vec<OffsetFetchResponseTopics> [8..],
        /// Why there are none.
        error_code: ErrorCode [8..],
    }

    /// One topic's offsets of a group.
    pub struct OffsetFetchResponseTopics {
        /// Its name.
        name: String [8..=9],
        /// Its id.
        topic_id: TopicId [10..],
        /// The partitions.
        partitions: Vec<OffsetFetchResponsePartitions> [8..],
    }

    /// One partition's offset of a group.
    pub struct OffsetFetchResponsePartitions {
        /// The partition's index.
        partition_index: i32 [8..],
        /// The offset to go on from, -1 if none was committed.
        committed_offset: Offset [8..],
        /// The term of the record before it, -1 if unknown.
        committed_leader_epoch: LeaderEpoch [8..] = -1,
        /// What the group remembers with it.
        metadata: Option<String> [8.., null 8..],
        /// Why there is none.
        error_code: ErrorCode [8..],
    }
}
