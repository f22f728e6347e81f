//! What the leader of a partition decides: who may be sent what, what is committed, and who is in sync. One value for
//! one term: a new term is a new value, which knows nothing of what followers acknowledged in the old one.
//!
//! A follower is sent nothing until it has said where its log ends. Then it is sent what the log has, by the stream for
//! catching up, until no more is left than was read at once; and what is appended by the live one, as it is journaled.
//! These are two connections, and what is sent by one may overtake what was sent by the other: so on the way from one to
//! the other the leader holds its breath until all that was sent is synced. What was appended meanwhile is read from the
//! log, and goes before what comes next.

use thiserror::Error;

use super::following::{Following, Stage};
use super::frame::Stream;
use super::in_sync::{InSync, Proposal};
use super::replica::Replica;
use super::verdict::verdict;
use super::wire::{Ack, Action, Reconcile, Resume};
use crate::base::ids::{LeaderEpoch, NodeId, Offset, PartitionId};
use crate::partition::EpochHistory;

/// What does not change within a term.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaderSettings {
    /// The partition.
    pub partition: PartitionId,
    /// The term.
    pub leader_epoch: LeaderEpoch,
    /// The leader's own replica.
    pub own: Replica,
    /// `min.insync.replicas`.
    pub min_in_sync: usize,
    /// `replica.lag.time.max.ms`.
    pub lag_max_ms: u64,
}

/// The leader's log at the start of the term.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaderLog {
    /// The first offset.
    pub log_start: Offset,
    /// What is known to be committed.
    pub high_watermark: Offset,
    /// What is synced.
    pub durable_end: Offset,
    /// The next offset: the term's first record gets it.
    pub log_end: Offset,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LeaderEffect {
    /// All below is committed: whoever waits is answered, and the followers are told.
    Committed(Offset),
    /// The controller is to change the in-sync set.
    Propose(Proposal),
    /// To be sent to that follower, by that stream, before any records.
    Reconcile(NodeId, Stream, Reconcile),
    /// The follower is to be sent what the log has: [`Leader::read_from`] says from where on, until it says nothing.
    Read(NodeId),
    /// Somebody leads in a later term: nothing is to be accepted any more.
    Deposed(LeaderEpoch),
}

/// An answer of a follower that does not count.
#[derive(Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum AckError {
    /// It is not of a follower, or of one that was here before.
    #[error("the answer is of a replica that does not follow")]
    OtherReplica,
    /// It is for an earlier term.
    #[error("the answer is for term {found}, and this is {current}")]
    OldEpoch {
        /// Of the answer.
        found: LeaderEpoch,
        /// The leader's.
        current: LeaderEpoch,
    },
    /// It acknowledges what was not sent.
    #[error("the follower acknowledges {found}, and was sent {sent}")]
    NeverSent {
        /// What it acknowledges.
        found: Offset,
        /// What it was sent.
        sent: Offset,
    },
}

/// The leader of a partition in one term.
#[derive(Clone, Debug)]
pub struct Leader {
    settings: LeaderSettings,
    log: LeaderLog,
    epoch_start: Offset,
    followers: Vec<Following>,
    in_sync: InSync,
    now_ms: u64,
    is_deposed: bool,
}

impl Leader {
    /// A term begins. All followers are asked where their logs end.
    pub fn new(
        settings: LeaderSettings,
        log: LeaderLog,
        followers: &[Replica],
        in_sync: InSync,
        now_ms: u64,
        effects: &mut Vec<LeaderEffect>,
    ) -> Self {
        let following = |replica: &Replica| Following::new(*replica, log.log_end, now_ms);
        let followers: Vec<_> = followers.iter().map(following).collect();
        let epoch_start = log.log_end;
        let leader = Leader { settings, log, epoch_start, followers, in_sync, now_ms, is_deposed: false };
        effects.extend(leader.followers.iter().map(|follower| leader.ask(follower.replica.node)));
        leader
    }

    /// The log as it is now.
    pub fn log(&self) -> LeaderLog {
        self.log
    }

    /// Records that the follower who is furthest behind has not synced, as far as is known.
    pub fn behind(&self) -> Offset {
        let durable = |it: &Following| it.durable_end.unwrap_or(self.log.log_start);
        let least = self.followers.iter().map(durable).min();
        least.map_or(0, |least| (self.log.log_end - least).max(0))
    }

    /// The in-sync set.
    pub fn in_sync(&self) -> &InSync {
        &self.in_sync
    }

    /// Whether a write with `acks=all` may be accepted, or answered: enough replicas are in sync.
    pub fn is_enough_in_sync(&self) -> bool {
        !self.is_deposed && self.in_sync.size() >= self.settings.min_in_sync
    }

