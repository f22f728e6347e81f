//! Metadata: the brokers as the client's listener reaches them, and who leads which partition.
//!
//! A topic that is created because it was asked for is waited for and described in the same response: the command
//! completes once every shard has opened its partitions, so the client can use it at once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::ids::TopicId;
use crate::cluster::{Image, NewTopic, PartitionRecord, Topic, is_internal, validate_topic_name};
use crate::protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use crate::protocol::{ErrorCode, RequestHeader};
use crate::shard::Shard;

use super::brokers::{brokers, controller};
use super::errors::cluster_error;
use super::operations::{on_cluster, on_topic};
use super::reply::{Reply, respond};
use super::router::Caller;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: MetadataRequest) -> Reply {
    let shard = &caller.shard;
    let mut topics: Vec<_> = match asked_topics(&request, header.version) {
        None => shard.image().topics().map(|topic| describe(shard, topic)).collect(),
        Some(asked) => {
            let may_create = request.allow_auto_topic_creation && shard.config.auto_create_topics_enable;
            let refusals = if may_create { create_missing(shard, asked).await } else { HashMap::new() };
            let image = shard.image();
            asked.iter().map(|topic| describe_asked(shard, &image, topic, &refusals)).collect()
        }
    };
    for topic in topics.iter_mut().filter(|topic| topic.error_code == ErrorCode::None) {
        topic.topic_authorized_operations = on_topic(request.include_topic_authorized_operations);
    }
    let brokers = brokers(shard, caller.listener).map(|broker| MetadataResponseBroker {
        node_id: broker.id,
        host: broker.address.host.clone(),
        port: broker.address.port.into(),
        rack: Some(broker.rack.to_owned()),
    });
    let response = MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(shard.image().cluster().cluster_id.to_string()),
        controller_id: controller(shard),
        topics,
        cluster_authorized_operations: on_cluster(request.include_cluster_authorized_operations),
        ..Default::default()
    };
    respond(header, &response)
}

/// The topics that were asked for; `None` for all. Version 0 has no null: there, none means all.
fn asked_topics(request: &MetadataRequest, version: i16) -> Option<&[MetadataRequestTopic]> {
    request.topics.as_deref().filter(|topics| version > 0 || !topics.is_empty())
}

/// Creates the topics that are asked for by name and do not exist. Returns why some could not be.
async fn create_missing(shard: &Shard, asked: &[MetadataRequestTopic]) -> HashMap<String, ErrorCode> {
    let image = shard.image();
    let by_name = asked.iter().filter(|topic| topic.topic_id == TopicId::ZERO);
    let mut missing: Vec<&str> = by_name
        .filter_map(|topic| topic.name.as_deref())
        .filter(|name| image.topic_named(name).is_none() && validate_topic_name(name).is_ok())
        // Those are created by what keeps its state in them.
        .filter(|name| !is_internal(name))
        .collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return HashMap::new();
    }
    let new: Vec<_> = missing.iter().map(|name| NewTopic::with_defaults(*name)).collect();
    match shard.metadata.create_topics(new, false).await {
        Ok(outcomes) => {
            let refused = missing.iter().zip(outcomes).filter_map(|(name, outcome)| {
                outcome.err().map(|error| ((*name).to_owned(), cluster_error(&error)))
            });
            refused.collect()
        }
        Err(error) => {
            tracing::warn!(%error, "topics cannot be created");
            // Clients ask again.
            missing.iter().map(|name| ((*name).to_owned(), ErrorCode::LeaderNotAvailable)).collect()
        }
    }
}

fn describe_asked(
    shard: &Shard,
    image: &Image,
    asked: &MetadataRequestTopic,
    refusals: &HashMap<String, ErrorCode>,
) -> MetadataResponseTopic {
    let name = asked.name.as_deref().unwrap_or_default();
    let unknown = |error_code| MetadataResponseTopic {
        error_code,
        name: asked.name.clone(),
        topic_id: asked.topic_id,
        is_internal: is_internal(name),
        ..Default::default()
    };
    if asked.topic_id != TopicId::ZERO {
        let found = image.topic(asked.topic_id);
        return found.map_or_else(|| unknown(ErrorCode::UnknownTopicId), |topic| describe(shard, topic));
    }
    match image.topic_named(name) {
        Some(topic) => describe(shard, topic),
        None if validate_topic_name(name).is_err() => unknown(ErrorCode::InvalidTopicException),
        None => match refusals.get(name) {
            // Somebody else was faster, and its partitions are being opened.
            Some(ErrorCode::TopicAlreadyExists) => unknown(ErrorCode::LeaderNotAvailable),
            Some(code) => unknown(*code),
            None => unknown(ErrorCode::UnknownTopicOrPartition),
        },
    }
}

fn describe(shard: &Shard, topic: &Arc<Topic>) -> MetadataResponseTopic {
    MetadataResponseTopic {
        name: Some(topic.record.name.clone()),
        topic_id: topic.record.id,
        is_internal: topic.record.internal,
        partitions: topic.partitions.iter().map(|partition| describe_partition(shard, partition)).collect(),
        ..Default::default()
    }
}

fn describe_partition(shard: &Shard, partition: &PartitionRecord) -> MetadataResponsePartition {
    let leader_id = shard.broker_id_of(partition.owner());
    MetadataResponsePartition {
        partition_index: partition.index,
        leader_id,
        leader_epoch: partition.leader_epoch,
        // One node: the leader's copy is the only one.
        replica_nodes: vec![leader_id],
        isr_nodes: vec![leader_id],
        ..Default::default()
    }
}
