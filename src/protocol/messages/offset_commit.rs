//! OffsetCommit: how far a group has come.

use crate::base::ids::{LeaderEpoch, Offset, TopicId};
use crate::protocol::ErrorCode;

api! {
    OffsetCommit: OffsetCommitRequest => OffsetCommitResponse, versions 2..=10, flexible 8..;

    /// Who commits what.
    pub struct OffsetCommitRequest {
        /// The group's id.
        group_id: String [0..],
        /// The generation that the member is part of; -1 for who is no member.
        generation_id_or_member_epoch: i32 [1..] = -1,
        /// The member's id; empty for who is no member.
        member_id: String [1..],
        /// The id that the user gave the member.
        group_instance_id: Option<String> [7.., null 7..],
        /// How long the offsets are to be kept, in ms; -1 for as long as the broker says.
        retention_time_ms: i64 [2..=4] = -1,
        /// The topics.
        topics: Vec<OffsetCommitRequestTopic> [0..],
    }

    /// A topic of which offsets are committed.
    pub struct OffsetCommitRequestTopic {
        /// Its name.
        name: String [0..=9],
        /// Its id.
        topic_id: TopicId [10..],
        /// The partitions.
        partitions: Vec<OffsetCommitRequestPartition> [0..],
    }

    /// How far the group has come in a partition.
    pub struct OffsetCommitRequestPartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The offset to go on from.
        committed_offset: Offset [0..],
        /// The term of the record before it, -1 if unknown.
        committed_leader_epoch: LeaderEpoch [6..] = -1,
        /// What the group wants to remember with it.
        committed_metadata: Option<String> [0.., null 0..],
    }

    /// What was committed.
    pub struct OffsetCommitResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [3..],
        /// The topics.
        topics: Vec<OffsetCommitResponseTopic> [0..],
    }

    /// A topic of which offsets were committed.
    pub struct OffsetCommitResponseTopic {
        /// Its name.
        name: String [0..=9],
        /// Its id.
        topic_id: TopicId [10..],
        /// The partitions.
        partitions: Vec<OffsetCommitResponsePartition> [0..],
    }

    /// Whether a partition's offset was committed.
    pub struct OffsetCommitResponsePartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// Why not.
        error_code: ErrorCode [0..],
    }
}
