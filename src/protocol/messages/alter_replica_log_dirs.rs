//! AlterReplicaLogDirs: partitions are to be kept in another directory of their broker (KIP-113).

use crate::protocol::ErrorCode;

api! {
    AlterReplicaLogDirs: AlterReplicaLogDirsRequest => AlterReplicaLogDirsResponse, versions 1..=2, flexible 2..;

    /// What is to be kept where.
    pub struct AlterReplicaLogDirsRequest {
        /// The directories.
        dirs: Vec<AlterReplicaLogDir> [1..],
    }

    /// What is to be kept in one directory.
    pub struct AlterReplicaLogDir {
        /// Its absolute path.
        path: String [1..],
        /// The topics.
        topics: Vec<AlterReplicaLogDirTopic> [1..],
    }

    /// A topic that is to be kept there.
    pub struct AlterReplicaLogDirTopic {
        /// The topic's name.
        name: String [1..],
        /// The partitions.
        partitions: Vec<i32> [1..],
    }

    /// What became of that.
    pub struct AlterReplicaLogDirsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// The topics.
        results: Vec<AlterReplicaLogDirTopicResult> [1..],
    }

    /// What became of one topic.
    pub struct AlterReplicaLogDirTopicResult {
        /// The topic's name.
        topic_name: String [1..],
        /// The partitions.
        partitions: Vec<AlterReplicaLogDirPartitionResult> [1..],
    }

    /// What became of one partition.
    pub struct AlterReplicaLogDirPartitionResult {
        /// The partition's index.
        partition_index: i32 [1..],
        /// Why it stays where it is.
        error_code: ErrorCode [1..],
    }
}
