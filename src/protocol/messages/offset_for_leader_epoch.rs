//! OffsetForLeaderEpoch: where a leader's term ended, for consumers that check whether what they read is still there
//! (KIP-320), and for replicas.

use crate::base::ids::{BrokerId, LeaderEpoch, Offset};
use crate::protocol::ErrorCode;

api! {
    OffsetForLeaderEpoch: OffsetForLeaderEpochRequest => OffsetForLeaderEpochResponse,
    versions 2..=4, flexible 4..;

    /// Which terms are asked about.
    pub struct OffsetForLeaderEpochRequest {
        /// The follower's id, -1 for a consumer, -2 if it does not say.
        replica_id: BrokerId [3..] = -2,
        /// The topics.
        topics: Vec<OffsetForLeaderTopic> [2..],
    }

    /// A topic that is asked about.
    pub struct OffsetForLeaderTopic {
        /// The topic's name.
        topic: String [2..],
        /// The partitions.
        partitions: Vec<OffsetForLeaderPartition> [2..],
    }

    /// A partition that is asked about.
    pub struct OffsetForLeaderPartition {
        /// The partition's index.
        partition: i32 [2..],
        /// The leader epoch that the client knows, -1 for no check.
        current_leader_epoch: LeaderEpoch [2..] = -1,
        /// The term whose end is asked for.
        leader_epoch: LeaderEpoch [2..],
    }

    /// Where the terms ended.
    pub struct OffsetForLeaderEpochResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [2..],
        /// The topics.
        topics: Vec<OffsetForLeaderTopicResult> [2..],
    }

    /// One topic's terms.
    pub struct OffsetForLeaderTopicResult {
        /// The topic's name.
        topic: String [2..],
        /// The partitions.
        partitions: Vec<EpochEndOffset> [2..],
    }

    /// Where one term ended.
    pub struct EpochEndOffset {
        /// Why there is no answer.
        error_code: ErrorCode [2..],
        /// The partition's index.
        partition: i32 [2..],
        /// The newest term with records that is not newer than the one asked for, -1 if none is known.
        leader_epoch: LeaderEpoch [2..] = -1,
        /// The offset after its last record, -1 if it is not known.
        end_offset: Offset [2..] = -1,
    }
}
