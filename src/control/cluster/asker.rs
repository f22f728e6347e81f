//! One lane of questions to the active controller, wherever that is: on this node or on another.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::message::{Ask, Asked, Reply};
use super::route::Route;
use crate::base::ids::NodeId;
use crate::base::limits::{CONTROL_CALL_MS, CONTROL_RETRY_MS};
use crate::config::address::HostPort;
use crate::link::Start;
use crate::runtime::tokio::{Stopwatch, sleep, within};
use crate::transport::{Caller, CallerSettings, Question};

/// What became of one attempt.
enum Attempt {
    /// There is an answer.
    Answered(Reply),
    /// It was surely not carried out.
    Unasked,
    /// It may have been.
    Unknown,
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unanswered {
    /// It was surely not carried out.
    NotDone,
    /// It may have been.
    Unknown,
    /// It is too long to be sent.
    TooLong,
}

/// Whether a question may be asked again when nobody knows what became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Again {
    /// Twice is as good as once.
    Safe,
    /// The second time would not find what the first one found.
    Never,
}

/// A lane.
pub struct Asker {
    own: Start,
    voters: Vec<NodeId>,
    addresses: BTreeMap<NodeId, HostPort>,
    route: Route,
    caller: Caller,
    /// The way to this node's own controller.
    own_questions: mpsc::Sender<Question>,
    /// Who leads, as the own member of the quorum knows it.
    leader: watch::Receiver<Option<NodeId>>,
    /// Since the last attempt began.
    attempt: Stopwatch,
}

impl Asker {
    /// A lane of a node, to `voters`.
    pub fn new(
        settings: CallerSettings,
        addresses: BTreeMap<NodeId, HostPort>,
        own_questions: mpsc::Sender<Question>,
        leader: watch::Receiver<Option<NodeId>>,
    ) -> Self {
        let voters: Vec<NodeId> = addresses.keys().copied().collect();
        let (own, route) = (settings.own, Route::new(voters.clone()));
        let (caller, attempt) = (Caller::new(settings), Stopwatch::start());
        Asker { own, voters, addresses, route, caller, own_questions, leader, attempt }
    }

    /// Asks whoever decides, again and again for `patience_ms`.
    pub async fn ask(&mut self, ask: Ask, again: Again, patience_ms: u64) -> Result<Reply, Unanswered> {
        let asked = Asked { voters: self.voters.clone(), ask }.encode().ok_or(Unanswered::TooLong)?;
        let clock = Stopwatch::start();
        loop {
            self.route.suggest(*self.leader.borrow());
            let to = self.route.next();
            let mut is_news = false;
            self.attempt = Stopwatch::start();
            let limit_ms = CONTROL_CALL_MS.min(patience_ms);
            let outcome = match self.attempt(to, &asked, limit_ms).await {
                Attempt::Answered(Reply::NotController(leader)) => {
                    is_news = self.route.redirect(to, leader);
                    Unanswered::NotDone
                }
                Attempt::Answered(Reply::Uncertain) => Unanswered::Unknown,
                Attempt::Answered(Reply::OtherVoters(voters)) => {
                    tracing::error!(node = %to, ?voters, "a node has other `voters`: give all nodes the same");
                    self.route.fail(to);
                    Unanswered::NotDone
                }
                Attempt::Answered(reply) => return Ok(reply),
                Attempt::Unasked => {
                    self.route.fail(to);
                    Unanswered::NotDone
                }
                Attempt::Unknown => {
                    self.route.fail(to);
                    Unanswered::Unknown
                }
            };
            let is_final = outcome == Unanswered::Unknown && again == Again::Never;
            if is_final || clock.elapsed_ms() >= patience_ms {
                return Err(outcome);
            }
            if !is_news {
                sleep(Duration::from_millis(CONTROL_RETRY_MS)).await;
            }
        }
    }

    /// How long ago what was answered last was asked, or a little longer.
    pub fn asked_before_ms(&self) -> u64 {
        // Rounded up: less would promise too much.
        self.attempt.elapsed_ms() + 1
    }

    async fn attempt(&mut self, to: NodeId, asked: &[u8], limit_ms: u64) -> Attempt {
        let limit = Duration::from_millis(limit_ms);
        let answer = if to == self.own.node {
            let (reply, answer) = oneshot::channel();
            let question = Question { from: self.own, is_stranger: false, body: asked.to_vec(), reply };
            if self.own_questions.send(question).await.is_err() {
                return Attempt::Unasked;
            }
            within(limit, answer).await.and_then(Result::ok)
        } else {
            match self.caller.call(to, &self.addresses[&to], asked, limit).await {
                Ok(answer) => Some(answer),
                Err(error) => {
                    tracing::debug!(node = %to, "a question to the controller: {error}");
                    if error.is_unasked() {
                        return Attempt::Unasked;
                    }
                    None
                }
            }
        };
        match answer.map(|answer| Reply::decode(&answer)) {
            None => Attempt::Unknown,
            Some(Ok(reply)) => Attempt::Answered(reply),
            Some(Err(wrong)) => {
                tracing::error!(node = %to, wrong, "an answer of the controller is not understood");
                Attempt::Unknown
            }
        }
    }
}
