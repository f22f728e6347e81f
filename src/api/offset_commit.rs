//! OffsetCommit. Waits until the offsets are durable.

use std::sync::Arc;

use crate::cluster::{Image, Topic};
use crate::coordinator::{Commit, NewOffset, Request, Response};
use crate::protocol::messages::offset_commit::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponse,
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::reply::{Reply, respond};
use super::router::Caller;
use super::topics;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: OffsetCommitRequest) -> Reply {
    let image = caller.shard.image();
    let mut offsets = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for OffsetCommitRequestTopic { name, topic_id, partitions } in request.topics {
        let found = topics::find(&image, &name, topic_id);
        let sort = |partition| sort(&found, partition, &mut offsets);
        let partitions = partitions.into_iter().map(sort).collect();
        topics.push(OffsetCommitResponseTopic { name, topic_id, partitions });
    }
    drop::<Arc<Image>>(image);
    if !offsets.is_empty() {
        let commit = Commit {
            group_id: request.group_id,
            generation_id: request.generation_id_or_member_epoch,
            member_id: request.member_id,
            group_instance_id: request.group_instance_id,
            retention_ms: Some(request.retention_time_ms).filter(|ms| *ms >= 0),
            offsets,
        };
        let outcomes = match caller.shard.ask_group(Request::Commit(commit)).await {
            Response::Commit(outcomes) => outcomes,
            other => unreachable!("an answer of another kind: {other:?}"),
        };
        let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
        let asked = partitions.filter(|partition| partition.error_code == ErrorCode::None);
        for (partition, outcome) in asked.zip(outcomes) {
            partition.error_code = outcome;
        }
    }
    respond(header, &OffsetCommitResponse { throttle_time_ms: 0, topics })
}

/// Puts an offset among those that are committed, or says why it is not one.
fn sort(
    topic: &Result<&Arc<Topic>, ErrorCode>,
    partition: OffsetCommitRequestPartition,
    offsets: &mut Vec<NewOffset>,
) -> OffsetCommitResponsePartition {
    let partition_index = partition.partition_index;
    let error_code = match (topics::find_partition(topic, partition_index), topic) {
        (Ok(_), Ok(topic)) => {
            offsets.push(NewOffset {
                topic: topic.record.name.clone(),
                partition: partition_index,
                offset: partition.committed_offset,
                leader_epoch: partition.committed_leader_epoch,
                metadata: partition.committed_metadata.unwrap_or_default(),
            });
            ErrorCode::None
        }
        (Err(error_code), _) => error_code,
        (_, Err(error_code)) => *error_code,
    };
    OffsetCommitResponsePartition { partition_index, error_code }
}
