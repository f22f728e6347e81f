//! OffsetFetch: of one group, or since version 8 of several. Offsets are stable always, since there are no
//! transactions that could still change them.

use std::collections::HashSet;

use crate::base::ids::TopicId;
use crate::cluster::Image;
use crate::coordinator::{FetchedOffset, Request, Response};
use crate::protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::reply::{Reply, respond};
use super::router::Caller;
use super::topics;

/// The first version that asks for several groups (KIP-709).
const GROUPS_VERSION: i16 = 8;
/// The first version that has a place for an error of the whole group.
const GROUP_ERROR_VERSION: i16 = 2;
/// The first version that names topics by their ids.
const TOPIC_ID_VERSION: i16 = 10;

/// Topics with partitions.
type Wanted = Vec<(String, Vec<i32>)>;
/// Topics with offsets.
type Fetched = Vec<(String, Vec<FetchedOffset>)>;

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: OffsetFetchRequest) -> Reply {
    if header.version < GROUPS_VERSION {
        return respond(header, &one_group(caller, header.version, request).await);
    }
    let mut groups = Vec::with_capacity(request.groups.len());
    // A response must not be longer than the offsets because a group is named again and again.
    let mut seen = HashSet::new();
    for group in request.groups.into_iter().filter(|group| seen.insert(group.group_id.clone())) {
        groups.push(match header.version < TOPIC_ID_VERSION {
            true => by_name(caller, group).await,
            false => by_id(caller, group).await,
        });
    }
    respond(header, &OffsetFetchResponse { groups, ..Default::default() })
}

async fn fetch(caller: &Caller, group_id: &str, wanted: Option<Wanted>) -> Result<Fetched, ErrorCode> {
    match caller.shard.ask_group(Request::FetchOffsets(group_id.to_owned(), wanted)).await {
        Response::FetchOffsets(offsets) => offsets,
        other => unreachable!("an answer of another kind: {other:?}"),
    }
}

async fn one_group(caller: &Caller, version: i16, request: OffsetFetchRequest) -> OffsetFetchResponse {
    let names = |topic: OffsetFetchRequestTopic| (topic.name, topic.partition_indexes);
    let wanted: Option<Wanted> = request.topics.map(|topics| topics.into_iter().map(names).collect());
    let asked = wanted.clone().unwrap_or_default();
    match fetch(caller, &request.group_id, wanted).await {
        Ok(fetched) => {
            let topics = fetched.into_iter().map(|(name, offsets)| OffsetFetchResponseTopic {
                name,
                partitions: offsets.into_iter().map(old_partition).collect(),
            });
            OffsetFetchResponse { topics: topics.collect(), ..Default::default() }
        }
        Err(error_code) if version >= GROUP_ERROR_VERSION => {
            OffsetFetchResponse { error_code, ..Default::default() }
        }
        Err(error_code) => {
            let refuse = |partition_index| OffsetFetchResponsePartition {
                partition_index,
                committed_offset: -1,
                error_code,
                ..Default::default()
            };
            let topics = asked.into_iter().map(|(name, partitions)| OffsetFetchResponseTopic {
                name,
                partitions: partitions.into_iter().map(refuse).collect(),
            });
            OffsetFetchResponse { topics: topics.collect(), ..Default::default() }
        }
    }
}

fn old_partition(fetched: FetchedOffset) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition {
        partition_index: fetched.partition,
        committed_offset: fetched.offset,
        committed_leader_epoch: fetched.leader_epoch,
        metadata: Some(fetched.metadata),
        error_code: ErrorCode::None,
    }
}

fn partition(fetched: FetchedOffset) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: fetched.partition,
        committed_offset: fetched.offset,
        committed_leader_epoch: fetched.leader_epoch,
        metadata: Some(fetched.metadata),
        error_code: ErrorCode::None,
    }
}

async fn by_name(caller: &Caller, group: OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    let OffsetFetchRequestGroup { group_id, topics, .. } = group;
    let names = |topic: OffsetFetchRequestTopics| (topic.name, topic.partition_indexes);
    let wanted = topics.map(|topics| topics.into_iter().map(names).collect());
    match fetch(caller, &group_id, wanted).await {
        Ok(fetched) => {
            let topics = fetched.into_iter().map(|(name, offsets)| OffsetFetchResponseTopics {
                name,
                partitions: offsets.into_iter().map(partition).collect(),
                ..Default::default()
            });
            OffsetFetchResponseGroup { group_id, topics: topics.collect(), error_code: ErrorCode::None }
        }
        Err(error_code) => OffsetFetchResponseGroup { group_id, error_code, ..Default::default() },
    }
}

async fn by_id(caller: &Caller, group: OffsetFetchRequestGroup) -> OffsetFetchResponseGroup {
    let OffsetFetchRequestGroup { group_id, topics, .. } = group;
    let image = caller.shard.image();
    let (mut wanted, mut unknown) = (None, Vec::new());
    if let Some(topics) = topics {
        let mut known = Wanted::new();
        for OffsetFetchRequestTopics { topic_id, partition_indexes, .. } in topics {
            match topics::identified(&image, topic_id) {
                Ok(topic) => known.push((topic.record.name.clone(), partition_indexes)),
                Err(error_code) => unknown.push(unknown_topic(topic_id, &partition_indexes, error_code)),
            }
        }
        wanted = Some(known);
    }
    match fetch(caller, &group_id, wanted).await {
        Ok(fetched) => {
            // A topic that was deleted has no id to be told by.
            let known = fetched.into_iter().filter_map(|topic| identified(&image, topic));
            let topics = known.chain(unknown).collect();
            OffsetFetchResponseGroup { group_id, topics, error_code: ErrorCode::None }
        }
        Err(error_code) => OffsetFetchResponseGroup { group_id, error_code, ..Default::default() },
    }
}

fn identified(
    image: &Image,
    (name, offsets): (String, Vec<FetchedOffset>),
) -> Option<OffsetFetchResponseTopics> {
    let topic_id = image.topic_named(&name)?.record.id;
    let partitions = offsets.into_iter().map(partition).collect();
    Some(OffsetFetchResponseTopics { topic_id, partitions, ..Default::default() })
}

fn unknown_topic(topic_id: TopicId, partitions: &[i32], error_code: ErrorCode) -> OffsetFetchResponseTopics {
    let refuse = |partition_index: &i32| OffsetFetchResponsePartitions {
        partition_index: *partition_index,
        committed_offset: -1,
        error_code,
        ..Default::default()
    };
    let partitions = partitions.iter().map(refuse).collect();
    OffsetFetchResponseTopics { topic_id, partitions, ..Default::default() }
}
