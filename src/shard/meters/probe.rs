//! The way to a shard's report from other threads.

use tokio::sync::oneshot;

use super::report::ShardReport;
use crate::shard::mailbox::{MailboxSender, Query};

/// The shard takes no more questions: it has stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the shard has stopped")]
pub struct ShardGone;

/// Asks one shard, with one question at a time: a shard that does not answer is not asked again until it has.
pub struct Probe {
    mailbox: MailboxSender,
    /// A question that nobody waited for to the end.
    open: Option<oneshot::Receiver<Box<ShardReport>>>,
}

impl Probe {
    /// For the shard that reads this mailbox.
    pub fn new(mailbox: MailboxSender) -> Self {
        Probe { mailbox, open: None }
    }

    /// The shard's report as of now. May be dropped at any time, and be called again.
    pub async fn ask(&mut self) -> Result<Box<ShardReport>, ShardGone> {
        if let Some(open) = &mut self.open {
            // Its answer is as old as the question was.
            let _ = open.await;
            self.open = None;
        }
        let (reply, receiver) = oneshot::channel();
        self.mailbox.queries.send(Query::Report { reply }).await.map_err(|_| ShardGone)?;
        let report = self.open.insert(receiver).await;
        self.open = None;
        report.map_err(|_| ShardGone)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::shard::mailbox::mailbox;

    #[test]
    fn a_shard_that_does_not_answer_is_asked_once() {
        let (sender, mut receiver) = mailbox();
        let mut probe = Probe::new(sender);
        for _ in 0..3 {
            assert!(probe.ask().now_or_never().is_none(), "nobody answers");
        }
        let query = receiver.queries.try_recv().expect("the first question");
        assert!(receiver.queries.try_recv().is_err(), "there is one");
        drop(query);
        assert!(probe.ask().now_or_never().is_none());
        assert!(receiver.queries.try_recv().is_ok(), "asked again when the first one was done with");
        drop(receiver);
        assert!(matches!(probe.ask().now_or_never(), Some(Err(ShardGone))));
    }
}
