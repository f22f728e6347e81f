//! ListOffsets: the ends of a log, or the first record of some time.

use std::cmp::Reverse;

use crate::base::ids::{PartitionId, TopicId};
use crate::protocol::messages::list_offsets::{
    EARLIEST_LOCAL_TIMESTAMP, EARLIEST_PENDING_UPLOAD_TIMESTAMP, EARLIEST_TIMESTAMP, LATEST_TIERED_TIMESTAMP,
    LATEST_TIMESTAMP, ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest,
    ListOffsetsResponse, ListOffsetsTopicResponse, MAX_TIMESTAMP,
};
use crate::protocol::{ErrorCode, RequestHeader};
use crate::shard::{LookUp, LookUpOutcome};

use super::errors::partition_error;
use super::record_time::{Wanted, find_record};
use super::reply::{Reply, respond};
use super::router::Caller;
use super::topics;

/// What a timestamp of a request stands for.
enum Meaning {
    LookUp(LookUp),
    /// The end of what is in tiered storage, of which there is none.
    Tiered,
    /// Not in this version.
    Unsupported,
}

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: ListOffsetsRequest) -> Reply {
    let mut topics = Vec::with_capacity(request.topics.len());
    for topic in request.topics {
        let image = caller.shard.image();
        let found = topics::find(&image, &topic.name, TopicId::ZERO);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            let answer = match topics::find_partition(&found, wanted.partition_index) {
                Ok(id) => look_up(caller, header.version, id, &wanted).await,
                Err(code) => Err(code),
            };
            let index = wanted.partition_index;
            partitions.push(answer.unwrap_or_else(|error_code| ListOffsetsPartitionResponse {
                partition_index: index,
                error_code,
                ..Default::default()
            }));
        }
        topics.push(ListOffsetsTopicResponse { name: topic.name, partitions });
    }
    respond(header, &ListOffsetsResponse { throttle_time_ms: 0, topics })
}

async fn look_up(
    caller: &Caller,
    version: i16,
    id: PartitionId,
    wanted: &ListOffsetsPartition,
) -> Result<ListOffsetsPartitionResponse, ErrorCode> {
    let nothing =
        ListOffsetsPartitionResponse { partition_index: wanted.partition_index, ..Default::default() };
    let what = match meaning(wanted.timestamp, version) {
        Meaning::LookUp(what) => what,
        Meaning::Tiered => return Ok(nothing),
        Meaning::Unsupported => return Err(ErrorCode::UnsupportedVersion),
    };
    let outcome = caller.shard.look_up(id, wanted.current_leader_epoch, what).await;
    Ok(match outcome.map_err(|error| partition_error(&error))? {
        LookUpOutcome::Nothing => nothing,
        LookUpOutcome::At { offset, leader_epoch } => {
            ListOffsetsPartitionResponse { offset, leader_epoch, ..nothing }
        }
        LookUpOutcome::InBatches { batches, log_start } => {
            let found = batches.iter().filter_map(|batch| find_record(batch, wanted_of(what), log_start));
            match found.min_by_key(|found| (Reverse(found.timestamp), found.offset)) {
                None => nothing,
                Some(found) => ListOffsetsPartitionResponse {
                    offset: found.offset,
                    timestamp: found.timestamp,
                    leader_epoch: found.leader_epoch,
                    ..nothing
                },
            }
        }
    })
}

fn meaning(timestamp: i64, version: i16) -> Meaning {
    match timestamp {
        LATEST_TIMESTAMP => Meaning::LookUp(LookUp::Latest),
        EARLIEST_TIMESTAMP => Meaning::LookUp(LookUp::Earliest),
        MAX_TIMESTAMP if version >= 7 => Meaning::LookUp(LookUp::MaxTimestamp),
        EARLIEST_LOCAL_TIMESTAMP if version >= 8 => Meaning::LookUp(LookUp::Earliest),
        LATEST_TIERED_TIMESTAMP if version >= 9 => Meaning::Tiered,
        EARLIEST_PENDING_UPLOAD_TIMESTAMP if version >= 11 => Meaning::Tiered,
        time if time >= 0 => Meaning::LookUp(LookUp::Time(time)),
        _ => Meaning::Unsupported,
    }
}

fn wanted_of(what: LookUp) -> Wanted {
    match what {
        LookUp::Time(timestamp) => Wanted::AtLeast(timestamp),
        LookUp::Earliest | LookUp::Latest | LookUp::MaxTimestamp => Wanted::Largest,
    }
}
