//! DescribeLogDirs: how large partitions are, and how much room is left (KIP-113, KIP-827).

use crate::protocol::ErrorCode;

api! {
    DescribeLogDirs: DescribeLogDirsRequest => DescribeLogDirsResponse, versions 1..=4, flexible 2..;

    /// Which partitions are asked about.
    pub struct DescribeLogDirsRequest {
        /// The topics; `None` for all.
        topics: Option<Vec<DescribableLogDirTopic>> [1.., null 1..] = Some(Vec::new()),
    }

    /// A topic that is asked about.
    pub struct DescribableLogDirTopic {
        /// The topic's name.
        topic: String [1..],
        /// The partitions.
        partitions: Vec<i32> [1..],
    }

    /// The log directories.
    pub struct DescribeLogDirsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// An error of the whole request.
        error_code: ErrorCode [3..],
        /// The directories.
        results: Vec<DescribeLogDirsResult> [1..],
    }

    /// One log directory.
    pub struct DescribeLogDirsResult {
        /// Why the directory cannot be used.
        error_code: ErrorCode [1..],
        /// Its absolute path.
        log_dir: String [1..],
        /// What is in it of what was asked for.
        topics: Vec<DescribeLogDirsTopic> [1..],
        /// Size of its file system in bytes, -1 if unknown.
        total_bytes: i64 [4..] = -1,
        /// Bytes that can still be written to its file system, -1 if unknown.
        usable_bytes: i64 [4..] = -1,
    }

    /// One topic in a directory.
    pub struct DescribeLogDirsTopic {
        /// The topic's name.
        name: String [1..],
        /// The partitions.
        partitions: Vec<DescribeLogDirsPartition> [1..],
    }

    /// One partition in a directory.
    pub struct DescribeLogDirsPartition {
        /// The partition's index.
        partition_index: i32 [1..],
        /// Length of its segments in bytes.
        partition_size: i64 [1..],
        /// How far it is behind the high watermark, or a copy that is being made behind the partition.
        offset_lag: i64 [1..],
        /// Whether it is a copy that will take the partition's place.
        is_future_key: bool [1..],
    }
}