    /// `min.insync.replicas` is another number now.
    pub fn set_min_in_sync(&mut self, min_in_sync: usize, effects: &mut Vec<LeaderEffect>) {
        self.settings.min_in_sync = min_in_sync;
        self.decide(effects);
    }

    /// Records were appended: the log ends at `log_end` now.
    pub fn appended(&mut self, log_end: Offset) {
        assert!(log_end > self.log.log_end, "logs grow");
        self.log.log_end = log_end;
    }

    /// The leader's own log is synced up to `durable_end`.
    pub fn synced(&mut self, durable_end: Offset, effects: &mut Vec<LeaderEffect>) {
        assert!(durable_end <= self.log.log_end, "what was not appended cannot be synced");
        self.log.durable_end = self.log.durable_end.max(durable_end);
        self.decide(effects);
    }

    /// The log starts at `log_start` now. Who has yet to be sent what is gone is asked again, and starts anew.
    pub fn starts_at(&mut self, log_start: Offset, effects: &mut Vec<LeaderEffect>) {
        assert!(self.log.log_start <= log_start && log_start <= self.log.high_watermark);
        self.log.log_start = log_start;
        let is_late = |it: &&mut Following| it.stage.sent().is_some_and(|sent| sent < log_start);
        let late: Vec<NodeId> = self.followers.iter_mut().filter(is_late).map(Following::forget).collect();
        effects.extend(late.into_iter().map(|node| self.ask(node)));
    }

    /// Where the log starts for ever, on all replicas that are alive: what a request to delete records is answered with
    /// once it reaches what was asked for. None while some replica has not said. The leader's own part is `durable_start`.
    pub fn low_watermark(&self, durable_start: Offset) -> Option<Offset> {
        let alive = self.followers.iter().filter(|it| it.is_counted_on());
        alive.map(|it| it.durable_start).try_fold(durable_start, |low, start| Some(low.min(start?)))
    }

    /// Whether the appended records from `base` to `end` are what that follower is to be sent next, as they are
    /// journaled. They count as sent then. To be asked for all that is appended, unless the window of the follower's live
    /// stream has no room ([`super::Session::has_room`]): then [`Leader::fell_behind`] is to be told instead.
    pub fn push_live(&mut self, node: NodeId, base: Offset, end: Offset) -> bool {
        assert!(base < end && end <= self.log.log_end);
        self.push(node, Stream::Live, base, end)
    }

    /// Whether what was read of the log from `base` to `end` is still what that follower is to be sent next, by that
    /// stream. It counts as sent then.
    pub fn push_from_log(&mut self, node: NodeId, stream: Stream, base: Offset, end: Offset) -> bool {
        assert!(base < end && end <= self.log.log_end);
        let is_sent = self.push(node, stream, base, end);
        let is_near = self.log.log_end - end <= end - base;
        if is_sent && stream == Stream::CatchUp && is_near {
            self.follower(node).expect("it was sent something").stage = Stage::Changing(Stream::Live, end);
        }
        is_sent
    }

    fn push(&mut self, node: NodeId, stream: Stream, base: Offset, end: Offset) -> bool {
        match self.follower(node) {
            Some(follower) if follower.stage == Stage::By(stream, base) => {
                follower.stage = Stage::By(stream, end);
                true
            }
            _ => false,
        }
    }

    /// From where on the log is to be read for that follower, and by which stream it goes; none if nothing is to be read
    /// now. To be asked again after each [`Leader::push_from_log`]; and [`LeaderEffect::Read`] tells when to begin.
    pub fn read_from(&self, node: NodeId) -> Option<(Stream, Offset)> {
        let follower = self.followers.iter().find(|it| it.replica.node == node)?;
        match follower.stage {
            Stage::By(stream, sent) if sent < self.log.log_end => Some((stream, sent)),
            _ => None,
        }
    }

    /// What was appended does not fit the window of the follower's live stream: it is read from the log later.
    pub fn fell_behind(&mut self, node: NodeId, effects: &mut Vec<LeaderEffect>) {
        let log_end = self.log.log_end;
        let Some(follower) = self.follower(node) else { return };
        if let Stage::By(Stream::Live, sent) = follower.stage {
            follower.stage = Stage::Changing(Stream::CatchUp, sent);
            follower.change(log_end, effects);
        }
    }

    /// A session with the follower begins, or the replica on that node is another one now. What was on its way is lost.
    pub fn meets(&mut self, replica: Replica, effects: &mut Vec<LeaderEffect>) {
        let (log_end, now_ms) = (self.log.log_end, self.now_ms);
        let ask = self.ask(replica.node);
        let Some(follower) = self.follower(replica.node) else { return };
        if follower.replica == replica {
            follower.stage = Stage::Unknown;
        } else {
            // What another disk, or another start, has synced says nothing of this one (KIP-966).
            let is_eligible = follower.is_eligible;
            *follower = Following { is_eligible, ..Following::new(replica, log_end, now_ms) };
        }
        effects.push(ask);
    }

