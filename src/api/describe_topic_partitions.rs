//! DescribeTopicPartitions: topics page by page, in order of their names (KIP-966). A page ends at a number of
//! partitions and says where the next one begins.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::limits::DESCRIBED_PARTITIONS_MAX;
use crate::cluster::{Image, Topic, is_internal, validate_topic_name};
use crate::protocol::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use crate::protocol::{ErrorCode, RequestHeader};
use crate::shard::Shard;

use super::brokers::copies_of;
use super::operations::on_topic;
use super::reply::{Reply, respond};
use super::router::Caller;

pub(super) fn handle(
    caller: &Caller,
    header: &RequestHeader,
    request: &DescribeTopicPartitionsRequest,
) -> Reply {
    let shard = &caller.shard;
    let image = shard.image();
    let names = wanted(&image, request);
    let response = match is_cursor_valid(request, &names) {
        true => page(shard, &image, request, &names),
        false => refusal(request),
    };
    respond(header, &response)
}

/// The topics of this page and all later ones, each once, in order.
fn wanted<'a>(image: &'a Image, request: &'a DescribeTopicPartitionsRequest) -> BTreeSet<&'a str> {
    let from = request.cursor.as_ref().map_or("", |cursor| cursor.topic_name.as_str());
    let names: BTreeSet<&str> = match request.topics.is_empty() {
        true => image.topics().map(|topic| topic.record.name.as_str()).filter(|name| *name >= from).collect(),
        false => {
            request.topics.iter().map(|topic| topic.name.as_str()).filter(|name| *name >= from).collect()
        }
    };
    names
}

fn is_cursor_valid(request: &DescribeTopicPartitionsRequest, names: &BTreeSet<&str>) -> bool {
    request.cursor.as_ref().is_none_or(|cursor| {
        let is_listed = request.topics.is_empty() || names.contains(cursor.topic_name.as_str());
        is_listed && cursor.partition_index >= 0
    })
}

/// A cursor that points to nothing is an error of each topic, since the response has none of its own.
fn refusal(request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::InvalidRequest,
        name: Some(topic.name.clone()),
        ..Default::default()
    });
    DescribeTopicPartitionsResponse { topics: topics.collect(), ..Default::default() }
}

fn page(
    shard: &Shard,
    image: &Image,
    request: &DescribeTopicPartitionsRequest,
    names: &BTreeSet<&str>,
) -> DescribeTopicPartitionsResponse {
    let mut response = DescribeTopicPartitionsResponse::default();
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let mut left = limit.clamp(1, DESCRIBED_PARTITIONS_MAX);
    for &name in names {
        if left == 0 {
            response.next_cursor = Some(Cursor { topic_name: name.to_owned(), partition_index: 0 });
            break;
        }
        let Some(topic) = image.topic_named(name) else {
            response.topics.push(unknown(name));
            continue;
        };
        let cursor = request.cursor.as_ref().filter(|cursor| cursor.topic_name == name);
        let first = cursor.map_or(0, |cursor| usize::try_from(cursor.partition_index).unwrap_or(0));
        let described = describe(shard, topic, first, left);
        let end = first.saturating_add(described.partitions.len());
        left -= described.partitions.len();
        response.topics.push(described);
        if end < topic.partitions.len() {
            let partition_index = end as i32;
            response.next_cursor = Some(Cursor { topic_name: name.to_owned(), partition_index });
            break;
        }
    }
    response
}

fn unknown(name: &str) -> DescribeTopicPartitionsResponseTopic {
    let error_code = match validate_topic_name(name) {
        Ok(()) => ErrorCode::UnknownTopicOrPartition,
        Err(_) => ErrorCode::InvalidTopicException,
    };
    DescribeTopicPartitionsResponseTopic {
        error_code,
        name: Some(name.to_owned()),
        is_internal: is_internal(name),
        ..Default::default()
    }
}

fn describe(
    shard: &Shard,
    topic: &Arc<Topic>,
    first: usize,
    count: usize,
) -> DescribeTopicPartitionsResponseTopic {
    let partitions = topic.partitions.iter().skip(first).take(count).map(|partition| {
        let copies = copies_of(shard, partition);
        DescribeTopicPartitionsResponsePartition {
            error_code: copies.error_code,
            partition_index: partition.index,
            leader_id: copies.leader_id,
            leader_epoch: partition.leader_epoch,
            replica_nodes: copies.replica_nodes,
            isr_nodes: copies.isr_nodes,
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            ..Default::default()
        }
    });
    DescribeTopicPartitionsResponseTopic {
        name: Some(topic.record.name.clone()),
        topic_id: topic.record.id,
        is_internal: topic.record.internal,
        partitions: partitions.collect(),
        topic_authorized_operations: on_topic(true),
        ..Default::default()
    }
}
