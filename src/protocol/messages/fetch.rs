//! Fetch: read record batches from partitions, for consumers and for replicas.

use crate::base::ids::{BrokerId, LeaderEpoch, Offset, TopicId};
use crate::protocol::{ErrorCode, Pieces};

api! {
    Fetch: FetchRequest => FetchResponse, versions 4..=18, flexible 12..;

    /// Where to read on.
    pub struct FetchRequest {
        /// The cluster's id if known, to recognise a fetch that went astray.
        cluster_id: Option<String> [12.., null 12.., tag 0],
        /// The follower's id, -1 for a consumer; from version 15 in `replica_state`.
        replica_id: BrokerId [4..=14] = -1,
        /// Who the follower is (KIP-903).
        replica_state: ReplicaState [15.., tag 1],
        /// How long to wait for `min_bytes`.
        max_wait_ms: i32 [4..],
        /// The bytes that the client wants at least.
        min_bytes: i32 [4..],
        /// The bytes that the client takes at most, but for a first batch that is larger (KIP-74).
        max_bytes: i32 [4..] = i32::MAX,
        /// 0 reads everything, 1 only what is committed.
        isolation_level: i8 [4..],
        /// The fetch session, 0 for none.
        session_id: i32 [7..],
        /// The session's epoch: -1 for no session, 0 for a new one.
        session_epoch: i32 [7..] = -1,
        /// The topics to read. Order matters: bytes are given out in it.
        topics: Vec<FetchTopic> [4..],
        /// What to remove from the session.
        forgotten_topics_data: Vec<ForgottenTopic> [7..],
        /// The consumer's rack.
        rack_id: String [11..],
    }

    /// A follower.
    pub struct ReplicaState {
        /// The follower's id, -1 for a consumer.
        replica_id: BrokerId [15..] = -1,
        /// The follower's epoch, -1 if unknown.
        replica_epoch: i64 [15..] = -1,
    }

    /// A topic to read.
    pub struct FetchTopic {
        /// The topic's name.
        topic: String [4..=12],
        /// The topic's id.
        topic_id: TopicId [13..],
        /// The partitions.
        partitions: Vec<FetchPartition> [4..],
    }

    /// A partition to read.
    pub struct FetchPartition {
        /// The partition's index.
        partition: i32 [4..],
        /// The leader epoch that the client knows, -1 for no check.
        current_leader_epoch: LeaderEpoch [9..] = -1,
        /// The offset to read from.
        fetch_offset: Offset [4..],
        /// The epoch of the record before `fetch_offset`, -1 for no check.
        last_fetched_epoch: LeaderEpoch [12..] = -1,
        /// The follower's first offset.
        log_start_offset: Offset [5..] = -1,
        /// The bytes to take from this partition at most.
        partition_max_bytes: i32 [4..],
        /// The follower's directory.
        replica_directory_id: TopicId [17.., tag 0],
        /// The high watermark that the follower knows, -1 if it knows none, the largest number if it cannot say
        /// (KIP-1166).
        high_watermark: Offset [18.., tag 1] = Offset::MAX,
    }

    /// A topic to remove from the session.
    pub struct ForgottenTopic {
        /// The topic's name.
        topic: String [7..=12],
        /// The topic's id.
        topic_id: TopicId [13..],
        /// The partitions.
        partitions: Vec<i32> [7..],
    }

    /// What was read.
    pub struct FetchResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [4..],
        /// An error of the whole request.
        error_code: ErrorCode [7..],
        /// The fetch session, 0 for none.
        session_id: i32 [7..],
        /// The topics.
        responses: Vec<FetchableTopicResponse> [4..],
        /// Where to reach the leaders named in `current_leader`.
        node_endpoints: Vec<NodeEndpoint> [16.., tag 0],
    }

    /// One topic's partitions.
    pub struct FetchableTopicResponse {
        /// The topic's name.
        topic: String [4..=12],
        /// The topic's id.
        topic_id: TopicId [13..],
        /// The partitions.
        partitions: Vec<PartitionData> [4..],
    }

    /// One partition's records.
    pub struct PartitionData {
        /// The partition's index.
        partition_index: i32 [4..],
        /// Why nothing could be read.
        error_code: ErrorCode [4..],
        /// The high watermark.
        high_watermark: Offset [4..],
        /// The last stable offset: all transactions below it are decided.
        last_stable_offset: Offset [4..] = -1,
        /// The first offset in the log.
        log_start_offset: Offset [5..] = -1,
        /// Where the reader's log diverges from this one, if it does.
        diverging_epoch: EpochEndOffset [12.., tag 0],
        /// The leader, if it is another broker (KIP-951).
        current_leader: LeaderIdAndEpoch [12.., tag 1],
        /// The snapshot to read instead, for replicas of the metadata log.
        snapshot_id: SnapshotId [12.., tag 2],
        /// The aborted transactions among the records.
        aborted_transactions: Option<Vec<AbortedTransaction>> [4.., null 4..],
        /// A replica that the consumer should rather read from, -1 for none.
        preferred_read_replica: BrokerId [11..] = -1,
        /// Whole record batches; the first may start before the offset asked for.
        records: Option<Pieces> [4.., null 4..],
    }

    /// The largest epoch that both logs have, and where it ends.
    pub struct EpochEndOffset {
        /// The epoch.
        epoch: LeaderEpoch [12..] = -1,
        /// Its end.
        end_offset: Offset [12..] = -1,
    }

    /// A partition's leader.
    pub struct LeaderIdAndEpoch {
        /// The leader, -1 if unknown.
        leader_id: BrokerId [12..] = -1,
        /// The leader's epoch, -1 if unknown.
        leader_epoch: LeaderEpoch [12..] = -1,
    }

    /// A snapshot of the metadata log.
    pub struct SnapshotId {
        /// The snapshot's end.
        end_offset: Offset [4..] = -1,
        /// The snapshot's epoch.
        epoch: LeaderEpoch [4..] = -1,
    }

    /// An aborted transaction.
    pub struct AbortedTransaction {
        /// The producer's id.
        producer_id: i64 [4..],
        /// The transaction's first offset.
        first_offset: Offset [4..],
    }

    /// Where to reach a broker.
    pub struct NodeEndpoint {
        /// The broker's id.
        node_id: BrokerId [16..],
        /// The advertised host.
        host: String [16..],
        /// The advertised port.
        port: i32 [16..],
        /// The broker's rack.
        rack: Option<String> [16.., null 16..],
    }
}
