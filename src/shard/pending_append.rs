//! An append on its way: to its shard if that is another one, then to the disk.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::commits::CommitWaiter;
use super::mailbox::{AcceptedAppend, AcceptedReply};
use super::partition_error::PartitionError;
use super::partition_ops::Accepted;

/// See the module. A future of the outcome: where the batch is, durable and committed, or why it is not. For topics
/// that acknowledge from memory the outcome comes earlier, and [`PendingAppend::settled`] says what is still
/// to come. Dropping it does not take the append back.
pub struct PendingAppend(Stage);

enum Stage {
    /// The owner has not looked at it yet, or it is not in the log yet.
    Accepting(oneshot::Receiver<AcceptedReply>),
    /// It is in the log, and will be committed.
    Committing(Accepted, CommitWaiter),
    /// It is in the log, which is enough for the producer, and will be committed.
    Answered(Accepted, CommitWaiter),
    /// The outcome.
    Done(Result<Accepted, PartitionError>),
}

impl PendingAppend {
    /// One that is refused already.
    pub fn refused(error: PartitionError) -> Self {
        PendingAppend(Stage::Done(Err(error)))
    }

    /// One that is looked at elsewhere, or whose bytes are on their way to the segment.
    pub(super) fn forwarded(reply: oneshot::Receiver<AcceptedReply>) -> Self {
        PendingAppend(Stage::Accepting(reply))
    }

    /// Completes when nothing of the append is in memory alone any more, whether it is committed or lost.
    pub async fn settled(mut self) {
        if let Stage::Accepting(_) | Stage::Committing(..) = &self.0 {
            // The outcome was to be told to somebody who has gone.
            let _ = (&mut self).await;
        }
        if let Stage::Answered(_, committed) = self.0 {
            // An error means that it never will be.
            let _ = committed.await;
        }
    }

    /// Whether the records may still be in memory alone.
    pub fn is_uncommitted(&self) -> bool {
        !matches!(self.0, Stage::Done(_))
    }
}

impl From<AcceptedReply> for PendingAppend {
    fn from(reply: AcceptedReply) -> Self {
        PendingAppend(match reply {
            Ok(AcceptedAppend { accepted, committed: None, .. }) => Stage::Done(Ok(accepted)),
            Ok(AcceptedAppend { accepted, committed: Some(committed), is_answered_from_memory }) => {
                match is_answered_from_memory {
                    true => Stage::Answered(accepted, committed),
                    false => Stage::Committing(accepted, committed),
                }
            }
            Err(error) => Stage::Done(Err(error)),
        })
    }
}

impl Future for PendingAppend {
    type Output = Result<Accepted, PartitionError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut self.0 {
                Stage::Accepting(reply) => match std::task::ready!(Pin::new(reply).poll(context)) {
                    Ok(reply) => *self = reply.into(),
                    Err(_) => self.0 = Stage::Done(Err(PartitionError::Stopping)),
                },
                Stage::Committing(accepted, committed) => {
                    let accepted = *accepted;
                    let outcome = std::task::ready!(Pin::new(committed).poll(context));
                    let outcome = outcome.map(|()| accepted).map_err(PartitionError::from);
                    self.0 = Stage::Done(outcome);
                }
                Stage::Answered(accepted, _) => return Poll::Ready(Ok(*accepted)),
                Stage::Done(outcome) => return Poll::Ready(outcome.clone()),
            }
        }
    }
}
