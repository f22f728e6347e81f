//! DeleteRecords: moves the start of logs up.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream;

use crate::base::ids::{Offset, TopicId};
use crate::base::limits::PARTITIONS_PER_TURN;
use crate::protocol::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse,
    DeleteRecordsTopicResult, HIGH_WATERMARK,
};
use crate::protocol::{ErrorCode, RequestHeader};
use crate::shard::DeleteUpTo;

use super::errors::partition_error;
use super::reply::{Reply, respond};
use super::router::Caller;
use super::topics;

/// The low watermark of a partition of which nothing was deleted.
const INVALID_LOW_WATERMARK: Offset = -1;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: DeleteRecordsRequest) -> Reply {
    let runtime = &caller.shard.runtime;
    let deadline = runtime.now() + Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let name = &topic.name;
        let delete = |wanted| delete(caller, name, wanted, deadline);
        let partitions =
            stream::iter(topic.partitions).map(delete).buffered(PARTITIONS_PER_TURN).collect().await;
        topics.push(DeleteRecordsTopicResult { name: topic.name, partitions });
    }
    respond(header, &DeleteRecordsResponse { throttle_time_ms: 0, topics })
}

async fn delete(
    caller: &Caller,
    topic_name: &str,
    wanted: DeleteRecordsPartition,
    deadline: Duration,
) -> DeleteRecordsPartitionResult {
    let partition_index = wanted.partition_index;
    let (low_watermark, error_code) = match delete_up_to(caller, topic_name, wanted, deadline).await {
        Ok(log_start) => (log_start, ErrorCode::None),
        Err(error_code) => (INVALID_LOW_WATERMARK, error_code),
    };
    DeleteRecordsPartitionResult { partition_index, low_watermark, error_code }
}

async fn delete_up_to(
    caller: &Caller,
    topic_name: &str,
    wanted: DeleteRecordsPartition,
    deadline: Duration,
) -> Result<Offset, ErrorCode> {
    let shard = &caller.shard;
    let id = {
        let image = shard.image();
        topics::find_partition(&topics::find(&image, topic_name, TopicId::ZERO), wanted.partition_index)?
    };
    let up_to = match wanted.offset {
        HIGH_WATERMARK => DeleteUpTo::HighWatermark,
        0.. => DeleteUpTo::Offset(wanted.offset),
        _ => return Err(ErrorCode::OffsetOutOfRange),
    };
    let deleted = std::pin::pin!(shard.delete_records(id, up_to));
    let left = deadline.saturating_sub(shard.runtime.now());
    match select(deleted, shard.runtime.sleep(left)).await {
        Either::Left((outcome, _)) => outcome.map_err(|error| partition_error(&error)),
        // It may yet be carried out.
        Either::Right(_) => Err(ErrorCode::RequestTimedOut),
    }
}
