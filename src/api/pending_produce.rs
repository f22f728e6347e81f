//! A produce request whose records are on their way to the disk, and the response that it becomes.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::base::ids::{PartitionId, TopicId};
use crate::protocol::messages::produce::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use crate::protocol::{ErrorCode, RequestHeader};
use crate::shard::{self, Accepted, Charge, PartitionError, PendingAppend};

use super::errors::partition_error;
use super::leader_hints::{endpoints, hint};
use super::reply::{Refused, Reply, respond};
use super::router::Caller;

/// When a produce request is answered. What is acknowledged is durable in both cases: on the leader's disk, or on those
/// of all in-sync replicas.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Acks {
    /// 0: never.
    None,
    /// 1: when the leader has synced the records.
    Leader,
    /// -1: when all in-sync replicas have.
    All,
}

impl Acks {
    /// The meaning of the wire's number; there are three.
    pub(super) fn from_wire(acks: i16) -> Option<Self> {
        match acks {
            0 => Some(Acks::None),
            1 => Some(Acks::Leader),
            -1 => Some(Acks::All),
            _ => None,
        }
    }

    /// What an append waits for. Nobody is told of the outcome of 0, but memory is held until it is there.
    pub(super) fn of_append(self) -> shard::Acks {
        match self {
            Acks::None | Acks::Leader => shard::Acks::Leader,
            Acks::All => shard::Acks::All,
        }
    }
}

/// What becomes of one partition's batch.
pub(super) enum PartitionAppend {
    /// It is on its way.
    Pending { index: i32, id: Option<PartitionId>, pending: PendingAppend },
    /// This.
    Done { id: Option<PartitionId>, response: PartitionProduceResponse },
}

/// What becomes of one topic's batches, in the order of the request.
pub(super) struct TopicAppends {
    pub(super) name: String,
    pub(super) topic_id: TopicId,
    pub(super) partitions: Vec<PartitionAppend>,
}

/// See the module. A future that completes when nothing is pending any more; [`PendingProduce::reply`] may be
/// asked earlier, when time is up.
pub struct PendingProduce {
    caller: Caller,
    header: RequestHeader,
    /// `None` where the request's are illegal.
    acks: Option<Acks>,
    deadline: Option<Duration>,
    topics: Vec<TopicAppends>,
    /// What was answered for and is not committed: topics may acknowledge from memory.
    uncommitted: Vec<PendingAppend>,
    /// Memory of the records, until all are committed.
    undurable: Option<Charge>,
}

impl PendingProduce {
    pub(super) fn new(
        caller: Caller,
        header: RequestHeader,
        acks: Option<Acks>,
        deadline: Option<Duration>,
        topics: Vec<TopicAppends>,
        undurable: Charge,
    ) -> Self {
        let (uncommitted, undurable) = (Vec::new(), Some(undurable));
        PendingProduce { caller, header, acks, deadline, topics, uncommitted, undurable }
    }

    /// When the producer wants to be answered at the latest, by the shard's clock.
    pub fn deadline(&self) -> Option<Duration> {
        self.deadline
    }

    /// The response. What is still pending timed out; the append itself stands.
    pub fn reply(&mut self) -> Reply {
        let topics = std::mem::take(&mut self.topics);
        let responses: Vec<_> = topics.into_iter().map(|topic| self.topic_response(topic)).collect();
        self.settle();
        if self.acks == Some(Acks::None) {
            let mut codes = responses.iter().flat_map(|topic| &topic.partition_responses);
            let failed = codes.find(|partition| partition.error_code != ErrorCode::None);
            return failed.map_or(Reply::Nothing, |partition| {
                Reply::Close(Refused::UnacknowledgedProduce(partition.error_code))
            });
        }
        let partitions = responses.iter().flat_map(|topic| &topic.partition_responses);
        let hinted = partitions.map(|partition| partition.current_leader.leader_id);
        let node_endpoints = endpoints(&self.caller, hinted)
            .into_iter()
            .map(|(node_id, host, port, rack)| NodeEndpoint { node_id, host, port, rack })
            .collect();
        respond(&self.header, &ProduceResponse { responses, throttle_time_ms: 0, node_endpoints })
    }

    /// Waits until nothing is in memory alone, as somebody must whose client has gone: so long the records count
    /// against the shard's memory.
    pub async fn committed(mut self) {
        (&mut self).await;
        all_committed(std::mem::take(&mut self.uncommitted)).await;
    }

    /// Gives the records' memory back when the future has completed, or the reply was made; where records are answered
    /// for and not committed yet, when they are. The reply need not have been sent for that.
    pub fn settle(&mut self) {
        let (uncommitted, charge) = (std::mem::take(&mut self.uncommitted), self.undurable.take());
        if !uncommitted.is_empty() {
            self.caller.shard.spawn(async move {
                all_committed(uncommitted).await;
                drop(charge);
            });
        }
    }

    fn topic_response(&mut self, topic: TopicAppends) -> TopicProduceResponse {
        let partition_responses = topic
            .partitions
            .into_iter()
            .map(|partition| match partition {
                PartitionAppend::Pending { index, pending, .. } => {
                    self.uncommitted.push(pending);
                    refusal(index, ErrorCode::RequestTimedOut, None)
                }
                PartitionAppend::Done { id, mut response } => {
                    let hint = id.and_then(|id| hint(&self.caller, id, response.error_code));
                    if let Some(hint) = hint {
                        response.current_leader =
                            LeaderIdAndEpoch { leader_id: hint.leader_id, leader_epoch: hint.leader_epoch };
                    }
                    response
                }
            })
            .collect();
        TopicProduceResponse { name: topic.name, topic_id: topic.topic_id, partition_responses }
    }
}

impl Future for PendingProduce {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        // All must be done, so it is enough to wait for the first that is not.
        for partition in this.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            if let PartitionAppend::Pending { index, id, pending } = partition {
                let outcome = std::task::ready!(Pin::new(pending).poll(context));
                let done = PartitionAppend::Done { id: *id, response: response(*index, &outcome) };
                if let PartitionAppend::Pending { pending, .. } = std::mem::replace(partition, done)
                    && pending.is_uncommitted()
                {
                    this.uncommitted.push(pending);
                }
            }
        }
        Poll::Ready(())
    }
}

async fn all_committed(appends: Vec<PendingAppend>) {
    for append in appends {
        append.settled().await;
    }
}

fn response(index: i32, outcome: &Result<Accepted, PartitionError>) -> PartitionProduceResponse {
    match outcome {
        Ok(accepted) => PartitionProduceResponse {
            index,
            base_offset: accepted.base_offset,
            log_append_time_ms: accepted.log_append_time_ms,
            log_start_offset: accepted.log_start,
            ..Default::default()
        },
        Err(error) => refusal(index, partition_error(error), Some(error.to_string())),
    }
}

/// The response to a batch that is not in the log, or not known to be.
pub(super) fn refusal(
    index: i32,
    error_code: ErrorCode,
    error_message: Option<String>,
) -> PartitionProduceResponse {
    PartitionProduceResponse { index, error_code, error_message, base_offset: -1, ..Default::default() }
}
