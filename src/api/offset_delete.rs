//! OffsetDelete. Waits until that is durable.

use crate::base::ids::TopicId;
use crate::coordinator::{NamedOffset, Request, Response};
use crate::protocol::messages::offset_delete::{
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::reply::{Reply, respond};
use super::router::Caller;
use super::topics;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: OffsetDeleteRequest) -> Reply {
    let image = caller.shard.image();
    let mut wanted: Vec<NamedOffset> = Vec::new();
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let found = topics::find(&image, &topic.name, TopicId::ZERO);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition_index in topic.partitions.iter().map(|partition| partition.partition_index) {
            let found = topics::find_partition(&found, partition_index);
            let error_code = found.err().unwrap_or(ErrorCode::None);
            if error_code == ErrorCode::None {
                wanted.push((topic.name.clone(), partition_index));
            }
            partitions.push(OffsetDeleteResponsePartition { partition_index, error_code });
        }
        topics.push(OffsetDeleteResponseTopic { name: topic.name, partitions });
    }
    let outcomes = match caller.shard.ask_group(Request::DeleteOffsets(request.group_id, wanted)).await {
        Response::DeleteOffsets(outcomes) => outcomes,
        other => unreachable!("an answer of another kind: {other:?}"),
    };
    let response = match outcomes {
        Err(error_code) => OffsetDeleteResponse { error_code, ..Default::default() },
        Ok(outcomes) => {
            let partitions = topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            let asked = partitions.filter(|partition| partition.error_code == ErrorCode::None);
            for (partition, outcome) in asked.zip(outcomes) {
                partition.error_code = outcome;
            }
            OffsetDeleteResponse { topics, ..Default::default() }
        }
    };
    respond(header, &response)
}
