//! A member of the quorum. Whoever drives it tells it what happens, takes the effects after each event, and carries
//! them out in order. At most one [`Persist`] is under way; until it is durable, everything that depends on it waits.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use raft::eraftpb::Message as RaftMessage;
use raft::{Config, RawNode, ReadOnlyOption, StateRole};

use super::command::Change;
use super::convert;
use super::guard;
use super::members::{Members, RaftId};
use super::memory_log::MemoryLog;
use super::message::{Body, Message};
use super::proposals::Proposals;
use super::reads::Reads;
use super::ready::{Persisting, Unsaved};
use super::settings::Settings;
use super::snapshot_receive::Receiving;
use super::snapshot_send::Sending;
use super::state::State;
use super::stored::{Head, Persist, Stored};
use super::timeouts::ElectionTimeout;
use crate::base::limits::{
    QUORUM_APPEND_BYTES, QUORUM_APPENDS_IN_FLIGHT_MAX, QUORUM_MESSAGES_HELD_MAX, QUORUM_UNCOMMITTED_BYTES_MAX,
};
use crate::base::splitmix::SplitMix;

/// A proposal, as its proposer calls it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ProposalId(pub u64);

/// A read, as its reader calls it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ReadId(pub u64);

/// What a member is at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It follows, or waits for somebody to follow.
    Follower,
    /// It tries to be elected.
    Candidate,
    /// It leads.
    Leader,
}

/// Why a proposal was not carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rejection {
    /// Another member leads, if anybody does.
    NotLeader(Option<RaftId>),
    /// Too much is under way, or leadership is being handed over. Nothing was changed.
    Busy,
    /// It is longer than an entry may be. Nothing was changed.
    TooLong,
    /// It does not fit the members that there are, or another change of them is under way. Nothing was changed.
    Refused,
    /// The leader has lost its office. Whether the proposal is carried out, nobody knows yet.
    Uncertain,
}

/// What the node wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Make this durable and call [`Node::persisted`]. If that fails, the node must not be used any more: what is on the
    /// disk then shows at the next start.
    Persist(Persist),
    /// Send a message, in order, or not at all if the peer cannot be reached.
    Send { to: RaftId, message: Message },
    /// An entry was applied to the records; `checksum` is that of all of them then.
    Applied { index: u64, term: u64, changes: Vec<Change>, checksum: u64 },
    /// All records were replaced by a snapshot's.
    Restored { index: u64, term: u64, checksum: u64 },
    /// A proposal is carried out for good.
    Committed { proposal: ProposalId, index: u64 },
    /// A proposal is not, or not by us.
    Rejected { proposal: ProposalId, why: Rejection },
    /// Everything that was committed before the read began is in the records, up to `index`.
    ReadReady { read: ReadId, index: u64 },
    /// Nobody confirmed the read in time.
    ReadRefused { read: ReadId },
    /// Role, term or leader have changed.
    Role { role: Role, term: u64, leader: Option<RaftId> },
    /// A peer breaks the rules. Its message was ignored.
    Suspicious { from: RaftId, what: &'static str },
    /// The records are not what they must be. The node does nothing more.
    Halted { what: &'static str },
}

/// What a member knows of the quorum.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// The member's own role.
    pub role: Role,
    /// The term.
    pub term: u64,
    /// Who leads.
    pub leader: Option<RaftId>,
    /// The last entry that it knows to be committed.
    pub commit: u64,
    /// The last entry that its records reflect.
    pub applied: u64,
    /// The last entry that it has.
    pub last_index: u64,
    /// Entries in its log.
    pub log_entries: usize,
    /// The members.
    pub members: Members,
    /// If it leads: the last entry that each of the others has for sure.
    pub matched: BTreeMap<RaftId, u64>,
}

