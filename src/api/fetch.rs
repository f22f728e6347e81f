//! Fetch: batches from several partitions, waiting for more until there are enough or time is up.
//!
//! Every fetch is a full one: session id 0 is answered, which tells the client that no session was made (KIP-227).
//! There are no transactions, so the last stable offset is the high watermark at either isolation level.

use std::time::Duration;

use futures_util::future::select;

use crate::base::ids::{Offset, PartitionId};
use crate::base::limits::{FETCH_WAIT_MS_MAX, PARTITIONS_PER_TURN};
use crate::protocol::messages::fetch::{
    EpochEndOffset, FetchPartition, FetchRequest, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
    NodeEndpoint, PartitionData,
};
use crate::protocol::{ErrorCode, Pieces, RequestHeader};
use crate::shard::{Charge, PartitionError, Phase, ReadOutcome, ReadRequest};

use super::errors::partition_error;
use super::leader_hints::{endpoints, hint};
use super::reply::{Reply, respond, respond_charged};
use super::router::Caller;
use super::topics;

/// Session epochs of a full fetch: without a session, and one that would begin a session.
const FULL_FETCH_EPOCHS: [i32; 2] = [-1, 0];

/// The isolation level of a reader that is to be told of aborted transactions, of which there are none.
const READ_COMMITTED: i8 = 1;

/// The terms of one request, as it and the broker's configuration set them.
struct Limits {
    bytes_min: usize,
    bytes_max: usize,
    deadline: Duration,
    isolation_level: i8,
}

/// All partitions, read once.
#[derive(Default)]
struct Round {
    responses: Vec<FetchableTopicResponse>,
    bytes: usize,
    /// The response must not wait: something failed, or the reader's log went another way.
    is_urgent: bool,
    /// What to wait for if there is too little.
    seen: Vec<(PartitionId, Offset)>,
    charge: Option<Charge>,
}

pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: FetchRequest) -> Reply {
    if !FULL_FETCH_EPOCHS.contains(&request.session_epoch) {
        let error_code = ErrorCode::FetchSessionIdNotFound;
        return respond(header, &FetchResponse { error_code, ..Default::default() });
    }
    let limits = Limits::of(caller, &request);
    loop {
        let round = read_all(caller, &request, &limits).await;
        let is_enough = round.bytes >= limits.bytes_min || round.is_urgent || round.seen.is_empty();
        if is_enough || !wait(caller, &round.seen, limits.deadline).await {
            return finish(caller, header, round);
        }
    }
}

impl Limits {
    fn of(caller: &Caller, request: &FetchRequest) -> Self {
        let bytes = |wanted: i32| usize::try_from(wanted).unwrap_or(0);
        let bytes_max = bytes(request.max_bytes).min(caller.shard.config.fetch_max_bytes);
        let wait_ms = u64::try_from(request.max_wait_ms).unwrap_or(0).min(FETCH_WAIT_MS_MAX);
        Limits {
            bytes_min: bytes(request.min_bytes).min(bytes_max),
            bytes_max,
            deadline: caller.shard.runtime.now() + Duration::from_millis(wait_ms),
            isolation_level: request.isolation_level,
        }
    }
}

/// Waits for more to read; `false` if there is no time left.
async fn wait(caller: &Caller, seen: &[(PartitionId, Offset)], deadline: Duration) -> bool {
    let shard = &caller.shard;
    let now = shard.runtime.now();
    if now >= deadline || shard.phases.current() >= Phase::Draining {
        return false;
    }
    let progress = std::pin::pin!(shard.progress(seen));
    let draining = std::pin::pin!(shard.phases.reached(Phase::Draining));
    select(progress, select(draining, shard.runtime.sleep(deadline - now))).await;
    // Whatever it was, one more look; what comes after time is up is not waited for.
    true
}

async fn read_all(caller: &Caller, request: &FetchRequest, limits: &Limits) -> Round {
    let mut round = Round::default();
    let mut partitions_read = 0;
    for topic in &request.topics {
        let image = caller.shard.image();
        let found = topics::find(&image, &topic.topic, topic.topic_id);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in &topic.partitions {
            let data = match topics::find_partition(&found, wanted.partition) {
                Ok(id) => read_partition(caller, id, wanted, limits, &mut round).await,
                Err(code) => round.refusal(wanted.partition, code),
            };
            partitions.push(data);
            partitions_read += 1;
            if partitions_read % PARTITIONS_PER_TURN == 0 {
                caller.shard.runtime.yield_now().await;
            }
        }
        let (topic, topic_id) = (topic.topic.clone(), topic.topic_id);
        round.responses.push(FetchableTopicResponse { topic, topic_id, partitions });
    }
    round
}

