//! Operations on partitions wherever on the node they are: carried out here for a partition of this shard, else
//! sent to the shard that owns it. Both ways run the same code, once through [`Shard::local`].

use std::rc::Rc;

use bytes::Bytes;
use tokio::sync::oneshot;

use super::mailbox::{AppendOperation, MailboxSender, Query};
use super::meters::PauseReason;
use super::partition_error::PartitionError;
use super::pending_append::PendingAppend;
use super::replica::Replica;
use super::serve::Accepting;
use super::shard::Shard;
use crate::base::ids::{LeaderEpoch, Offset, PartitionId};
use crate::partition::EpochEnd;
use crate::protocol::batch::BatchHeader;

/// A batch that was accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Accepted {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// The first offset in the log.
    pub log_start: Offset,
    /// When it was appended, in ms since 1970, if the topic stores that; else -1.
    pub log_append_time_ms: i64,
}

/// Whose word an append waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    /// The leader has synced it.
    Leader,
    /// All in-sync replicas have, and there are as many as `min.insync.replicas` asks for.
    All,
}

/// What is to be read of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadRequest {
    /// Where to start.
    pub offset: Offset,
    /// The bytes wanted at most.
    pub max_bytes: usize,
    /// Whether a first batch that is longer is wanted nevertheless, so that its reader gets on.
    pub at_least_one_batch: bool,
    /// The term that the reader believes in, -1 for any.
    pub current_leader_epoch: LeaderEpoch,
    /// The term of the record before `offset`, -1 if the reader does not know.
    pub last_fetched_epoch: LeaderEpoch,
}

/// What was read of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadOutcome {
    /// The offset below which records are committed.
    pub high_watermark: Offset,
    /// The first offset in the log.
    pub log_start: Offset,
    /// Whole batches; the first may start before the offset asked for.
    pub batches: Vec<Bytes>,
    /// Where the reader's log went another way, if it did; then there are no batches.
    pub diverging: Option<EpochEnd>,
}

impl ReadOutcome {
    /// Length of the batches.
    pub fn bytes(&self) -> usize {
        self.batches.iter().map(Bytes::len).sum()
    }
}

/// Which offset is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LookUp {
    /// The first of the log.
    Earliest,
    /// The one behind the last committed record.
    Latest,
    /// That of the first of the records with the largest timestamp.
    MaxTimestamp,
    /// That of the first record as late as this, in ms since 1970.
    Time(i64),
}

/// Where to find the offset that was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LookUpOutcome {
    /// This one, of that term (-1 if unknown).
    At {
        /// The offset.
        offset: Offset,
        /// The term.
        leader_epoch: LeaderEpoch,
    },
    /// In one of these batches, not before `log_start`.
    InBatches {
        /// The batches: for a time one, for the latest record up to two.
        batches: Vec<Bytes>,
        /// The first offset in the log.
        log_start: Offset,
    },
    /// There is no such record.
    Nothing,
}

/// Up to where records are to be deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeleteUpTo {
    /// Before this offset.
    Offset(Offset),
    /// All that is committed.
    HighWatermark,
}

/// Where a partition is.
pub(super) enum Place<'a> {
    Here(Rc<Replica>),
    There(&'a MailboxSender),
}

impl Shard {
    /// Appends a batch that was validated, for all in-sync replicas. See [`Shard::append_for`].
    pub async fn append(&self, id: PartitionId, header: &BatchHeader, batch: Bytes) -> PendingAppend {
        self.append_for(Acks::All, id, header, batch).await
    }

