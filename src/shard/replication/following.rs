//! What a follower's decisions come to.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::host::Replication;
use super::role::{Following, Next, Role};
use crate::base::ids::{LeaderEpoch, Offset};
use crate::base::limits::REPLICATION_PROPOSE_AGAIN_MS;
use crate::partition::Progress;
use crate::replication::{Ack, Follower, FollowerEffect, FollowerLog, PeerShard, Resume, Stream};
use crate::shard::commits::Uncommitted;
use crate::shard::error::StorageError;
use crate::shard::replica::Replica;

/// A log that is to be cut.
#[derive(Clone, Copy)]
enum Cut {
    /// To that end.
    To(Offset),
    /// Wholly, and to go on there.
    RestartAt(Offset),
}

impl Replication {
    /// Begins to follow a leader in its term, or in a new session with it. What was appended as leader and not committed
    /// is nobody's promise any more.
    pub(super) fn follow(&self, replica: &Rc<Replica>, from: PeerShard, leader_epoch: LeaderEpoch) {
        let next_ticket = match &mut *replica.role.borrow_mut() {
            Role::Follows(following) if following.is_cutting => {
                following.next = Some(Next::Follow(from, leader_epoch));
                return;
            }
            Role::Follows(following) => following.follower.next_ticket(),
            _ => {
                self.times_followed.set(self.times_followed.get() + 1);
                (self.times_followed.get() << 32) + 1
            }
        };
        let mut effects = Vec::new();
        let log = {
            let mut state = replica.state.borrow_mut();
            state.follow();
            follower_log(replica, state.progress())
        };
        let follower = {
            let state = replica.state.borrow();
            Follower::new(replica.id, leader_epoch, log, next_ticket, state.epochs(), &mut effects)
        };
        // What is still on its way to the disk has the last ticket before these.
        let is_pending = log.durable_end < log.log_end;
        let tickets: VecDeque<_> =
            is_pending.then_some((next_ticket.saturating_sub(1), log.log_end)).into_iter().collect();
        let following = Following { follower, leader_epoch, from, tickets, is_cutting: false, next: None };
        replica.set_role(Role::Follows(Box::new(following)));
        replica.refuse_waiters(Uncommitted::NotLeader);
        replica.tell_watchers();
        self.led.borrow_mut().remove(&replica.id);
        self.followed.borrow_mut().insert(replica.id, Rc::clone(replica));
        self.carry_out_followers(replica, effects);
    }

    /// A session with a leader's shard begins: all that is followed there begins anew.
    pub(super) fn follow_anew(&self, from: PeerShard) {
        let term = |replica: &Replica| match &*replica.role.borrow() {
            Role::Follows(following) if following.from == from => Some(following.leader_epoch),
            _ => None,
        };
        let followed: Vec<Rc<Replica>> = self.followed.borrow().values().cloned().collect();
        for replica in followed {
            if let Some(leader_epoch) = term(&replica) {
                self.follow(&replica, from, leader_epoch);
            }
        }
    }

    pub(super) fn carry_out_followers(&self, replica: &Rc<Replica>, effects: Vec<FollowerEffect>) {
        let mut effects = effects.into_iter();
        while let Some(effect) = effects.next() {
            match effect {
                FollowerEffect::Acknowledge(ack) => self.send_ack(replica, ack),
                FollowerEffect::Resume(resume) => self.send_resume(replica, resume),
                FollowerEffect::Committed(end) => replica.on_committed(end),
                FollowerEffect::StartAt { ticket, log_start } => {
                    self.move_log_start(replica, ticket, log_start)
                }
                FollowerEffect::Truncate { ticket, log_end, is_below_high_watermark } => {
                    if is_below_high_watermark {
                        tracing::error!(
                            partition = %replica.id, log_end,
                            "the new leader does not have records that were committed: they are cut off here too"
                        );
                    }
                    return self.cut(replica, ticket, Cut::To(log_end), effects.collect());
                }
                FollowerEffect::Restart { ticket, at, drops_committed } => {
                    if drops_committed {
                        tracing::error!(
                            partition = %replica.id, at,
                            "the leader's log has nothing in common with records that were committed: they go here too"
                        );
                    }
                    tracing::info!(partition = %replica.id, at, "the log is begun anew where the leader's starts");
                    return self.cut(replica, ticket, Cut::RestartAt(at), effects.collect());
                }
                FollowerEffect::Append { .. } => unreachable!("who heard the batch appends it"),
            }
        }
    }

    /// Cuts the log, and goes on with `behind` when that is durable. Nothing is heard for the partition before.
    fn cut(&self, replica: &Rc<Replica>, ticket: u64, cut: Cut, behind: Vec<FollowerEffect>) {
        if let Role::Follows(following) = &mut *replica.role.borrow_mut() {
            following.is_cutting = true;
        }
        self.meters.cuts.increment();
        let (this, replica) = (self.storage.replication().expect("it calls"), Rc::clone(replica));
        self.tasks.spawn(&*self.storage.runtime, async move {
            let outcome = match cut {
                Cut::To(log_end) => this.storage.truncate(&replica, log_end).await,
                Cut::RestartAt(at) => this.storage.restart_log(&replica, at).await,
            };
            this.end_cut(&replica, ticket, outcome, behind);
        });
    }

