//! Control in a cluster: what happens goes into the member of the quorum, what the member has decided goes to the
//! shards, and while the member leads this node is the active controller.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::super::client::{Answer, ControlError, Request};
use super::super::decide::Decider;
use super::super::migration::raft_id;
use super::super::progress::Progress;
use super::super::store::{Space, StoreError};
use super::active::Active;
use super::knowledge::Knowledge;
use super::member::{Member, News};
use super::message::{Ask, Asked, Reply};
use super::peers::{leader_of, peers_of, start_of};
use super::session_clock::SessionClock;
use super::voters::{due_change, heir};
use super::work::Work;
use crate::base::ids::NodeId;
use crate::base::limits::{CONTROL_QUESTIONS_MAX, NODE_SESSION_TIMEOUT_MS, QUORUM_TICK_MS};
use crate::cluster::{Draft, Image};
use crate::config::voters::Voter;
use crate::link::Start;
use crate::quorum::{Incoming, ProposalId, Rejection};
use crate::runtime::tokio::{Stopwatch, sleep};
use crate::transport::{Arrival, ClusterLinks, Question, Sent};

/// A command of one of the node's own shards that the controller has carried out.
pub struct Carried {
    /// The entry of the log that the shards have to apply first, and what came of it.
    pub outcome: Result<(u64, Answer), ControlError>,
    /// Where it goes.
    pub reply: oneshot::Sender<Result<Answer, ControlError>>,
    /// Given back when it is sent.
    pub permit: OwnedSemaphorePermit,
}

/// What happens.
pub enum Input {
    /// Something of the quorum has arrived.
    Arrival(Arrival),
    /// A node asks.
    Question(Question),
    /// A command of this node was answered.
    Carried(Carried),
    /// The shards listen from now on.
    Publish(watch::Sender<Arc<Image>>),
}

/// What others look at.
pub struct Views {
    /// The image, once there is one.
    pub known: watch::Sender<Option<Arc<Image>>>,
    /// Who leads, if that is known.
    pub leader: watch::Sender<Option<NodeId>>,
    /// The epoch of the node's own record that its shards have applied.
    pub own_epoch: watch::Sender<u64>,
}

/// Who the node is and who decides with it.
pub struct Identity {
    /// The cluster.
    pub cluster: [u8; 16],
    /// This start of this node.
    pub own: Start,
    /// The voters.
    pub voters: Vec<Voter>,
    /// Whether the node is to stop.
    pub retiring: watch::Receiver<bool>,
}

struct Waiting {
    index: u64,
    /// The version that the shards have to apply, once it is known.
    version: Option<u64>,
    answer: Answer,
    reply: oneshot::Sender<Result<Answer, ControlError>>,
    _permit: OwnedSemaphorePermit,
}

/// See the module.
pub struct Driver {
    identity: Identity,
    voters: Vec<NodeId>,
    member: Member,
    incoming: Incoming,
    links: ClusterLinks,
    knowledge: Knowledge,
    decider: Decider,
    progress: Arc<Progress>,
    views: Views,
    published: Option<watch::Sender<Arc<Image>>>,
    clock: Stopwatch,
    sessions: SessionClock,
    /// The controller of this term.
    active: Option<(u64, Active)>,
    work: Option<Work>,
    member_change: Option<ProposalId>,
    questions: VecDeque<(Ask, oneshot::Sender<Vec<u8>>)>,
    waiting: VecDeque<Waiting>,
}