    /// The metadata says whether a follower's node is alive.
    pub fn set_eligible(&mut self, node: NodeId, is_eligible: bool, effects: &mut Vec<LeaderEffect>) {
        if let Some(follower) = self.follower(node) {
            follower.is_eligible = is_eligible;
        }
        self.decide(effects);
    }

    /// A follower says where its log ends.
    pub fn resumed(
        &mut self,
        replica: Replica,
        resume: &Resume,
        history: &EpochHistory,
        effects: &mut Vec<LeaderEffect>,
    ) -> Result<(), AckError> {
        self.check(replica, resume.leader_epoch, effects)?;
        let is_in_sync = self.in_sync.committed().contains(&replica.node);
        let (action, epoch, offset) = verdict(self.log, resume, history, is_in_sync);
        let reconcile = self.reconcile(resume.round, action, epoch, offset);
        let log_end = self.log.log_end;
        let counts = self.in_sync.union().any(|node| node == replica.node);
        let follower = self.follower(replica.node).expect("checked");
        follower.has_to_restart = action == Action::Restart && counts;
        if follower.has_to_restart {
            // What it would drop may be the second copy of what was committed: first it leaves the set, then it is asked
            // again, and told.
            follower.stage = Stage::Unknown;
            self.decide(effects);
            return Ok(());
        }
        if action != Action::Follow {
            follower.stage = Stage::Unknown;
            effects.push(LeaderEffect::Reconcile(replica.node, Stream::Live, reconcile));
            return Ok(());
        }
        let stream = if offset == log_end { Stream::Live } else { Stream::CatchUp };
        follower.durable_end = Some(resume.durable_end.min(offset));
        follower.stage = Stage::By(stream, offset);
        effects.push(LeaderEffect::Reconcile(replica.node, stream, reconcile));
        if offset < log_end {
            effects.push(LeaderEffect::Read(replica.node));
        }
        self.decide(effects);
        Ok(())
    }

    /// A follower has synced.
    pub fn acknowledged(
        &mut self,
        replica: Replica,
        ack: &Ack,
        effects: &mut Vec<LeaderEffect>,
    ) -> Result<(), AckError> {
        self.check(replica, ack.leader_epoch, effects)?;
        let log_end = self.log.log_end;
        let follower = self.follower(replica.node).expect("checked");
        // If nothing was sent, it speaks of a session that has ended, or before its own question was heard.
        let Some(sent) = follower.stage.sent() else { return Ok(()) };
        if ack.durable_end > sent {
            return Err(AckError::NeverSent { found: ack.durable_end, sent });
        }
        follower.durable_end = follower.durable_end.max(Some(ack.durable_end));
        follower.durable_start = follower.durable_start.max(Some(ack.durable_start));
        follower.change(log_end, effects);
        self.decide(effects);
        Ok(())
    }

    /// A follower's shard cannot write any more ([`super::Answers::writer_failed`]): it is not waited for any longer than
    /// it takes to have it out of the in-sync set, which it cannot join again before its node is started anew.
    pub fn writer_failed(&mut self, replica: Replica, effects: &mut Vec<LeaderEffect>) {
        if let Some(follower) = self.follower(replica.node).filter(|it| it.replica == replica) {
            follower.stage = Stage::Unknown;
            follower.has_failed = true;
        }
        self.decide(effects);
    }

    /// The metadata has an in-sync set, in that term. One of another term is not this value's: the driver makes another
    /// for a later one, and images do not go back.
    pub fn learned(
        &mut self,
        leader_epoch: LeaderEpoch,
        partition_epoch: i32,
        in_sync: Vec<NodeId>,
        effects: &mut Vec<LeaderEffect>,
    ) {
        self.depose_by(leader_epoch, effects);
        if leader_epoch != self.settings.leader_epoch {
            return;
        }
        self.in_sync.learn(partition_epoch, in_sync);
        self.ask_who_left(effects);
        self.decide(effects);
    }

    /// Who was to start anew, and counts no more, is asked again: now it is told.
    fn ask_who_left(&mut self, effects: &mut Vec<LeaderEffect>) {
        let left =
            |it: &&mut Following| it.has_to_restart && !self.in_sync.committed().contains(&it.replica.node);
        let asked: Vec<NodeId> = self.followers.iter_mut().filter(left).map(Following::forget).collect();
        effects.extend(asked.into_iter().map(|node| self.ask(node)));
    }