    fn end_cut(
        &self,
        replica: &Rc<Replica>,
        ticket: u64,
        outcome: Result<(), StorageError>,
        behind: Vec<FollowerEffect>,
    ) {
        let log_end = replica.state.borrow().progress().log_end();
        let mut effects = Vec::new();
        let next = match &mut *replica.role.borrow_mut() {
            Role::Follows(following) => {
                following.is_cutting = false;
                following.tickets.clear();
                let is_there = outcome.is_ok() && following.follower.log().log_end == log_end;
                let again = Next::Follow(following.from, following.leader_epoch);
                let next = following.next.take().or((!is_there).then_some(again));
                if next.is_none() {
                    following.follower.synced(ticket, &mut effects);
                }
                next
            }
            _ => return,
        };
        if let Err(error) = outcome {
            tracing::error!(partition = %replica.id, %error, "a log cannot be cut as its leader's is");
            if replica.check_online().is_ok() && self.storage.check_in_service().is_ok() {
                self.set_aside(replica, &error);
            }
            return;
        }
        match next {
            None => {
                effects.extend(behind);
                self.carry_out_followers(replica, effects);
            }
            Some(Next::Follow(from, leader_epoch)) => self.follow(replica, from, leader_epoch),
            Some(Next::LookAgain) => {
                self.look_again.borrow_mut().insert(replica.id);
                self.look_again_wanted.notify_one();
            }
        }
    }

    /// Moves the log start, which takes its time; what is appended behind it is not acknowledged before.
    fn move_log_start(&self, replica: &Rc<Replica>, ticket: u64, log_start: Offset) {
        if let Role::Follows(following) = &mut *replica.role.borrow_mut() {
            following.tickets.push_back((ticket, Offset::MAX));
        }
        let (this, replica) = (self.storage.replication().expect("it calls"), Rc::clone(replica));
        self.tasks.spawn(&*self.storage.runtime, async move {
            while let Err(error) = this.storage.advance_log_start(&replica, log_start).await {
                tracing::warn!(partition = %replica.id, log_start, %error, "a log start could not be moved");
                let pause = Duration::from_millis(REPLICATION_PROPOSE_AGAIN_MS);
                let goes_on = this.storage.pause(pause).await && !this.has_ended();
                let is_pending = goes_on && has_ticket(&replica, ticket);
                if !is_pending || replica.check_online().is_err() {
                    return;
                }
            }
            if let Role::Follows(following) = &mut *replica.role.borrow_mut() {
                following.note_synced(ticket);
            }
            this.follower_synced(&replica);
        });
    }

    /// A follower's log is synced further.
    pub(super) fn follower_synced(&self, replica: &Rc<Replica>) {
        let durable_end = replica.state.borrow().progress().durable_end();
        let ticket = match &mut *replica.role.borrow_mut() {
            Role::Follows(following) => following.take_synced(durable_end),
            _ => None,
        };
        if let Some(ticket) = ticket {
            self.ticket_synced(replica, ticket);
        }
    }

    fn ticket_synced(&self, replica: &Rc<Replica>, ticket: u64) {
        let mut effects = Vec::new();
        if let Role::Follows(following) = &mut *replica.role.borrow_mut()
            && !following.is_cutting
        {
            following.follower.synced(ticket, &mut effects);
        }
        self.carry_out_followers(replica, effects);
    }

    fn send_ack(&self, replica: &Replica, ack: Ack) {
        let Some(from) = followed_at(replica) else { return };
        let incoming = self.incoming(from);
        incoming.live.borrow_mut().acknowledge(ack);
        incoming.wake(Stream::Live).notify_waiters();
    }

    fn send_resume(&self, replica: &Replica, resume: Resume) {
        let Some(from) = followed_at(replica) else { return };
        let incoming = self.incoming(from);
        incoming.live.borrow_mut().resume(resume);
        incoming.wake(Stream::Live).notify_waiters();
    }
}

fn has_ticket(replica: &Replica, ticket: u64) -> bool {
    match &*replica.role.borrow() {
        Role::Follows(following) => following.tickets.iter().any(|(it, _)| *it == ticket),
        _ => false,
    }
}

fn followed_at(replica: &Replica) -> Option<PeerShard> {
    match &*replica.role.borrow() {
        Role::Follows(following) => Some(following.from),
        _ => None,
    }
}

fn follower_log(replica: &Replica, progress: &Progress) -> FollowerLog {
    FollowerLog {
        log_start: progress.log_start(),
        durable_start: replica.durable_log_start.get().min(progress.log_start()),
        high_watermark: progress.high_watermark(),
        durable_end: progress.durable_end(),
        log_end: progress.log_end(),
    }
}