/// A member of the quorum.
pub struct Node {
    pub(super) raw: RawNode<MemoryLog>,
    pub(super) settings: Settings,
    pub(super) state: Arc<State>,
    /// What a [`Persist`] would say.
    pub(super) head: Head,
    pub(super) unsaved: Unsaved,
    pub(super) persisting: Option<Persisting>,
    pub(super) proposals: Proposals,
    pub(super) reads: Reads,
    pub(super) sending: BTreeMap<RaftId, Sending>,
    pub(super) receiving: Option<Receiving>,
    /// A snapshot's records, for the step in which Raft takes the snapshot.
    pub(super) restoring: Option<State>,
    /// Checksums after the newest entries, by their index.
    pub(super) checksums: VecDeque<(u64, u64)>,
    pub(super) effects: Vec<Effect>,
    pub(super) is_halted: bool,
    chance: SplitMix,
    timeout: ElectionTimeout,
    announced: (StateRole, u64, RaftId),
}

impl Node {
    /// A member that goes on from what is stored.
    ///
    /// # Panics
    /// If what is stored is another member's, or does not fit together: [`Stored::fault`].
    pub fn new(settings: Settings, stored: Stored) -> Self {
        assert_eq!(settings.id, stored.head.id, "a member has its own store");
        assert_eq!(stored.fault(), None, "a store checks what it loads");
        let config = Config {
            id: settings.id,
            election_tick: settings.election_ticks,
            heartbeat_tick: settings.heartbeat_ticks,
            applied: stored.head.applied_index,
            max_size_per_msg: QUORUM_APPEND_BYTES as u64,
            max_inflight_msgs: QUORUM_APPENDS_IN_FLIGHT_MAX,
            check_quorum: true,
            pre_vote: true,
            read_only_option: ReadOnlyOption::Safe,
            max_uncommitted_size: QUORUM_UNCOMMITTED_BYTES_MAX as u64,
            max_committed_size_per_ready: QUORUM_APPEND_BYTES as u64,
            ..Config::default()
        };
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raw = RawNode::new(&config, MemoryLog::new(&stored), &logger)
            .expect("the memory log never fails, and the settings are in order");
        let mut checksums = VecDeque::new();
        checksums.push_back((stored.head.applied_index, stored.head.checksum));
        let announced = (StateRole::Follower, stored.head.term, 0);
        let mut node = Node {
            raw,
            state: Arc::new(stored.records),
            head: stored.head,
            unsaved: Unsaved::default(),
            persisting: None,
            proposals: Proposals::default(),
            reads: Reads::default(),
            sending: BTreeMap::new(),
            receiving: None,
            restoring: None,
            checksums,
            effects: Vec::new(),
            is_halted: false,
            chance: SplitMix::new(settings.seed),
            timeout: ElectionTimeout::new(),
            announced,
            settings,
        };
        node.settle();
        node
    }

    /// Takes what is to be done since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// The records, as of the last applied entry.
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// What the member knows.
    pub fn status(&self) -> Status {
        let raft = &self.raw.raft;
        let is_leader = raft.state == StateRole::Leader;
        let others = raft.prs().iter().filter(|(id, _)| is_leader && **id != self.settings.id);
        Status {
            role: role_of(raft.state),
            term: raft.term,
            leader: self.leader(),
            commit: raft.raft_log.committed,
            applied: self.head.applied_index,
            last_index: raft.raft_log.last_index(),
            log_entries: self.raw.store().len(),
            members: self.head.members.clone(),
            matched: others.map(|(id, progress)| (*id, progress.matched)).collect(),
        }
    }

    /// Whether it leads, and its records reflect all that earlier leaders committed. Who decides on the records must
    /// not begin before.
    pub fn is_settled_leader(&self) -> bool {
        self.is_leader() && self.raw.raft.apply_to_current_term()
    }

