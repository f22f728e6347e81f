//! The operations themselves, on partitions of this shard, and the tasks that serve other shards with them.

use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot};

use super::append::{Appended, Appending};
use super::error::StorageError;
use super::latest::Stretch;
use super::line::Front;
use super::mailbox::{AcceptedAppend, AcceptedReply, AppendOperation, Query};
use super::partition_error::PartitionError;
use super::partition_ops::{Accepted, Acks, DeleteUpTo, LookUp, LookUpOutcome, ReadOutcome, ReadRequest};
use super::phase::Phase;
use super::replica::Replica;
use super::shard::Shard;
use crate::base::ids::{LeaderEpoch, Offset};
use crate::partition::{EpochEnd, FetchError};
use crate::protocol::batch::{BatchHeader, NO_LEADER_EPOCH};

impl Shard {
    /// Gives the reply as soon as there is one. Completes when the batch has its place in the partition's order.
    pub(super) async fn append_here<'a>(
        &'a self,
        front: &mut Option<Front<'a>>,
        replica: &Rc<Replica>,
        acks: Acks,
        header: &BatchHeader,
        batch: &[u8],
    ) -> Accepting {
        if acks == Acks::All && !replica.is_enough_in_sync() {
            return Accepting::Now(Err(PartitionError::NotEnoughReplicas));
        }
        match self.storage.append_in_line(front, replica, header, batch).await {
            Ok(Appending::Done(appended)) => Accepting::Now(Ok(accepted(replica, acks, appended))),
            Ok(Appending::Extent(extent)) => {
                let (reply, receiver) = oneshot::channel();
                let replica = Rc::clone(replica);
                self.spawn(async move {
                    let appended = extent.finish().await;
                    // Who asked may have left with its connection; the append stands.
                    let _ = reply.send(match appended {
                        Ok(appended) => Ok(accepted(&replica, acks, appended)),
                        Err(error) => Err(error.into()),
                    });
                });
                Accepting::Later(receiver)
            }
            Err(error) => Accepting::Now(Err(error.into())),
        }
    }

    pub(super) async fn read_here(
        &self,
        replica: &Rc<Replica>,
        request: &ReadRequest,
    ) -> Result<ReadOutcome, PartitionError> {
        replica.check_online()?;
        replica.state.borrow().check_leader_epoch(request.current_leader_epoch)?;
        self.check_lease(replica)?;
        replica.check_end_known(request.offset)?;
        let (high_watermark, log_start, diverging) = {
            let state = replica.state.borrow();
            let progress = state.progress();
            (progress.high_watermark(), progress.log_start(), diverging(replica, request)?)
        };
        let mut outcome = ReadOutcome { high_watermark, log_start, batches: Vec::new(), diverging };
        if diverging.is_some() {
            replica.check_end_known(Offset::MAX)?;
            return Ok(outcome);
        }
        if request.max_bytes == 0 && !request.at_least_one_batch {
            replica.state.borrow().fetch_bound(request.offset).map_err(StorageError::from)?;
            return Ok(outcome);
        }
        outcome.batches = self.storage.read(replica, request.offset, request.max_bytes).await?;
        if !request.at_least_one_batch && outcome.bytes() > request.max_bytes {
            outcome.batches.clear();
        }
        self.storage.meters.read_bytes.add(outcome.bytes() as u64);
        Ok(outcome)
    }

    pub(super) async fn look_up_here(
        &self,
        replica: &Rc<Replica>,
        current_leader_epoch: LeaderEpoch,
        what: LookUp,
    ) -> Result<LookUpOutcome, PartitionError> {
        replica.check_online()?;
        replica.state.borrow().check_leader_epoch(current_leader_epoch)?;
        self.check_lease(replica)?;
        let timestamp = match what {
            LookUp::Earliest => {
                let state = replica.state.borrow();
                let offset = state.earliest();
                let leader_epoch = state.epoch_at(offset).unwrap_or(NO_LEADER_EPOCH);
                return Ok(LookUpOutcome::At { offset, leader_epoch });
            }
            LookUp::Latest => {
                replica.check_end_known(Offset::MAX)?;
                let state = replica.state.borrow();
                let leader_epoch = state.leader_epoch().unwrap_or(NO_LEADER_EPOCH);
                return Ok(LookUpOutcome::At { offset: state.latest()?, leader_epoch });
            }
            LookUp::MaxTimestamp => return self.latest(replica).await,
            LookUp::Time(timestamp) => timestamp,
        };
        replica.state.borrow().latest()?;
        let batch = self.storage.batch_for_time(replica, timestamp).await?;
        if batch.is_none() {
            replica.check_end_known(Offset::MAX)?;
        }
        Ok(in_batches(replica, batch.into_iter().collect()))
    }

    pub(super) async fn delete_records_here(
        &self,
        replica: &Rc<Replica>,
        up_to: DeleteUpTo,
    ) -> Result<Offset, PartitionError> {
        replica.check_online()?;
        replica.state.borrow().check_leader_epoch(NO_LEADER_EPOCH)?;
        let offset = match up_to {
            DeleteUpTo::Offset(offset) => offset,
            DeleteUpTo::HighWatermark => replica.state.borrow().progress().high_watermark(),
        };
        let log_start = self.storage.advance_log_start(replica, offset).await?;
        if !replica.is_replicated() {
            return Ok(log_start);
        }
        Ok(self.replication.starts_everywhere(replica, offset).await?)
    }

    /// A leader that lost touch with the controller does not serve reads: another one may lead by now.
    fn check_lease(&self, replica: &Replica) -> Result<(), PartitionError> {
        if replica.is_replicated() && !self.lease.holds() {
            return Err(PartitionError::LeaseRanOut);
        }
        Ok(())
    }

    /// Waits until all that there is now is committed: the latest record may be the last.
    async fn latest(&self, replica: &Rc<Replica>) -> Result<LookUpOutcome, PartitionError> {
        replica.check_end_known(Offset::MAX)?;
        let stretches = Stretch::all(replica);
        let last_offset = replica.state.borrow().progress().log_end() - 1;
        if let Some(committed) = replica.commit_waiter(last_offset) {
            self.unless_stopped(committed).await.ok_or(PartitionError::Stopping)??;
        }
        replica.state.borrow().latest()?;
        Ok(in_batches(replica, self.storage.latest_batches(replica, stretches).await?))
    }

    /// One after the other: the next may depend on this one's place in the log. Many clients are behind this one
    /// place in the line for room, so as many of theirs pass together as stand there besides.
    pub(super) async fn serve_appends(self: Rc<Self>, mut appends: mpsc::Receiver<AppendOperation>) {
        let (mut front, mut passed) = (None, 0);
        while let Some(AppendOperation { id, acks, header, batch, reply }) = self.next(&mut appends).await {
            let accepting = match self.local(id) {
                Ok(replica) => self.append_here(&mut front, &replica, acks, &header, &batch).await,
                Err(error) => Accepting::Now(Err(error)),
            };
            self.reply_when_accepted(accepting, reply);
            passed += 1;
            if front.is_none() || appends.is_empty() || passed >= self.storage.room_line.len() {
                (front, passed) = (None, 0);
            }
        }
    }

    /// Who asked may have left with its connection; the append stands.
    fn reply_when_accepted(&self, accepting: Accepting, reply: oneshot::Sender<AcceptedReply>) {
        match accepting {
            Accepting::Now(outcome) => {
                let _ = reply.send(outcome);
            }
            Accepting::Later(outcome) => self.spawn(async move {
                if let Ok(outcome) = outcome.await {
                    let _ = reply.send(outcome);
                }
            }),
        }
    }

    pub(super) async fn serve_queries(self: Rc<Self>, mut queries: mpsc::Receiver<Query>) {
        while let Some(query) = self.next(&mut queries).await {
            self.spawn(Rc::clone(&self).serve_query(query));
        }
    }

    /// The next operation; `None` when the shard stops.
    async fn next<T>(&self, operations: &mut mpsc::Receiver<T>) -> Option<T> {
        let next = std::pin::pin!(operations.recv());
        let stopped = std::pin::pin!(self.phases.reached(Phase::Stopped));
        match select(next, stopped).await {
            Either::Left((operation, _)) => operation,
            Either::Right(_) => None,
        }
    }

    /// Replies into oneshots of which nobody may be listening any more, which is no error.
    async fn serve_query(self: Rc<Self>, query: Query) {
        match query {
            Query::Read { id, request, reply } => {
                let outcome = match self.local(id) {
                    Ok(replica) => self.read_here(&replica, &request).await,
                    Err(error) => Err(error),
                };
                let _ = reply.send(outcome);
            }
            Query::LookUp { id, current_leader_epoch, what, reply } => {
                let outcome = match self.local(id) {
                    Ok(replica) => self.look_up_here(&replica, current_leader_epoch, what).await,
                    Err(error) => Err(error),
                };
                let _ = reply.send(outcome);
            }
            Query::DeleteRecords { id, up_to, reply } => {
                let outcome = match self.local(id) {
                    Ok(replica) => self.delete_records_here(&replica, up_to).await,
                    Err(error) => Err(error),
                };
                let _ = reply.send(outcome);
            }
            Query::Inspect { id, look } => look(self.local(id)),
            Query::Report { reply } => {
                let _ = reply.send(Box::new(self.report()));
            }
            Query::LogSizes { reply } => {
                let _ = reply.send(self.log_sizes_here().await);
            }
            Query::Group { partition, request, reply } => {
                let _ = reply.send(self.groups.ask(partition, *request));
            }
            Query::ListGroups { filter, reply } => {
                let _ = reply.send(self.groups.list(&filter));
            }
            Query::Watch { watch, partitions } => self.watch_here(&watch, &partitions).await,
        }
    }
}