impl Driver {
    /// A driver that goes on from what the member has on its disk.
    pub fn new(
        identity: Identity,
        (member, news): (Member, Vec<News>),
        links: ClusterLinks,
        decider: Decider,
        progress: Arc<Progress>,
        views: Views,
    ) -> Result<Self, StoreError> {
        let incoming = Incoming::new(identity.cluster, member.id(), identity.own.incarnation);
        let mut knowledge = Knowledge::default();
        let applied = member.node().status().applied;
        let replaced = knowledge.replace(identity.own.node, applied, member.node().state());
        replaced.map_err(|detail| member.damaged(detail))?;
        let voters = identity.voters.iter().map(|voter| voter.node).collect();
        let mut driver = Driver {
            identity,
            voters,
            member,
            incoming,
            links,
            knowledge,
            decider,
            progress,
            views,
            published: None,
            clock: Stopwatch::start(),
            sessions: SessionClock::default(),
            active: None,
            work: None,
            member_change: None,
            questions: VecDeque::new(),
            waiting: VecDeque::new(),
        };
        driver.take(news)?;
        driver.tell();
        Ok(driver)
    }

    /// Goes on until it is stopped, or the store fails.
    pub async fn run(mut self, mut inputs: mpsc::Receiver<Input>) -> Result<(), StoreError> {
        let progress = Arc::clone(&self.progress);
        let mut tick = Box::pin(sleep(Duration::from_millis(QUORUM_TICK_MS)));
        while !progress.is_stopping() {
            let (input, news) = (pin!(inputs.recv()), pin!(progress.news()));
            match select(&mut tick, select(input, news)).await {
                Either::Left(((), _)) => {
                    tick = Box::pin(sleep(Duration::from_millis(QUORUM_TICK_MS)));
                    let news = self.member.act(|node| node.tick())?;
                    self.take(news)?;
                    self.step_aside()?;
                }
                Either::Right((Either::Left((Some(input), _)), _)) => self.input(input)?,
                Either::Right((Either::Left((None, _)), _)) => return Ok(()),
                Either::Right((Either::Right(_), _)) => {}
            }
            self.lead()?;
            self.tell();
        }
        Ok(())
    }

    fn input(&mut self, input: Input) -> Result<(), StoreError> {
        match input {
            Input::Arrival(Arrival::Unreachable(peer)) => {
                let news = self.member.act(|node| node.unreachable(peer))?;
                self.take(news)?;
            }
            Input::Arrival(Arrival::Message { address, message }) => match self.incoming.admit(&address) {
                Ok(()) => {
                    let news = self.member.act(|node| node.receive(address.from, message))?;
                    self.take(news)?;
                }
                Err(stale) => tracing::debug!(member = address.from, "a frame is passed over: {stale}"),
            },
            Input::Question(question) => self.hear(question),
            Input::Carried(Carried { outcome: Ok((index, answer)), reply, permit }) => {
                self.waiting.push_back(Waiting { index, version: None, answer, reply, _permit: permit });
            }
            Input::Carried(Carried { outcome: Err(error), reply, .. }) => {
                // Nobody listens any more if the client has gone.
                let _ = reply.send(Err(error));
            }
            Input::Publish(sender) => self.published = Some(sender),
        }
        Ok(())
    }

    /// Sees to what the member wants.
    fn take(&mut self, news: Vec<News>) -> Result<(), StoreError> {
        let mut left = VecDeque::from(news);
        while let Some(news) = left.pop_front() {
            match news {
                News::Send { to, message } => {
                    if self.links.send(to, &message) != Sent::Queued {
                        left.extend(self.member.act(|node| node.unreachable(to))?);
                    }
                }
                News::Applied { index, changes } => {
                    let followed = self.knowledge.follow(self.identity.own.node, index, &changes);
                    followed.map_err(|detail| self.member.damaged(detail))?;
                }
                News::Restored => {
                    // The records may be those of later entries already, whose own news are passed over then.
                    let applied = self.member.node().status().applied;
                    let state = self.member.node().state();
                    let replaced = self.knowledge.replace(self.identity.own.node, applied, state);
                    replaced.map_err(|detail| self.member.damaged(detail))?;
                }
                News::Committed { proposal, index } => left.extend(self.finish(proposal, Ok(index))?),
                News::Rejected { proposal, why } => left.extend(self.finish(proposal, Err(why))?),
            }
        }
        Ok(())
    }

