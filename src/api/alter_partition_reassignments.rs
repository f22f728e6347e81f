//! AlterPartitionReassignments. A partition has one replica, and no other broker can be given it while the node runs; to
//! ask for the broker that has it changes nothing.

use crate::base::limits::DESCRIBED_PER_TURN;
use crate::cluster::PartitionRecord;
use crate::protocol::messages::alter_partition_reassignments::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ReassignablePartition,
    ReassignablePartitionResponse, ReassignableTopic, ReassignableTopicResponse,
};
use crate::protocol::{ErrorCode, RequestHeader};
use crate::shard::Shard;

use super::reply::{Reply, respond_charged, set_aside};
use super::router::Caller;
use super::topics;

const ONE_REPLICA: &str = "There is no replication yet: a partition has one replica.";
const NOT_MOVED: &str = "Partitions are not moved between brokers yet: a start with another number of shards deals them out anew.";

/// About the bytes of one partition's answer while the response is put together.
const ANSWER_BYTES: u64 = 160;
/// Partitions that are told in words why not; the others have the code. A short request could ask for many long ones.
const MESSAGES_MAX: usize = 100;

pub(super) async fn handle(
    caller: &Caller,
    header: &RequestHeader,
    request: AlterPartitionReassignmentsRequest,
) -> Reply {
    let partitions: usize = request.topics.iter().map(|topic| topic.partitions.len()).sum();
    let charge = set_aside(&caller.shard, partitions as u64 * ANSWER_BYTES).await;
    let mut responses = Vec::with_capacity(request.topics.len());
    let (mut messages_left, mut in_turn) = (MESSAGES_MAX, 0);
    for topic in request.topics {
        in_turn += topic.partitions.len() + 1;
        responses.push(reassigned(&caller.shard, topic, &mut messages_left));
        if in_turn >= DESCRIBED_PER_TURN {
            caller.shard.runtime.yield_now().await;
            in_turn = 0;
        }
    }
    let response = AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: request.allow_replication_factor_change,
        responses,
        ..Default::default()
    };
    respond_charged(header, &response, charge)
}

fn reassigned(
    shard: &Shard,
    asked: ReassignableTopic,
    messages_left: &mut usize,
) -> ReassignableTopicResponse {
    let image = shard.image();
    let topic = topics::named(&image, &asked.name);
    let mut respond = |partition: &ReassignablePartition| {
        let unknown = ErrorCode::UnknownTopicOrPartition;
        let found = topic.as_ref().ok().and_then(|topic| topic.partition(partition.partition_index));
        let outcome = match found {
            None => Err((unknown, unknown.meaning())),
            Some(found) => check(shard, found, partition.replicas.as_deref()),
        };
        let (error_code, message) = outcome.err().unzip();
        let message = message.filter(|_| *messages_left > 0);
        *messages_left -= usize::from(message.is_some());
        ReassignablePartitionResponse {
            partition_index: partition.partition_index,
            error_code: error_code.unwrap_or_default(),
            error_message: message.map(str::to_owned),
        }
    };
    let partitions = asked.partitions.iter().map(&mut respond).collect();
    ReassignableTopicResponse { name: asked.name, partitions }
}

/// Whether the partition is where it is asked to be.
fn check(
    shard: &Shard,
    partition: &PartitionRecord,
    replicas: Option<&[i32]>,
) -> Result<(), (ErrorCode, &'static str)> {
    match replicas {
        None => Err((ErrorCode::NoReassignmentInProgress, ErrorCode::NoReassignmentInProgress.meaning())),
        Some([broker]) if partition.owner().map(|owner| shard.broker_id_of(owner)) == Some(*broker) => Ok(()),
        Some([_]) => Err((ErrorCode::InvalidReplicaAssignment, NOT_MOVED)),
        Some(_) => Err((ErrorCode::InvalidReplicaAssignment, ONE_REPLICA)),
    }
}