/// An append whose batch has its place.
pub(super) enum Accepting {
    /// The reply.
    Now(AcceptedReply),
    /// The reply is still to come.
    Later(oneshot::Receiver<AcceptedReply>),
}

/// What is told of a batch that is in the log.
fn accepted(replica: &Replica, acks: Acks, appended: Appended) -> AcceptedAppend {
    let (log_start, unsynced_records) = {
        let state = replica.state.borrow();
        let progress = state.progress();
        (progress.log_start(), progress.log_end() - progress.durable_end())
    };
    let accepted = Accepted {
        base_offset: appended.base_offset,
        log_start,
        log_append_time_ms: appended.log_append_time_ms,
    };
    let unsynced_records_max = replica.settings().unsynced_records_max;
    let committed = match acks {
        Acks::All => replica.commit_waiter(appended.last_offset),
        Acks::Leader => replica.sync_waiter(appended.last_offset),
    };
    // With other replicas it is always synced first: one that comes back without its memory would still count.
    let may_forget = !replica.is_replicated();
    let is_answered_from_memory =
        may_forget && unsynced_records_max.is_some_and(|most| unsynced_records < most);
    AcceptedAppend { accepted, committed, is_answered_from_memory }
}

fn in_batches(replica: &Replica, batches: Vec<Bytes>) -> LookUpOutcome {
    if batches.is_empty() {
        return LookUpOutcome::Nothing;
    }
    LookUpOutcome::InBatches { batches, log_start: replica.state.borrow().progress().log_start() }
}

/// Where the reader's log and this one part, as Kafka finds it (KIP-595).
fn diverging(replica: &Replica, request: &ReadRequest) -> Result<Option<EpochEnd>, StorageError> {
    if request.last_fetched_epoch < 0 {
        return Ok(None);
    }
    let state = replica.state.borrow();
    let (log_start, log_end) = (state.progress().log_start(), state.progress().log_end());
    let end = state.end_offset_for_epoch(request.last_fetched_epoch);
    let Some(end) = end.filter(|_| request.offset >= log_start) else {
        return Err(FetchError::OffsetOutOfRange { log_start, log_end }.into());
    };
    let parted = end.leader_epoch < request.last_fetched_epoch || end.end_offset < request.offset;
    Ok(parted.then_some(end))
}

#[cfg(test)]
const _: fn() = || {
    fn crosses_shards<T: Send>() {}
    crosses_shards::<AppendOperation>();
    crosses_shards::<Query>();
};
