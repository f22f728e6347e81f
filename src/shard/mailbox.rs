//! Operations on partitions that come from other shards, in two bounded queues: appends, which are carried out
//! one after the other so that a producer's batches stay in order, and queries, which run side by side.
//!
//! There is no cycle of waits: serving an operation waits for this shard's disk only, never for another shard,
//! and a reply goes into a oneshot that always has room.

use std::sync::Weak;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::commits::CommitWaiter;
use super::fetch::{Watch, Watched};
use super::inspect::{LogSizes, Look};
use super::meters::ShardReport;
use super::partition_error::PartitionError;
use super::partition_ops::{Accepted, Acks, DeleteUpTo, LookUp, LookUpOutcome, ReadOutcome, ReadRequest};
use crate::base::ids::{LeaderEpoch, Offset, PartitionId};
use crate::base::limits::{MAILBOX_APPENDS_MAX, MAILBOX_QUERIES_MAX};
use crate::coordinator::{ListFilter, Listing, Request, Response};
use crate::protocol::batch::BatchHeader;

/// How an append was accepted.
pub(super) struct AcceptedAppend {
    /// Where.
    pub(super) accepted: Accepted,
    /// Who says when it is committed; nobody if it is already.
    pub(super) committed: Option<CommitWaiter>,
    /// Whether the producer is answered before that.
    pub(super) is_answered_from_memory: bool,
}

/// The reply to an append.
pub(super) type AcceptedReply = Result<AcceptedAppend, PartitionError>;

/// A batch for a partition of another shard.
pub(super) struct AppendOperation {
    pub(super) id: PartitionId,
    pub(super) acks: Acks,
    pub(super) header: BatchHeader,
    pub(super) batch: Bytes,
    pub(super) reply: oneshot::Sender<AcceptedReply>,
}

/// A question to a partition of another shard.
pub(super) enum Query {
    Read {
        id: PartitionId,
        request: ReadRequest,
        reply: oneshot::Sender<Result<ReadOutcome, PartitionError>>,
    },
    LookUp {
        id: PartitionId,
        current_leader_epoch: LeaderEpoch,
        what: LookUp,
        reply: oneshot::Sender<Result<LookUpOutcome, PartitionError>>,
    },
    DeleteRecords {
        id: PartitionId,
        up_to: DeleteUpTo,
        reply: oneshot::Sender<Result<Offset, PartitionError>>,
    },
    /// Looks at a partition's state.
    Inspect { id: PartitionId, look: Look },
    /// Copies what the shard counts.
    Report { reply: oneshot::Sender<Box<ShardReport>> },
    /// Measures the logs of all partitions.
    LogSizes { reply: oneshot::Sender<LogSizes> },
    /// A request to a group that the shard coordinates. The reply comes when the coordinator has it, and says who will
    /// bring the answer.
    Group { partition: i32, request: Box<Request>, reply: oneshot::Sender<oneshot::Receiver<Response>> },
    /// Lists the groups that the shard coordinates.
    ListGroups { filter: ListFilter, reply: oneshot::Sender<Listing> },
    /// Marks partitions for a watch when they change. Nobody waits for a reply.
    Watch { watch: Weak<Watch>, partitions: Vec<Watched> },
}

/// The receiving end; one for each shard.
pub struct Mailbox {
    pub(super) appends: mpsc::Receiver<AppendOperation>,
    pub(super) queries: mpsc::Receiver<Query>,
}

/// The sending end; crosses threads. A sender waits while the queue is full.
#[derive(Clone)]
pub struct MailboxSender {
    pub(super) appends: mpsc::Sender<AppendOperation>,
    pub(super) queries: mpsc::Sender<Query>,
}

/// A shard's mailbox.
pub fn mailbox() -> (MailboxSender, Mailbox) {
    let (append_sender, appends) = mpsc::channel(MAILBOX_APPENDS_MAX);
    let (query_sender, queries) = mpsc::channel(MAILBOX_QUERIES_MAX);
    (MailboxSender { appends: append_sender, queries: query_sender }, Mailbox { appends, queries })
}
