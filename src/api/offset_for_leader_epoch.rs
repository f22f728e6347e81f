//! OffsetForLeaderEpoch: where a leader's term ended (KIP-320).

use crate::base::ids::TopicId;
use crate::base::limits::PARTITIONS_PER_TURN;
use crate::protocol::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::errors::partition_error;
use super::reply::{Reply, respond};
use super::router::Caller;
use super::topics;

pub(super) async fn handle(
    caller: &Caller,
    header: &RequestHeader,
    request: OffsetForLeaderEpochRequest,
) -> Reply {
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut looks = 0;
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            let partition = wanted.partition;
            let end = end_of_epoch(caller, &topic.topic, &wanted).await;
            partitions.push(end.unwrap_or_else(|error_code| EpochEndOffset {
                error_code,
                partition,
                ..Default::default()
            }));
            looks += 1;
            if looks % PARTITIONS_PER_TURN == 0 {
                caller.shard.runtime.yield_now().await;
            }
        }
        topics.push(OffsetForLeaderTopicResult { topic: topic.topic, partitions });
    }
    respond(header, &OffsetForLeaderEpochResponse { throttle_time_ms: 0, topics })
}

async fn end_of_epoch(
    caller: &Caller,
    topic: &str,
    wanted: &OffsetForLeaderPartition,
) -> Result<EpochEndOffset, ErrorCode> {
    let image = caller.shard.image();
    let id = topics::find_partition(&topics::find(&image, topic, TopicId::ZERO), wanted.partition)?;
    let end = caller.shard.end_of_epoch(id, wanted.current_leader_epoch, wanted.leader_epoch).await;
    let answer = EpochEndOffset { partition: wanted.partition, ..Default::default() };
    Ok(match end.map_err(|error| partition_error(&error))? {
        Some(end) => EpochEndOffset { leader_epoch: end.leader_epoch, end_offset: end.end_offset, ..answer },
        None => answer,
    })
}
