//! Produce: batches are accepted by their topics, then appended to their partitions in the order of the request.
//!
//! A transactional id is answered with TRANSACTIONAL_ID_AUTHORIZATION_FAILED: of all errors it is the one that both
//! the Java client and librdkafka take for final, where they would retry an unsupported version for ever or report
//! it as unexpected.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::base::limits::{PRODUCE_COST_BYTES, PRODUCE_PARTITION_COST_BYTES};
use crate::cluster::Topic;
use crate::protocol::ErrorCode;
use crate::protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use crate::shard::{self, Charge, PartitionError, PauseReason, PendingAppend};

use super::accept::accept;
use super::errors::partition_error;
use super::pending_produce::{Acks, PartitionAppend, PendingProduce, TopicAppends, refusal};
use super::router::{Caller, ProduceCall};
use super::topics;

/// The first version that carries record batches, the only format that there still is.
const BATCH_VERSION: i16 = 3;

/// Appends what can be appended. The rest is refused partition by partition.
pub(super) async fn begin(caller: &Caller, call: ProduceCall) -> PendingProduce {
    let ProduceCall { header, request } = call;
    let bytes = produce_cost(&request);
    // Waits for the disk, and with it the connection: so TCP slows the client.
    let memory = caller.shard.budgets.undurable.take(bytes);
    let mut undurable = caller.shard.paused_for(PauseReason::Undurable, memory).await;
    let acks = Acks::from_wire(request.acks);
    let wanted = acks.map_or(shard::Acks::All, Acks::of_append);
    let deadline = (acks == Some(Acks::All)).then(|| {
        let timeout_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
        caller.shard.runtime.now() + Duration::from_millis(timeout_ms)
    });
    let whole_refusal = refuse_whole(&request, header.version, acks);
    let mut appends = Vec::with_capacity(request.topic_data.len());
    for topic in request.topic_data {
        appends.push(
            append_topic(caller, (header.version, wanted), &mut undurable, whole_refusal.as_ref(), topic)
                .await,
        );
    }
    PendingProduce::new(caller.clone(), header, acks, deadline, appends, undurable)
}

/// Memory for the records, and for what is kept of the request, until all is durable.
fn produce_cost(request: &ProduceRequest) -> u64 {
    let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let bytes = partitions.map(|partition| {
        PRODUCE_PARTITION_COST_BYTES + partition.records.as_ref().map_or(0, |records| records.len() as u64)
    });
    PRODUCE_COST_BYTES + bytes.sum::<u64>()
}

/// Why the whole request is refused, if it is.
fn refuse_whole(
    request: &ProduceRequest,
    version: i16,
    acks: Option<Acks>,
) -> Option<(ErrorCode, &'static str)> {
    if version < BATCH_VERSION {
        let reason = "Record formats before version 2 are not accepted. Use a client of Kafka 0.11 or later.";
        return Some((ErrorCode::UnsupportedForMessageFormat, reason));
    }
    if acks.is_none() {
        return Some((ErrorCode::InvalidRequiredAcks, "acks must be -1, 0 or 1."));
    }
    if request.transactional_id.is_some() {
        let reason = "Transactions are not supported. Configure the producer without a transactional.id.";
        return Some((ErrorCode::TransactionalIdAuthorizationFailed, reason));
    }
    None
}

async fn append_topic(
    caller: &Caller,
    (version, acks): (i16, shard::Acks),
    undurable: &mut Charge,
    whole_refusal: Option<&(ErrorCode, &'static str)>,
    data: TopicProduceData,
) -> TopicAppends {
    let image = caller.shard.image();
    let topic = topics::find(&image, &data.name, data.topic_id);
    let mut partitions = Vec::with_capacity(data.partition_data.len());
    for PartitionProduceData { index, records } in data.partition_data {
        let appended = match whole_refusal {
            Some((code, reason)) => Err(refusal(index, *code, Some((*reason).to_owned()))),
            None if topic.is_ok_and(|topic| topic.record.internal) => {
                let reason = "The broker keeps its own state in this topic.".to_owned();
                Err(refusal(index, ErrorCode::InvalidTopicException, Some(reason)))
            }
            None => append_partition(caller, (version, acks), undurable, &topic, index, records).await,
        };
        let id = topics::find_partition(&topic, index).ok();
        partitions.push(match appended {
            Ok(pending) => PartitionAppend::Pending { index, id, pending },
            Err(refused) => PartitionAppend::Done { id, response: refused },
        });
    }
    TopicAppends { name: data.name, topic_id: data.topic_id, partitions }
}

/// Refuses what clients send while the disk is nearly full, before anything is done with it. All shards share the disk,
/// so it does not matter whose partition it is.
fn check_space(caller: &Caller) -> Result<(), PartitionError> {
    caller.shard.storage.check_space().map_err(PartitionError::Storage)
}

async fn append_partition(
    caller: &Caller,
    (version, acks): (i16, shard::Acks),
    undurable: &mut Charge,
    topic: &Result<&Arc<Topic>, ErrorCode>,
    index: i32,
    records: Option<Bytes>,
) -> Result<PendingAppend, PartitionProduceResponse> {
    let id = topics::find_partition(topic, index).map_err(|code| refusal(index, code, None))?;
    let topic = topic.as_ref().map_err(|code| refusal(index, *code, None))?;
    check_space(caller).map_err(|error| refusal(index, partition_error(&error), Some(error.to_string())))?;
    let settings = caller.shard.topic_settings(topic);
    let records = records.unwrap_or_default();
    let came_bytes = records.len() as u64;
    let (header, batch) = accept(&caller.shard, &settings, version, records)
        .await
        .map_err(|refused| refused.response(index))?;
    // What a batch has become longer by is no reason to wait any more.
    undurable.adjust(undurable.bytes() + (batch.len() as u64).saturating_sub(came_bytes));
    Ok(caller.shard.append_for(acks, id, &header, batch).await)
}
