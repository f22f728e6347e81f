//! DeleteRecords (KIP-107).

use crate::base::ids::Offset;
use crate::protocol::ErrorCode;

/// Stands for the high watermark in a request.
pub const HIGH_WATERMARK: Offset = -1;

api! {
    DeleteRecords: DeleteRecordsRequest => DeleteRecordsResponse, versions 0..=2, flexible 2..;

    /// Records to delete, from the start of each log on.
    pub struct DeleteRecordsRequest {
        /// The topics.
        topics: Vec<DeleteRecordsTopic> [0..],
        /// How long to wait until they are gone.
        timeout_ms: i32 [0..],
    }

    /// A topic.
    pub struct DeleteRecordsTopic {
        /// The topic's name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<DeleteRecordsPartition> [0..],
    }

    /// A partition.
    pub struct DeleteRecordsPartition {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The first offset that stays, or [`HIGH_WATERMARK`].
        offset: Offset [0..],
    }

    /// What was deleted.
    pub struct DeleteRecordsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// The topics.
        topics: Vec<DeleteRecordsTopicResult> [0..],
    }

    /// One topic's outcomes.
    pub struct DeleteRecordsTopicResult {
        /// The topic's name.
        name: String [0..],
        /// The partitions.
        partitions: Vec<DeleteRecordsPartitionResult> [0..],
    }

    /// One partition's outcome.
    pub struct DeleteRecordsPartitionResult {
        /// The partition's index.
        partition_index: i32 [0..],
        /// The first offset of the log, -1 if nothing was deleted.
        low_watermark: Offset [0..],
        /// Why nothing was deleted.
        error_code: ErrorCode [0..],
    }
}
