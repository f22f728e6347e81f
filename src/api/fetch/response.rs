//! The response to a fetch: what was found, topic by topic.

use std::collections::HashMap;

use crate::base::ids::TopicId;
use crate::protocol::messages::fetch::{FetchResponse, FetchableTopicResponse, NodeEndpoint, PartitionData};
use crate::protocol::{ErrorCode, Pieces, RequestHeader};
use crate::shard::{FetchPartitions, Offsets, OpenFetch, Slot, TopicKey};

use super::super::leader_hints::endpoints;
use super::super::reply::{Reply, respond_charged};
use super::super::router::Caller;
use super::handle::Limits;
use super::round::Round;

/// The isolation level of a reader that is to be told of aborted transactions, of which there are none.
const READ_COMMITTED: i8 = 1;

/// Ends a fetch with what its last walk found and with the offsets that changed.
pub(super) fn respond_with(
    caller: &Caller,
    header: &RequestHeader,
    mut fetch: OpenFetch,
    round: Round,
    limits: &Limits,
) -> Reply {
    let mut answers = round.answers;
    answers.iter().for_each(|(slot, _)| fetch.partitions.tell(*slot));
    for (slot, offsets) in fetch.partitions.take_news() {
        if let Some((_, index, _)) = fetch.partitions.get(slot) {
            answers.push((slot, answer(index, limits.isolation_level, offsets, Pieces::default())));
        }
    }
    // In the order in which the client first named them.
    answers.sort_unstable_by_key(|(slot, _)| *slot);
    let mut topics = Topics::default();
    for (slot, data) in answers {
        topics.push(&fetch.partitions, slot, data);
    }
    let partitions = topics.responses.iter().flat_map(|topic| &topic.partitions);
    let hinted = partitions.map(|partition| partition.current_leader.leader_id);
    let node_endpoints = endpoints(caller, hinted)
        .into_iter()
        .map(|(node_id, host, port, rack)| NodeEndpoint { node_id, host, port, rack })
        .collect();
    let runtime = &caller.shard.runtime;
    let session_id = fetch.close(runtime.now(), || runtime.random_u64());
    let responses = topics.responses;
    let response = FetchResponse { session_id, responses, node_endpoints, ..Default::default() };
    respond_charged(header, &response, round.charge)
}

/// A partition's answer without an error.
pub(super) fn answer(index: i32, isolation_level: i8, offsets: Offsets, records: Pieces) -> PartitionData {
    PartitionData {
        partition_index: index,
        high_watermark: offsets.high_watermark,
        last_stable_offset: offsets.high_watermark,
        log_start_offset: offsets.log_start,
        aborted_transactions: (isolation_level == READ_COMMITTED).then(Vec::new),
        records: Some(records),
        ..Default::default()
    }
}

/// A partition's answer with an error.
pub(super) fn refusal(index: i32, error_code: ErrorCode) -> PartitionData {
    let records = Some(Pieces::default());
    PartitionData { partition_index: index, error_code, high_watermark: -1, records, ..Default::default() }
}

/// Partitions under their topics, in the order in which they come.
#[derive(Default)]
struct Topics {
    responses: Vec<FetchableTopicResponse>,
    places: HashMap<TopicKey, usize>,
}

impl Topics {
    fn push(&mut self, partitions: &FetchPartitions, slot: Slot, data: PartitionData) {
        let Some((key, ..)) = partitions.get(slot) else { return };
        let at = match self.places.get(key) {
            Some(&at) => at,
            None => {
                self.places.insert(key.clone(), self.responses.len());
                let (topic, topic_id) = match key {
                    TopicKey::Name(name) => (name.to_string(), TopicId::ZERO),
                    TopicKey::Id(id) => (String::new(), *id),
                };
                self.responses.push(FetchableTopicResponse { topic, topic_id, partitions: Vec::new() });
                self.responses.len() - 1
            }
        };
        self.responses[at].partitions.push(data);
    }
}
