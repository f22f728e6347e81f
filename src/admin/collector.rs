//! Asks all shards for their reports, once for everybody who wants to know at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Mutex;

use crate::base::limits::ADMIN_SHARD_ANSWER_MS;
use crate::runtime::tokio::within;
use crate::shard::{MailboxSender, Probe, ShardGone, ShardReport};

/// What became of a question to a shard.
#[derive(Debug)]
pub(super) enum Answer {
    /// Its report.
    Report(Box<ShardReport>),
    /// It did not answer in time.
    Silent,
    /// It has stopped.
    Gone,
}

/// The answers of all shards, by their numbers.
pub(super) type Answers = Arc<Vec<Answer>>;

/// See the module.
pub(super) struct Collector {
    /// Rounds of questions that have begun.
    begun: AtomicU64,
    round: Mutex<Round>,
}

struct Round {
    probes: Vec<Probe>,
    /// The last round's number, and what it gave.
    last: Option<(u64, Answers)>,
}

impl Collector {
    /// For the shards with these mailboxes.
    pub(super) fn new(mailboxes: Vec<MailboxSender>) -> Self {
        let probes = mailboxes.into_iter().map(Probe::new).collect();
        Collector { begun: AtomicU64::new(0), round: Mutex::new(Round { probes, last: None }) }
    }

    /// The shards' reports, none older than the call.
    pub(super) async fn collect(&self) -> Answers {
        let begun = self.begun.load(Ordering::Relaxed);
        let mut round = self.round.lock().await;
        if let Some((number, answers)) = &round.last
            && *number > begun
        {
            return Arc::clone(answers);
        }
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let answers = Arc::new(join_all(round.probes.iter_mut().map(ask)).await);
        round.last = Some((number, Arc::clone(&answers)));
        answers
    }
}

async fn ask(probe: &mut Probe) -> Answer {
    match within(Duration::from_millis(ADMIN_SHARD_ANSWER_MS), probe.ask()).await {
        Some(Ok(report)) => Answer::Report(report),
        Some(Err(ShardGone)) => Answer::Gone,
        None => Answer::Silent,
    }
}
