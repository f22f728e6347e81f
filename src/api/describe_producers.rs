//! DescribeProducers: the idempotent producers that partitions know (KIP-664).

use crate::base::ids::TopicId;
use crate::base::limits::DESCRIBED_PRODUCERS_MAX;
use crate::partition::ActiveProducer;
use crate::protocol::messages::describe_producers::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState, TopicResponse,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::errors::partition_error;
use super::reply::{Reply, respond};
use super::router::Caller;
use super::topics;

/// The epoch of the coordinator of a producer without transactions.
const NO_COORDINATOR: i32 = -1;

pub(super) async fn handle(
    caller: &Caller,
    header: &RequestHeader,
    request: DescribeProducersRequest,
) -> Reply {
    let mut topics = Vec::with_capacity(request.topics.len());
    let mut left = DESCRIBED_PRODUCERS_MAX;
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partition_indexes.len());
        for partition_index in topic.partition_indexes {
            let mut response = PartitionResponse { partition_index, ..Default::default() };
            match producers(caller, &topic.name, partition_index, left).await {
                Ok(producers) => {
                    left -= producers.len();
                    response.active_producers = producers.iter().map(state).collect();
                }
                Err(error_code) => {
                    let message = match error_code {
                        ErrorCode::PolicyViolation => "Too many producers: ask for fewer partitions at once.",
                        other => other.meaning(),
                    };
                    (response.error_code, response.error_message) = (error_code, Some(message.to_owned()));
                }
            }
            partitions.push(response);
            // One partition's may be thousands.
            caller.shard.runtime.yield_now().await;
        }
        topics.push(TopicResponse { name: topic.name, partitions });
    }
    respond(header, &DescribeProducersResponse { throttle_time_ms: 0, topics })
}

async fn producers(
    caller: &Caller,
    topic: &str,
    index: i32,
    max: usize,
) -> Result<Vec<ActiveProducer>, ErrorCode> {
    let image = caller.shard.image();
    let id = topics::find_partition(&topics::find(&image, topic, TopicId::ZERO), index)?;
    let producers = caller.shard.producers(id, max).await.map_err(|error| partition_error(&error))?;
    producers.ok_or(ErrorCode::PolicyViolation)
}

fn state(producer: &ActiveProducer) -> ProducerState {
    ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch.into(),
        last_sequence: producer.last_sequence,
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: NO_COORDINATOR,
        ..Default::default()
    }
}
