//! CreatePartitions.

use std::collections::{BTreeSet, HashMap};

use crate::cluster::NewPartitions;
use crate::protocol::messages::create_partitions::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::commands::carried_out;
use super::errors::cluster_error;
use super::reply::{Reply, respond};
use super::router::Caller;

pub(super) async fn handle(
    caller: &Caller,
    header: &RequestHeader,
    request: CreatePartitionsRequest,
) -> Reply {
    let shard = &caller.shard;
    let mut times: HashMap<String, usize> = HashMap::new();
    request.topics.iter().for_each(|topic| *times.entry(topic.name.clone()).or_default() += 1);
    let (once, twice): (Vec<_>, Vec<_>) =
        request.topics.into_iter().partition(|topic| times[&topic.name] == 1);

    let names: Vec<String> = once.iter().map(|topic| topic.name.clone()).collect();
    let new = once.into_iter().map(new_partitions).collect();
    let command = shard.metadata.create_partitions(new, request.validate_only);
    let outcomes = carried_out(shard, command, request.timeout_ms, "The partitions were not created").await;
    let mut results: Vec<_> = match outcomes {
        Ok(outcomes) => names
            .into_iter()
            .zip(outcomes)
            .map(|(name, outcome)| {
                let refusal = outcome.err().map(|error| (cluster_error(&error), error.to_string()));
                result(name, refusal)
            })
            .collect(),
        Err(refusal) => names.into_iter().map(|name| result(name, Some(refusal.clone()))).collect(),
    };
    let duplicates: BTreeSet<String> = twice.into_iter().map(|topic| topic.name).collect();
    let duplicate =
        |name| result(name, Some((ErrorCode::InvalidRequest, "Duplicate topic name.".to_owned())));
    results.extend(duplicates.into_iter().map(duplicate));
    respond(header, &CreatePartitionsResponse { throttle_time_ms: 0, results })
}

fn new_partitions(topic: CreatePartitionsTopic) -> NewPartitions {
    let assignments = topic
        .assignments
        .map(|assignments| assignments.into_iter().map(|assignment| assignment.broker_ids).collect());
    NewPartitions { topic: topic.name, count: topic.count, assignments }
}

fn result(name: String, refusal: Option<(ErrorCode, String)>) -> CreatePartitionsTopicResult {
    let (error_code, error_message) = match refusal {
        None => (ErrorCode::None, None),
        Some((code, message)) => (code, Some(message)),
    };
    CreatePartitionsTopicResult { name, error_code, error_message }
}
