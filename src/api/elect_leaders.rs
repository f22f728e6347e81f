//! ElectLeaders. A partition has one replica, which leads it: no election is ever needed.

use crate::base::limits::DESCRIBED_PER_TURN;
use crate::protocol::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult, TopicPartitions,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::reply::{Reply, respond, respond_charged, set_aside};
use super::router::Caller;
use super::topics;

/// The types of elections on the wire.
const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// About the bytes of one partition's answer while the response is put together.
const ANSWER_BYTES: u64 = 48;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: ElectLeadersRequest) -> Reply {
    if !matches!(request.election_type, PREFERRED | UNCLEAN) {
        let error_code = ErrorCode::InvalidRequest;
        return respond(header, &ElectLeadersResponse { error_code, ..Default::default() });
    }
    // Of all partitions those are told that need an election, as Kafka does it.
    let asked = request.topic_partitions.unwrap_or_default();
    let partitions: usize = asked.iter().map(|topic| topic.partitions.len()).sum();
    let charge = set_aside(&caller.shard, partitions as u64 * ANSWER_BYTES).await;
    let mut replica_election_results = Vec::with_capacity(asked.len());
    for (number, topic) in asked.into_iter().enumerate() {
        replica_election_results.push(elected(caller, topic));
        if number % DESCRIBED_PER_TURN == DESCRIBED_PER_TURN - 1 {
            caller.shard.runtime.yield_now().await;
        }
    }
    respond_charged(header, &ElectLeadersResponse { replica_election_results, ..Default::default() }, charge)
}

fn elected(caller: &Caller, asked: TopicPartitions) -> ReplicaElectionResult {
    let image = caller.shard.image();
    let topic = topics::named(&image, &asked.topic);
    let outcome = |partition_id: i32| PartitionResult {
        partition_id,
        error_code: topics::find_partition(&topic, partition_id)
            .err()
            .unwrap_or(ErrorCode::ElectionNotNeeded),
        // Clients have words of their own for the codes.
        error_message: None,
    };
    let partition_result = asked.partitions.iter().copied().map(outcome).collect();
    ReplicaElectionResult { topic: asked.topic, partition_result }
}