    /// The controller refused a change; see [`InSync::refused`] for when this may be said.
    pub fn refused(&mut self, partition_epoch: i32, effects: &mut Vec<LeaderEffect>) {
        self.in_sync.refused(partition_epoch, self.now_ms);
        // Also who was to join by that change.
        self.ask_who_left(effects);
        self.commit(effects);
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ms: u64, effects: &mut Vec<LeaderEffect>) {
        self.now_ms = now_ms;
        let log_end = self.log.log_end;
        for follower in &mut self.followers {
            follower.look(log_end, now_ms);
        }
        if !self.is_deposed {
            effects.extend(self.in_sync.due(now_ms).map(LeaderEffect::Propose));
        }
        self.decide(effects);
    }

    fn decide(&mut self, effects: &mut Vec<LeaderEffect>) {
        self.commit(effects);
        self.propose(effects);
    }

    /// Commits what all of both sets have synced. Never fewer than `min.insync.replicas` are asked.
    fn commit(&mut self, effects: &mut Vec<LeaderEffect>) {
        if !self.is_enough_in_sync() {
            return;
        }
        let mut end = self.log.durable_end;
        for node in self.in_sync.union().filter(|node| *node != self.settings.own.node) {
            let follower = self.followers.iter().find(|it| it.replica.node == node);
            match follower.and_then(|it| it.durable_end) {
                Some(durable_end) => end = end.min(durable_end),
                // A member that has said nothing in this term may have nothing.
                None => return,
            }
        }
        if end > self.log.high_watermark {
            self.log.high_watermark = end;
            effects.push(LeaderEffect::Committed(end));
        }
    }

    /// Proposes the in-sync set as it should be, if it is not, one change at a time.
    fn propose(&mut self, effects: &mut Vec<LeaderEffect>) {
        if self.is_deposed || self.in_sync.is_changing() {
            return;
        }
        let committed = self.in_sync.committed();
        let belongs = |follower: &&Following| match committed.contains(&follower.replica.node) {
            true => self.may_stay(follower),
            false => self.may_join(follower),
        };
        let members: Vec<Replica> = self.followers.iter().filter(belongs).map(|it| it.replica).collect();
        let joins = members.iter().any(|it| !committed.contains(&it.node));
        if !joins && members.len() + 1 == committed.len() {
            return;
        }
        let in_sync: Vec<Replica> = [self.settings.own].into_iter().chain(members).collect();
        if !self.in_sync.may_propose(&in_sync, self.now_ms) {
            return;
        }
        let LeaderSettings { partition, leader_epoch, .. } = self.settings;
        let partition_epoch = self.in_sync.partition_epoch();
        let proposal = Proposal { partition, leader_epoch, partition_epoch, in_sync };
        self.in_sync.propose(proposal.clone(), self.now_ms);
        effects.push(LeaderEffect::Propose(proposal));
    }

    fn may_stay(&self, follower: &Following) -> bool {
        follower.is_counted_on()
            && !follower.has_to_restart
            && self.now_ms.saturating_sub(follower.caught_up_ms) <= self.settings.lag_max_ms
    }

    /// Who joins has all that is committed, has reached this term, and would not have to leave again at once.
    fn may_join(&self, follower: &Following) -> bool {
        let needed = self.log.high_watermark.max(self.epoch_start);
        let is_there = follower.durable_end.is_some_and(|durable_end| durable_end >= needed);
        is_there && follower.stage.sent().is_some() && self.may_stay(follower)
    }

    /// Whether an answer is of a replica that follows in this term.
    fn check(
        &mut self,
        replica: Replica,
        leader_epoch: LeaderEpoch,
        effects: &mut Vec<LeaderEffect>,
    ) -> Result<(), AckError> {
        if self.follower(replica.node).is_none_or(|follower| follower.replica != replica) {
            return Err(AckError::OtherReplica);
        }
        self.depose_by(leader_epoch, effects);
        let current = self.settings.leader_epoch;
        if leader_epoch == current {
            Ok(())
        } else {
            Err(AckError::OldEpoch { found: leader_epoch, current })
        }
    }

    fn depose_by(&mut self, leader_epoch: LeaderEpoch, effects: &mut Vec<LeaderEffect>) {
        if leader_epoch > self.settings.leader_epoch && !self.is_deposed {
            self.is_deposed = true;
            effects.push(LeaderEffect::Deposed(leader_epoch));
        }
    }

    fn ask(&self, node: NodeId) -> LeaderEffect {
        LeaderEffect::Reconcile(node, Stream::Live, self.reconcile(0, Action::Ask, -1, 0))
    }

    fn reconcile(&self, round: u32, action: Action, epoch: LeaderEpoch, offset: Offset) -> Reconcile {
        let LeaderSettings { partition, leader_epoch, .. } = self.settings;
        let topic = partition.topic.to_bytes();
        Reconcile { topic, index: partition.index, leader_epoch, round, action: action.code(), epoch, offset }
    }

    fn follower(&mut self, node: NodeId) -> Option<&mut Following> {
        self.followers.iter_mut().find(|it| it.replica.node == node)
    }
}
