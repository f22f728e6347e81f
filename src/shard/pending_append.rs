//! An append on its way: to its shard if that is another one, then to the disk.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::mailbox::AcceptedReply;
use super::partition_error::PartitionError;
use super::partition_ops::Accepted;

/// See the module. A future of the outcome: where the batch is, durable and committed, or why it is not.
/// Dropping it does not take the append back.
pub struct PendingAppend(Stage);

enum Stage {
    /// The owner has not looked at it yet.
    Accepting(oneshot::Receiver<AcceptedReply>),
    /// It is in the log, and will be committed.
    Committing(Accepted, oneshot::Receiver<()>),
    /// The outcome.
    Done(Result<Accepted, PartitionError>),
}

impl PendingAppend {
    /// One that is refused already.
    pub fn refused(error: PartitionError) -> Self {
        PendingAppend(Stage::Done(Err(error)))
    }

    pub(super) fn forwarded(reply: oneshot::Receiver<AcceptedReply>) -> Self {
        PendingAppend(Stage::Accepting(reply))
    }
}

impl From<AcceptedReply> for PendingAppend {
    fn from(reply: AcceptedReply) -> Self {
        PendingAppend(match reply {
            Ok((accepted, Some(committed))) => Stage::Committing(accepted, committed),
            Ok((accepted, None)) => Stage::Done(Ok(accepted)),
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
                    Err(_) => return Poll::Ready(Err(PartitionError::Stopping)),
                },
                Stage::Committing(accepted, committed) => {
                    let accepted = *accepted;
                    let outcome = std::task::ready!(Pin::new(committed).poll(context));
                    return Poll::Ready(outcome.map(|()| accepted).map_err(|_| PartitionError::NotCommitted));
                }
                Stage::Done(outcome) => return Poll::Ready(outcome.clone()),
            }
        }
    }
}
