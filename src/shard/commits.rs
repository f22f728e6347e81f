//! Those who wait until records are committed, or at least synced by the leader, in the order of their offsets.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use crate::base::ids::Offset;

/// Why records are in the log and not known to be committed. They may be, or become so.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uncommitted {
    /// The partition or its shard's writer went out of service.
    #[error("the partition went out of service before the records were committed")]
    OutOfService,
    /// There are fewer in-sync replicas than `min.insync.replicas`: NOT_ENOUGH_REPLICAS_AFTER_APPEND.
    #[error(
        "the records are in the leader's log, and fewer replicas are in sync than min.insync.replicas asks for"
    )]
    NotEnoughReplicas,
    /// Another node leads the partition now: NOT_LEADER_OR_FOLLOWER.
    #[error("this node no longer leads the partition")]
    NotLeader,
}

type Outcome = Result<(), Uncommitted>;

/// A future of whether records are committed, or synced.
#[derive(Debug)]
pub struct CommitWaiter(oneshot::Receiver<Outcome>);

impl Future for CommitWaiter {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        // Who drops the other end has nothing to say any more.
        Poll::Ready(ready!(Pin::new(&mut self.0).poll(context)).unwrap_or(Err(Uncommitted::OutOfService)))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Waiters(VecDeque<(Offset, oneshot::Sender<Outcome>)>);

impl Waiters {
    /// A place for somebody who waits for `wanted` to be reached.
    pub(super) fn wait(&mut self, wanted: Offset) -> CommitWaiter {
        let (sender, receiver) = oneshot::channel();
        // Appends come in order; only duplicates of older batches wait in the middle.
        let at = self.0.partition_point(|(offset, _)| *offset <= wanted);
        self.0.insert(at, (wanted, sender));
        CommitWaiter(receiver)
    }

    /// One for whom there is nothing to wait for.
    pub(super) fn refused() -> CommitWaiter {
        CommitWaiter(oneshot::channel().1)
    }

    /// All below `reached` is committed.
    pub(super) fn wake(&mut self, reached: Offset) {
        while self.0.front().is_some_and(|(offset, _)| *offset <= reached) {
            if let Some((_, sender)) = self.0.pop_front() {
                // The waiter may have left with its connection.
                let _ = sender.send(Ok(()));
            }
        }
    }

    /// Nobody is to wait any longer, for this reason.
    pub(super) fn refuse(&mut self, why: Uncommitted) {
        for (_, sender) in self.0.drain(..) {
            let _ = sender.send(Err(why));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn those_are_woken_whose_offset_is_reached_and_others_told_why_not() {
        let mut waiters = Waiters::default();
        let (mut first, mut last) = (waiters.wait(3), waiters.wait(9));
        let mut middle = waiters.wait(5);
        waiters.wake(5);
        assert_eq!((&mut first).now_or_never(), Some(Ok(())));
        assert_eq!((&mut middle).now_or_never(), Some(Ok(())));
        assert_eq!((&mut last).now_or_never(), None);
        waiters.refuse(Uncommitted::NotLeader);
        assert_eq!(last.now_or_never(), Some(Err(Uncommitted::NotLeader)));
        assert_eq!(Waiters::refused().now_or_never(), Some(Err(Uncommitted::OutOfService)));
    }
}