    /// A proposal is decided.
    fn finish(
        &mut self,
        proposal: ProposalId,
        outcome: Result<u64, Rejection>,
    ) -> Result<Vec<News>, StoreError> {
        if self.member_change == Some(proposal) {
            self.member_change = None;
            return Ok(Vec::new());
        }
        let Some(mut work) = self.work.take_if(|work| work.proposal == Some(proposal)) else {
            return Ok(Vec::new());
        };
        match outcome {
            Ok(index) => match work.next_piece() {
                Some(piece) => self.propose(work, piece),
                None => {
                    work.done(index);
                    Ok(Vec::new())
                }
            },
            Err(why) => {
                // What it has decided since may rest on what was not committed.
                if why != Rejection::TooLong {
                    self.active = None;
                }
                work.failed(why);
                Ok(Vec::new())
            }
        }
    }

    fn propose(
        &mut self,
        mut work: Work,
        piece: Vec<crate::quorum::Change>,
    ) -> Result<Vec<News>, StoreError> {
        match self.member.propose(piece, work.space()) {
            Ok((proposal, news)) => {
                work.proposal = Some(proposal);
                self.work = Some(work);
                Ok(news)
            }
            Err(error @ StoreError::DiskFull { .. }) => {
                work.refuse(ControlError::DiskFull(error.to_string()));
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Does the controller's work, if this node leads.
    fn lead(&mut self) -> Result<(), StoreError> {
        let status = self.member.node().status();
        let image = self.knowledge.image().filter(|_| self.member.node().is_settled_leader());
        let Some(image) = image.cloned() else {
            self.active = None;
            return self.send_on();
        };
        if self.work.is_some() {
            return Ok(());
        }
        let now_ms = self.sessions.listen(self.clock.elapsed_ms());
        if self.active.as_ref().is_none_or(|(term, _)| *term != status.term) {
            let mut draft = Draft::of(&image);
            let active = Active::begin(&mut draft, NODE_SESSION_TIMEOUT_MS, now_ms);
            self.active = Some((status.term, active));
            tracing::info!(term = status.term, "this node is the active controller");
            return self.begin(Work::of_membership(draft.changes(), None));
        }
        let (_, active) = self.active.as_mut().expect("made above");
        if active.is_expiry_due(now_ms) {
            let mut draft = Draft::of(&image);
            active.expire(&mut draft, now_ms);
            return self.begin(Work::of_membership(draft.changes(), None));
        }
        if let Some((ask, reply)) = self.questions.pop_front() {
            let mut draft = Draft::of(&image);
            let answer = active.decide(&mut draft, &ask, &mut self.decider, now_ms);
            let work = match &ask {
                Ask::Command(request) => {
                    let space = if request.spends_space() { Space::Spend } else { Space::Essential };
                    Work::of_command(draft.changes(), space, (reply, answer))
                }
                _ => Work::of_membership(draft.changes(), Some((reply, answer))),
            };
            self.begin(work)?;
            // What changes nothing is answered at once, and the next one has its turn.
            return self.lead();
        }
        self.change_members()
    }

    fn begin(&mut self, mut work: Work) -> Result<(), StoreError> {
        match work.next_piece() {
            None => work.done(self.knowledge.index()),
            Some(piece) => {
                let news = self.propose(work, piece)?;
                self.take(news)?;
            }
        }
        Ok(())
    }

    /// Has another voter lead the quorum, once the node was taken out of service: the others need not find out that it
    /// is gone.
    fn step_aside(&mut self) -> Result<(), StoreError> {
        if !*self.identity.retiring.borrow() || self.work.is_some() || self.active.is_none() {
            return Ok(());
        }
        let Some(image) = self.knowledge.image() else { return Ok(()) };
        let Some(heir) = heir(&self.member.node().status(), image, self.identity.own.node) else {
            return Ok(());
        };
        let news = self.member.act(|node| node.transfer(heir))?;
        self.take(news)
    }

    fn change_members(&mut self) -> Result<(), StoreError> {
        let Some(image) = self.knowledge.image().filter(|_| self.member_change.is_none()) else {
            return Ok(());
        };
        let status = self.member.node().status();
        let Some(change) = due_change(&status, image, &self.voters, self.member.id()) else { return Ok(()) };
        tracing::info!(?change, "the metadata quorum's members change");
        let proposal = self.member.next_proposal();
        self.member_change = Some(proposal);
        let news = self.member.act(|node| node.change_members(proposal, change))?;
        self.take(news)
    }

    /// Sends those who ask on to who leads.
    fn send_on(&mut self) -> Result<(), StoreError> {
        let leader = *self.views.leader.borrow();
        let leader = leader.filter(|leader| *leader != self.identity.own.node);
        for (_, reply) in self.questions.drain(..) {
            let _ = reply.send(Reply::NotController(leader).encode());
        }
        Ok(())
    }

    fn hear(&mut self, question: Question) {
        let Question { from, is_stranger, body, reply } = question;
        let answer = match Asked::decode(&body) {
            Err(wrong) => Reply::NotUnderstood(wrong),
            Ok(asked) if asked.voters != self.voters => Reply::OtherVoters(self.voters.clone()),
            Ok(Asked { ask: Ask::Seek, .. }) => {
                Reply::Cluster(Some(uuid::Uuid::from_bytes(self.identity.cluster)))
            }
            Ok(Asked { ask, .. }) if is_stranger || !speaks_for_itself(&ask, from.node) => {
                Reply::NotUnderstood("a node speaks for another one, or does not know its cluster".to_owned())
            }
            Ok(_) if self.questions.len() >= CONTROL_QUESTIONS_MAX => Reply::NotController(None),
            Ok(Asked { ask, .. }) => return self.questions.push_back((ask, reply)),
        };
        // Who asked may be gone.
        let _ = reply.send(answer.encode());
    }

    /// Shows what is new to everybody who looks.
    fn tell(&mut self) {
        let status = self.member.node().status();
        let image = self.knowledge.image().cloned();
        let leader = image.as_ref().and_then(|image| leader_of(image, status.leader?, raft_id));
        self.views.leader.send_if_modified(|known| std::mem::replace(known, leader) != leader);
        if let Some(image) = image {
            let version = image.version();
            let is_known = self.views.known.borrow().as_ref().is_some_and(|known| known.version() == version);
            if !is_known {
                image.nodes().for_each(|node| self.links.register(start_of(node)));
                self.links.set_peers(peers_of(&image, &self.identity.voters, self.identity.own.node));
                self.views.known.send_replace(Some(Arc::clone(&image)));
            }
            if let Some(published) = &self.published {
                published.send_if_modified(|shown| {
                    let is_newer = shown.version() < version;
                    if is_newer {
                        *shown = Arc::clone(&image);
                    }
                    is_newer
                });
            }
        }
        let applied = self.progress.applied_by_all();
        let epoch = self.knowledge.applied_record_epoch(applied);
        self.views.own_epoch.send_if_modified(|known| std::mem::replace(known, epoch) != epoch);
        self.reply_to_applied(applied);
    }

    fn reply_to_applied(&mut self, applied: u64) {
        let version = self.knowledge.image().map_or(0, |image| image.version());
        while let Some(first) = self.waiting.front_mut() {
            if self.knowledge.index() < first.index {
                return;
            }
            if *first.version.get_or_insert(version) > applied {
                return;
            }
            let Waiting { answer, reply, .. } = self.waiting.pop_front().expect("just seen");
            let _ = reply.send(Ok(answer));
        }
    }
}

/// Nodes register, and are there, for themselves only.
fn speaks_for_itself(ask: &Ask, from: NodeId) -> bool {
    match ask {
        Ask::Register(registration) => registration.node == from,
        Ask::Heartbeat(heartbeat) => heartbeat.node == from,
        Ask::Command(Request::AlterPartitions(command)) => command.leader == from,
        Ask::Seek | Ask::Command(_) => true,
    }
}
