//! Metadata: the brokers as the client's listener reaches them, and who leads which partition.
//!
//! A topic that is created because it was asked for is waited for and described in the same response: the command
//! completes once every shard has opened its partitions, so the client can use it at once.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::base::ids::{BrokerId, TopicId};
use crate::base::limits::DESCRIBED_PER_TURN;
use crate::cluster::{Image, NewTopic, PartitionRecord, Topic, is_internal, validate_topic_name};
use crate::protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use crate::protocol::{ErrorCode, RequestHeader};
use crate::shard::Shard;

use super::brokers::{brokers, controller, copies_of};
use super::errors::cluster_error;
use super::operations::{on_cluster, on_topic};
use super::reply::{Reply, respond_charged, set_aside};
use super::router::Caller;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: MetadataRequest) -> Reply {
    let shard = &caller.shard;
    let operations = on_topic(request.include_topic_authorized_operations);
    let asked = asked_topics(&request, header.version);
    let refusals = match &asked {
        Some(asked) if request.allow_auto_topic_creation && shard.config.auto_create_topics_enable => {
            create_missing(shard, asked).await
        }
        _ => HashMap::new(),
    };
    let image = shard.image();
    let charge = set_aside(shard, estimate(&image, asked.as_deref())).await;
    let mut topics = Vec::new();
    let mut described = 0;
    let mut add = async |mut topic: MetadataResponseTopic| {
        if topic.error_code == ErrorCode::None {
            topic.topic_authorized_operations = operations;
        }
        topics.push(topic);
        described += 1;
        if described % DESCRIBED_PER_TURN == 0 {
            shard.runtime.yield_now().await;
        }
    };
    match asked {
        None => {
            for topic in image.topics() {
                add(describe(shard, topic)).await;
            }
        }
        Some(asked) => {
            for topic in asked {
                add(describe_asked(shard, &image, topic, &refusals)).await;
            }
        }
    }
    let brokers = brokers(shard, caller.listener).map(|broker| MetadataResponseBroker {
        node_id: broker.id,
        host: broker.address.host.clone(),
        port: broker.address.port.into(),
        rack: Some(broker.rack),
    });
    let response = MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(image.cluster().cluster_id.to_string()),
        controller_id: controller(shard),
        topics,
        cluster_authorized_operations: on_cluster(request.include_cluster_authorized_operations),
        ..Default::default()
    };
    respond_charged(header, &response, charge)
}

/// About the bytes that the response takes while it is put together.
fn estimate(image: &Image, asked: Option<&[&MetadataRequestTopic]>) -> u64 {
    let bytes = |topic: &Arc<Topic>| {
        let partition_bytes = size_of::<MetadataResponsePartition>() + 2 * size_of::<BrokerId>();
        size_of::<MetadataResponseTopic>() + topic.partitions.len() * partition_bytes
    };
    let sum: usize = match asked {
        None => image.topics().map(bytes).sum(),
        Some(asked) => asked.iter().filter_map(|topic| find(image, topic)).map(bytes).sum(),
    };
    sum as u64
}

/// The topic that is asked for, if it exists.
fn find<'a>(image: &'a Image, asked: &MetadataRequestTopic) -> Option<&'a Arc<Topic>> {
    match asked.topic_id {
        TopicId::ZERO => image.topic_named(asked.name.as_deref().unwrap_or_default()),
        id => image.topic(id),
    }
}

/// The topics that were asked for, each once; `None` for all. Version 0 has no null: there, none means all.
fn asked_topics(request: &MetadataRequest, version: i16) -> Option<Vec<&MetadataRequestTopic>> {
    let topics = request.topics.as_deref().filter(|topics| version > 0 || !topics.is_empty())?;
    // A response must not be longer than the metadata because a topic is named again and again.
    let mut seen = HashSet::with_capacity(topics.len());
    let once = topics.iter().filter(|topic| {
        let named = topic.name.as_deref().filter(|_| topic.topic_id == TopicId::ZERO);
        seen.insert((topic.topic_id, named))
    });
    Some(once.collect())
}

/// Creates the topics that are asked for by name and do not exist. Returns why some could not be.
async fn create_missing(shard: &Shard, asked: &[&MetadataRequestTopic]) -> HashMap<String, ErrorCode> {
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
    match find(image, asked) {
        Some(topic) => describe(shard, topic),
        None if asked.topic_id != TopicId::ZERO => unknown(ErrorCode::UnknownTopicId),
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
    let copies = copies_of(shard, partition);
    MetadataResponsePartition {
        error_code: copies.error_code,
        partition_index: partition.index,
        leader_id: copies.leader_id,
        leader_epoch: partition.leader_epoch,
        replica_nodes: copies.replica_nodes,
        isr_nodes: copies.isr_nodes,
        ..Default::default()
    }
}
