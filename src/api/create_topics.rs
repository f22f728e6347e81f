//! CreateTopics.

use std::collections::{BTreeMap, HashMap};

use crate::cluster::{CreatedTopic, NewTopic, ReplicaAssignment, effective_configs};
use crate::protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};
use crate::protocol::{ErrorCode, RequestHeader};
use crate::shard::Shard;

use super::commands::carried_out;
use super::describe_configs::config_source;
use super::errors::cluster_error;
use super::reply::{Reply, respond};
use super::router::Caller;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: CreateTopicsRequest) -> Reply {
    let shard = &caller.shard;
    let names: Vec<String> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    let mut times: HashMap<&str, usize> = HashMap::new();
    names.iter().for_each(|name| *times.entry(name).or_default() += 1);
    let (once, twice): (Vec<_>, Vec<_>) =
        request.topics.into_iter().partition(|topic| times[topic.name.as_str()] == 1);

    let created_names: Vec<_> = once.iter().map(|topic| topic.name.clone()).collect();
    let new = once.into_iter().map(new_topic).collect();
    let command = shard.metadata.create_topics(new, request.validate_only);
    let outcomes = carried_out(shard, command, request.timeout_ms, "The topic was not created").await;
    let mut topics: Vec<CreatableTopicResult> = match outcomes {
        Ok(outcomes) => created_names
            .into_iter()
            .zip(outcomes)
            .map(|(name, outcome)| match outcome {
                Ok(created) => describe(shard, created),
                Err(error) => refusal(name, cluster_error(&error), error.to_string()),
            })
            .collect(),
        Err((code, reason)) => {
            created_names.into_iter().map(|name| refusal(name, code, reason.clone())).collect()
        }
    };
    let duplicates: BTreeMap<_, _> = twice.into_iter().map(|topic| (topic.name, ())).collect();
    topics.extend(
        duplicates
            .into_keys()
            .map(|name| refusal(name, ErrorCode::InvalidRequest, "Duplicate topic name.".to_owned())),
    );
    respond(header, &CreateTopicsResponse { throttle_time_ms: 0, topics })
}

fn new_topic(topic: CreatableTopic) -> NewTopic {
    let assignments = topic.assignments.into_iter().map(|assignment| ReplicaAssignment {
        index: assignment.partition_index,
        broker_ids: assignment.broker_ids,
    });
    NewTopic {
        name: topic.name,
        num_partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: assignments.collect(),
        configs: topic.configs.into_iter().map(|config| (config.name, config.value)).collect(),
    }
}

fn describe(shard: &Shard, created: CreatedTopic) -> CreatableTopicResult {
    let configs = effective_configs(&created.configs, &shard.topic_defaults());
    let configs = configs.into_iter().map(|config| CreatableTopicConfigs {
        name: config.name.to_owned(),
        value: Some(config.value),
        read_only: false,
        config_source: config_source(config.source) as i8,
        is_sensitive: false,
    });
    CreatableTopicResult {
        name: created.name,
        topic_id: created.id,
        num_partitions: created.num_partitions,
        replication_factor: created.replication_factor,
        configs: Some(configs.collect()),
        ..Default::default()
    }
}

fn refusal(name: String, error_code: ErrorCode, error_message: String) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code,
        error_message: Some(error_message),
        // Null would mean that the configs may not be seen.
        configs: Some(Vec::new()),
        ..Default::default()
    }
}
