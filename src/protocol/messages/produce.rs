//! Produce: append record batches to partitions.
//!
//! Versions 0 to 2 carry record formats that Kafka 4 no longer accepts. They can be decoded, so that they are
//! advertised (older librdkafka turns compression off without version 0, KAFKA-18659) and refused with a clear
//! error.

use bytes::Bytes;

use crate::base::ids::{BrokerId, LeaderEpoch, Offset, TopicId};
use crate::protocol::ErrorCode;

api! {
    Produce: ProduceRequest => ProduceResponse, versions 0..=13, flexible 9..;

    /// Records to append.
    pub struct ProduceRequest {
        /// The transactional id, `None` outside of transactions.
        transactional_id: Option<String> [3.., null 3..],
        /// 0 for no response at all, 1 for the leader's acknowledgement, -1 for all in-sync replicas'.
        acks: i16 [0..],
        /// How long to wait for the replicas.
        timeout_ms: i32 [0..],
        /// The topics.
        topic_data: Vec<TopicProduceData> [0..],
    }

    /// The records for one topic.
    pub struct TopicProduceData {
        /// The topic's name.
        name: String [0..=12],
        /// The topic's id.
        topic_id: TopicId [13..],
        /// The partitions.
        partition_data: Vec<PartitionProduceData> [0..],
    }

    /// The records for one partition.
    pub struct PartitionProduceData {
        /// The partition's index.
        index: i32 [0..],
        /// Exactly one record batch; a view of the request's frame.
        records: Option<Bytes> [0.., null 0..],
    }

    /// Where the records went.
    pub struct ProduceResponse {
        /// The topics, in the order of the request.
        responses: Vec<TopicProduceResponse> [0..],
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// Where to reach the leaders named in `current_leader`.
        node_endpoints: Vec<NodeEndpoint> [10.., tag 0],
    }

    /// One topic's partitions.
    pub struct TopicProduceResponse {
        /// The topic's name.
        name: String [0..=12],
        /// The topic's id.
        topic_id: TopicId [13..],
        /// The partitions.
        partition_responses: Vec<PartitionProduceResponse> [0..],
    }

    /// The outcome for one partition.
    pub struct PartitionProduceResponse {
        /// The partition's index.
        index: i32 [0..],
        /// Why the records were refused.
        error_code: ErrorCode [0..],
        /// The offset of the first record.
        base_offset: Offset [0..],
        /// The broker's time of the append if the topic uses LogAppendTime, otherwise -1.
        log_append_time_ms: i64 [2..] = -1,
        /// The first offset in the log, -1 if unknown.
        log_start_offset: Offset [5..] = -1,
        /// The records because of which the batch was refused.
        record_errors: Vec<BatchIndexAndErrorMessage> [8..],
        /// What is wrong, for people.
        error_message: Option<String> [8.., null 8..],
        /// The leader, if it is another broker (KIP-951).
        current_leader: LeaderIdAndEpoch [10.., tag 0],
    }

    /// A record that was refused.
    pub struct BatchIndexAndErrorMessage {
        /// The record's index in its batch.
        batch_index: i32 [8..],
        /// What is wrong with it, for people.
        batch_index_error_message: Option<String> [8.., null 8..],
    }

    /// A partition's leader.
    pub struct LeaderIdAndEpoch {
        /// The leader, -1 if unknown.
        leader_id: BrokerId [10..] = -1,
        /// The leader's epoch, -1 if unknown.
        leader_epoch: LeaderEpoch [10..] = -1,
    }

    /// Where to reach a broker.
    pub struct NodeEndpoint {
        /// The broker's id.
        node_id: BrokerId [10..],
        /// The advertised host.
        host: String [10..],
        /// The advertised port.
        port: i32 [10..],
        /// The broker's rack.
        rack: Option<String> [10.., null 10..],
    }
}
