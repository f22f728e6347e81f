//! OffsetDelete: a group forgets how far it has come (KIP-496).

use crate::protocol::ErrorCode;

api! {
    // No version is flexible.
    OffsetDelete: OffsetDeleteRequest => OffsetDeleteResponse, versions 0..=0, flexible 1..;

    /// What to forget.
    pub struct OffsetDeleteRequest {
        /// The group's id.
        group_id: String [0..],
        /// The topics.
        topics: Vec<OffsetDeleteRequestTopic> [0..],
    }

    /// A topic of which offsets are forgotten.
    pub struct OffsetDeleteRequestTopic {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<OffsetDeleteRequestPartition> [0..],
    }

    /// A partition of which the offset is forgotten.
    pub struct OffsetDeleteRequestPartition {
        /// The partition's index.
        partition_index: i32 [0..],
    }

    /// What was forgotten.
    pub struct OffsetDeleteResponse {
        /// Why nothing was.
        error_code: ErrorCode [0..],
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// The topics.
        topics: Vec<OffsetDeleteResponseTopic> [0..],
    }

    /// A topic of which offsets were forgotten.
    pub struct OffsetDeleteResponseTopic {
        /// Its name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<OffsetDeleteResponsePartition> [0..],
    }

    /// Whether a partition's offset was forgotten.
    pub struct OffsetDeleteResponsePartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// Why not.
        error_code: ErrorCode [0..],
    }
}
