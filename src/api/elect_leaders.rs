//! ElectLeaders: partitions get the leader that they should have, or any.

use crate::base::ids::PartitionId;
use crate::base::limits::DESCRIBED_PER_TURN;
use crate::cluster::{Election, Image};
use crate::protocol::messages::elect_leaders::{
    ElectLeadersRequest, ElectLeadersResponse, PartitionResult, ReplicaElectionResult, TopicPartitions,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::commands::carried_out;
use super::errors::election_error;
use super::reply::{Reply, respond, respond_charged, set_aside};
use super::router::Caller;
use super::topics;

/// The types of elections on the wire.
const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

/// About the bytes of one partition's question and answer while the response is put together.
const ANSWER_BYTES: u64 = 96;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: ElectLeadersRequest) -> Reply {
    let election = match request.election_type {
        PREFERRED => Election::Preferred,
        UNCLEAN => Election::Unclean,
        _ => {
            let error_code = ErrorCode::InvalidRequest;
            return respond(header, &ElectLeadersResponse { error_code, ..Default::default() });
        }
    };
    let shard = &caller.shard;
    // Of all partitions those are told that need an election, as Kafka does it.
    let asked = request.topic_partitions.unwrap_or_else(|| in_need(&shard.image(), election));
    let partitions: usize = asked.iter().map(|topic| topic.partitions.len()).sum();
    let charge = set_aside(shard, partitions as u64 * ANSWER_BYTES).await;
    let mut known: Vec<PartitionId> = Vec::new();
    let mut results = Vec::with_capacity(asked.len());
    for (number, topic) in asked.into_iter().enumerate() {
        results.push(looked_up(&shard.image(), topic, &mut known));
        if number % DESCRIBED_PER_TURN == DESCRIBED_PER_TURN - 1 {
            shard.runtime.yield_now().await;
        }
    }
    let error_code = elect(caller, election, known, request.timeout_ms, &mut results).await;
    let response =
        ElectLeadersResponse { error_code, replica_election_results: results, throttle_time_ms: 0 };
    respond_charged(header, &response, charge)
}

/// All partitions that the election is for.
fn in_need(image: &Image, election: Election) -> Vec<TopicPartitions> {
    let topics = image.topics().map(|topic| {
        let needing = topic.partitions.iter().filter(|partition| election.is_needed(partition));
        let partitions = needing.map(|partition| partition.index).collect();
        TopicPartitions { topic: topic.record.name.clone(), partitions }
    });
    topics.filter(|topic| !topic.partitions.is_empty()).collect()
}

/// A result for each partition, and the ids of those that are there, in the same order.
fn looked_up(image: &Image, asked: TopicPartitions, known: &mut Vec<PartitionId>) -> ReplicaElectionResult {
    let topic = topics::named(image, &asked.topic);
    let mut look_up = |partition_id: i32| {
        let found = topics::find_partition(&topic, partition_id);
        known.extend(found.ok());
        // Clients have words of their own for the codes.
        let error_code = found.err().unwrap_or(ErrorCode::None);
        PartitionResult { partition_id, error_code, error_message: None }
    };
    let partition_result = asked.partitions.iter().map(|partition| look_up(*partition)).collect();
    ReplicaElectionResult { topic: asked.topic, partition_result }
}

/// Has leaders elected, and puts into the results what came of it; the error of the whole request.
async fn elect(
    caller: &Caller,
    election: Election,
    known: Vec<PartitionId>,
    timeout_ms: i32,
    results: &mut [ReplicaElectionResult],
) -> ErrorCode {
    if known.is_empty() {
        return ErrorCode::None;
    }
    let shard = &caller.shard;
    let command = shard.metadata.elect_leaders(election, known);
    let outcomes = carried_out(shard, command, timeout_ms, "The leaders were not elected").await;
    let of_known = results
        .iter_mut()
        .flat_map(|topic| &mut topic.partition_result)
        .filter(|partition| partition.error_code == ErrorCode::None);
    match outcomes {
        Ok(outcomes) => {
            for (partition, outcome) in of_known.zip(outcomes) {
                partition.error_code = outcome.map_or_else(election_error, |()| ErrorCode::None);
            }
            ErrorCode::None
        }
        Err((error_code, message)) => {
            for partition in of_known {
                partition.error_code = error_code;
                partition.error_message = Some(message.clone());
            }
            error_code
        }
    }
}