async fn read_partition(
    caller: &Caller,
    id: PartitionId,
    wanted: &FetchPartition,
    limits: &Limits,
    round: &mut Round,
) -> PartitionData {
    let partition_max = usize::try_from(wanted.partition_max_bytes).unwrap_or(0);
    let mut max_bytes = partition_max.min(limits.bytes_max.saturating_sub(round.bytes));
    let budget = &caller.shard.budgets.fetches;
    // Memory is waited for by those who hold none; others make do with what they have.
    let mut charge = match round.bytes {
        0 => {
            round.charge = None;
            Some(budget.take(max_bytes as u64).await)
        }
        _ => budget.try_take(max_bytes as u64),
    };
    if charge.is_none() {
        max_bytes = 0;
    }
    let read = ReadRequest {
        offset: wanted.fetch_offset,
        max_bytes,
        at_least_one_batch: round.bytes == 0,
        current_leader_epoch: wanted.current_leader_epoch,
        last_fetched_epoch: wanted.last_fetched_epoch,
    };
    match caller.shard.read(id, read).await {
        Ok(outcome) => {
            round.charge(charge.take(), outcome.bytes() as u64);
            round.found(id, wanted.partition, limits.isolation_level, outcome)
        }
        Err(error) => refused(caller, id, wanted.partition, &error, round),
    }
}

fn refused(
    caller: &Caller,
    id: PartitionId,
    index: i32,
    error: &PartitionError,
    round: &mut Round,
) -> PartitionData {
    let mut data = round.refusal(index, partition_error(error));
    if let Some(hint) = hint(caller, id, data.error_code) {
        data.current_leader = LeaderIdAndEpoch { leader_id: hint.leader_id, leader_epoch: hint.leader_epoch };
    }
    data
}

impl Round {
    /// Counts the memory of what was read now, instead of what was set aside for it.
    fn charge(&mut self, set_aside: Option<Charge>, bytes: u64) {
        let Some(mut set_aside) = set_aside else { return };
        match &mut self.charge {
            None => {
                set_aside.adjust(bytes);
                self.charge = Some(set_aside);
            }
            Some(charge) => {
                drop(set_aside);
                charge.adjust(charge.bytes() + bytes);
            }
        }
    }

    fn found(
        &mut self,
        id: PartitionId,
        partition_index: i32,
        isolation_level: i8,
        outcome: ReadOutcome,
    ) -> PartitionData {
        self.bytes += outcome.bytes();
        self.seen.push((id, outcome.high_watermark));
        let mut data = PartitionData {
            partition_index,
            high_watermark: outcome.high_watermark,
            last_stable_offset: outcome.high_watermark,
            log_start_offset: outcome.log_start,
            aborted_transactions: (isolation_level == READ_COMMITTED).then(Vec::new),
            records: Some(Pieces(outcome.batches)),
            ..Default::default()
        };
        if let Some(end) = outcome.diverging {
            data.diverging_epoch = EpochEndOffset { epoch: end.leader_epoch, end_offset: end.end_offset };
            self.is_urgent = true;
        }
        data
    }

    fn refusal(&mut self, partition_index: i32, error_code: ErrorCode) -> PartitionData {
        self.is_urgent = true;
        let records = Some(Pieces::default());
        PartitionData { partition_index, error_code, high_watermark: -1, records, ..Default::default() }
    }
}

fn finish(caller: &Caller, header: &RequestHeader, round: Round) -> Reply {
    let partitions = round.responses.iter().flat_map(|topic| &topic.partitions);
    let hinted = partitions.map(|partition| partition.current_leader.leader_id);
    let node_endpoints = endpoints(caller, hinted)
        .into_iter()
        .map(|(node_id, host, port, rack)| NodeEndpoint { node_id, host, port, rack })
        .collect();
    let response = FetchResponse { responses: round.responses, node_endpoints, ..Default::default() };
    respond_charged(header, &response, round.charge)
}