    /// Appends a batch that was validated. Completes when it has its place in the partition's order, which is
    /// the order of the calls of one caller; what it becomes, the result says later.
    pub async fn append_for(
        &self,
        acks: Acks,
        id: PartitionId,
        header: &BatchHeader,
        batch: Bytes,
    ) -> PendingAppend {
        match self.place(id) {
            Err(error) => PendingAppend::refused(error),
            Ok(Place::Here(replica)) => {
                let mut front = None;
                let appended = self.append_here(&mut front, &replica, acks, header, &batch);
                match self.paused_for(PauseReason::Room, appended).await {
                    Accepting::Now(reply) => PendingAppend::from(reply),
                    Accepting::Later(reply) => PendingAppend::forwarded(reply),
                }
            }
            Ok(Place::There(mailbox)) => {
                let (reply, receiver) = oneshot::channel();
                let operation = AppendOperation { id, acks, header: *header, batch, reply };
                self.count_forwarded();
                match self.paused_for(PauseReason::Mailbox, mailbox.appends.send(operation)).await {
                    Ok(()) => PendingAppend::forwarded(receiver),
                    Err(_) => PendingAppend::refused(PartitionError::Stopping),
                }
            }
        }
    }

    /// Reads a partition.
    pub async fn read(&self, id: PartitionId, request: ReadRequest) -> Result<ReadOutcome, PartitionError> {
        match self.place(id)? {
            Place::Here(replica) => self.read_here(&replica, &request).await,
            Place::There(mailbox) => self.ask(mailbox, |reply| Query::Read { id, request, reply }).await?,
        }
    }

    /// Looks for an offset.
    pub async fn look_up(
        &self,
        id: PartitionId,
        current_leader_epoch: LeaderEpoch,
        what: LookUp,
    ) -> Result<LookUpOutcome, PartitionError> {
        match self.place(id)? {
            Place::Here(replica) => self.look_up_here(&replica, current_leader_epoch, what).await,
            Place::There(mailbox) => {
                self.ask(mailbox, |reply| Query::LookUp { id, current_leader_epoch, what, reply }).await?
            }
        }
    }

    /// Deletes records from the start of the log on. Returns the log's start, which is durable then.
    pub async fn delete_records(&self, id: PartitionId, up_to: DeleteUpTo) -> Result<Offset, PartitionError> {
        match self.place(id)? {
            Place::Here(replica) => self.delete_records_here(&replica, up_to).await,
            Place::There(mailbox) => {
                self.ask(mailbox, |reply| Query::DeleteRecords { id, up_to, reply }).await?
            }
        }
    }

    /// The partition, if this shard has it.
    pub(super) fn local(&self, id: PartitionId) -> Result<Rc<Replica>, PartitionError> {
        if let Some(replica) = self.storage.replica(id) {
            return Ok(replica);
        }
        Err(self.storage.damage(id).map_or(PartitionError::NotLeader, PartitionError::Storage))
    }

    pub(super) fn place(&self, id: PartitionId) -> Result<Place<'_>, PartitionError> {
        if let Some(replica) = self.storage.replica(id) {
            return Ok(Place::Here(replica));
        }
        let owner = match self.image.borrow().partition(id) {
            None => return Err(PartitionError::Unknown),
            Some(partition) => partition.owner().ok_or(PartitionError::NotLeader)?,
        };
        if owner.node != self.config.node_id {
            return Err(PartitionError::NotLeader);
        }
        if owner.shard == self.id {
            return self.local(id).map(Place::Here);
        }
        self.mailbox_of(owner.shard).map(Place::There)
    }

    pub(super) fn mailbox_of(
        &self,
        shard: crate::base::ids::ShardId,
    ) -> Result<&MailboxSender, PartitionError> {
        self.mailboxes.get(usize::from(shard.0)).ok_or(PartitionError::NotLeader)
    }

    pub(super) fn count_forwarded(&self) {
        self.counters.forwarded_requests.increment();
    }

    /// Awaits what a connection has to wait for.
    pub async fn paused_for<T>(&self, reason: PauseReason, future: impl Future<Output = T>) -> T {
        self.counters.pauses.during(reason, &*self.runtime, future).await
    }

    pub(super) async fn ask<T>(
        &self,
        mailbox: &MailboxSender,
        query: impl FnOnce(oneshot::Sender<T>) -> Query,
    ) -> Result<T, PartitionError> {
        let (reply, receiver) = oneshot::channel();
        self.count_forwarded();
        let sent = self.paused_for(PauseReason::Mailbox, mailbox.queries.send(query(reply))).await;
        sent.map_err(|_| PartitionError::Stopping)?;
        receiver.await.map_err(|_| PartitionError::Stopping)
    }
}