    pub(super) fn is_leader(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    pub(super) fn leader(&self) -> Option<RaftId> {
        Some(self.raw.raft.leader_id).filter(|id| *id != 0)
    }

    /// Time passes.
    pub fn tick(&mut self) {
        // What is held for the disk is bounded: when that hangs, the node stands still, and others take over.
        if self.is_halted || self.stands_still() {
            return;
        }
        self.raw.tick();
        self.expire_reads();
        self.tick_sending();
        self.settle();
    }

    /// Tries to be elected now instead of when the timeout is over: who is alone among voters leads at once, and needs no
    /// ticks from then on. To be called when all is carried out that [`Node::new`] has led to.
    pub fn campaign(&mut self) {
        if self.is_halted || self.stands_still() {
            return;
        }
        if let Err(error) = self.raw.campaign() {
            tracing::trace!(%error, "a campaign came to nothing");
        }
        self.settle();
    }

    /// A peer says something. Its frame was admitted: see [`super::Incoming`].
    pub fn receive(&mut self, from: RaftId, message: Message) {
        if self.is_halted || self.stands_still() {
            return;
        }
        let raft = &self.raw.raft;
        let view = guard::View {
            last_index: raft.raft_log.last_index(),
            is_leader: self.is_leader(),
            term: raft.term,
            reads: raft.pending_read_count(),
        };
        if let Some(what) = guard::fault(&message, &view) {
            self.effects.push(Effect::Suspicious { from, what });
            return;
        }
        let term = message.term;
        match message.body {
            Body::Chunk(chunk) => self.receive_chunk(from, term, chunk),
            Body::ChunkReply { index, next } => self.receive_chunk_reply(from, index, next),
            _ => {
                let raft = convert::to_raft(from, self.settings.id, &message).expect("all but chunks");
                self.step(raft);
            }
        }
        self.settle();
    }

    /// A peer cannot be reached: what was sent to it last may be lost.
    pub fn unreachable(&mut self, peer: RaftId) {
        if !self.is_halted {
            self.raw.report_unreachable(peer);
            self.settle();
        }
    }

    /// Hands leadership over, if this member leads; `to` catches up first. It may come to nothing.
    pub fn transfer(&mut self, to: RaftId) {
        if !self.is_halted && self.is_leader() {
            self.raw.transfer_leader(to);
            self.settle();
        }
    }

    /// Raft may refuse a message: it is from somebody whom it does not know, or too late.
    pub(super) fn step(&mut self, message: RaftMessage) {
        if let Err(error) = self.raw.step(message) {
            tracing::trace!(%error, "a message came to nothing");
        }
    }

    pub(super) fn send(&mut self, to: RaftId, body: Body) {
        let message = Message { term: self.raw.raft.term, body };
        self.effects.push(Effect::Send { to, message });
    }

    /// Whether nothing may happen until the disk answers: so much waits for it, or a snapshot, without which the `raft`
    /// crate has neither the entries before it nor the records behind them, and would end the process if it was to be
    /// elected.
    pub(super) fn stands_still(&self) -> bool {
        let Some(persisting) = &self.persisting else { return false };
        persisting.has_snapshot() || self.raw.raft.msgs.len() >= QUORUM_MESSAGES_HELD_MAX
    }

    pub(super) fn draw(&mut self) -> u64 {
        self.chance.next_u64()
    }

    pub(super) fn halt(&mut self, what: &'static str) {
        if !self.is_halted {
            self.is_halted = true;
            self.effects.push(Effect::Halted { what });
        }
    }

    /// Makes effects of what an event has led to.
    pub(super) fn settle(&mut self) {
        self.timeout.pin(&mut self.raw, &mut self.chance);
        while !self.is_halted && self.persisting.is_none() && self.raw.has_ready() {
            self.handle_ready();
            self.timeout.pin(&mut self.raw, &mut self.chance);
        }
        self.announce();
    }

    fn announce(&mut self) {
        let raft = &self.raw.raft;
        let now = (raft.state, raft.term, raft.leader_id);
        if now == self.announced {
            return;
        }
        if self.announced.0 == StateRole::Leader && (now.0 != StateRole::Leader || now.1 != self.announced.1)
        {
            self.reject_proposals(Rejection::Uncertain);
            self.sending.clear();
        }
        self.announced = now;
        let (role, term, leader) = (role_of(now.0), now.1, self.leader());
        self.effects.push(Effect::Role { role, term, leader });
    }
}

fn role_of(state: StateRole) -> Role {
    match state {
        StateRole::Follower => Role::Follower,
        StateRole::PreCandidate | StateRole::Candidate => Role::Candidate,
        StateRole::Leader => Role::Leader,
    }
}
