//! ListOffsets: the offset of a time, or of one of the log's ends.

use crate::base::ids::{BrokerId, LeaderEpoch, Offset};
use crate::protocol::ErrorCode;

/// Asks for the log's end: the high watermark, or the last stable offset for a reader of committed records.
pub const LATEST_TIMESTAMP: i64 = -1;
/// Asks for the log's start.
pub const EARLIEST_TIMESTAMP: i64 = -2;
/// Asks for the record with the largest timestamp, from version 7 (KIP-734).
pub const MAX_TIMESTAMP: i64 = -3;
/// Asks for the start of what is on local disks, from version 8 (KIP-405).
pub const EARLIEST_LOCAL_TIMESTAMP: i64 = -4;
/// Asks for the end of what is in tiered storage, from version 9 (KIP-1005).
pub const LATEST_TIERED_TIMESTAMP: i64 = -5;
/// Asks for the start of what is yet to be uploaded, from version 11 (KIP-1023).
pub const EARLIEST_PENDING_UPLOAD_TIMESTAMP: i64 = -6;

api! {
    ListOffsets: ListOffsetsRequest => ListOffsetsResponse, versions 1..=11, flexible 6..;

    /// What the client asks.
    pub struct ListOffsetsRequest {
        /// The follower's id, -1 for a consumer.
        replica_id: BrokerId [1..],
        /// 0 counts everything, 1 only what is committed.
        isolation_level: i8 [2..],
        /// The topics.
        topics: Vec<ListOffsetsTopic> [1..],
        /// How long to wait for tiered storage.
        timeout_ms: i32 [10..],
    }

    /// A topic.
    pub struct ListOffsetsTopic {
        /// The topic's name.
        name: String [1..],
        /// The partitions.
        partitions: Vec<ListOffsetsPartition> [1..],
    }

    /// A partition and what is asked of it.
    pub struct ListOffsetsPartition {
        /// The partition's index.
        partition_index: i32 [1..],
        /// The leader epoch that the client knows, -1 for no check.
        current_leader_epoch: LeaderEpoch [4..] = -1,
        /// A time in milliseconds since 1970, or one of the negative constants of this file.
        timestamp: i64 [1..],
    }

    /// The answers.
    pub struct ListOffsetsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [2..],
        /// The topics.
        topics: Vec<ListOffsetsTopicResponse> [1..],
    }

    /// One topic's answers.
    pub struct ListOffsetsTopicResponse {
        /// The topic's name.
        name: String [1..],
        /// The partitions.
        partitions: Vec<ListOffsetsPartitionResponse> [1..],
    }

    /// One partition's answer.
    pub struct ListOffsetsPartitionResponse {
        /// The partition's index.
        partition_index: i32 [1..],
        /// Why there is no answer.
        error_code: ErrorCode [1..],
        /// The timestamp of the record found, -1 if none.
        timestamp: i64 [1..] = -1,
        /// The offset, -1 if none.
        offset: Offset [1..] = -1,
        /// The leader epoch of the record found, -1 if none.
        leader_epoch: LeaderEpoch [4..] = -1,
    }
}
