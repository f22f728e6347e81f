//! What a follower of a partition decides: what of the leader's is appended, where its own log is cut, and what it
//! acknowledges. One value for one term of the leader and one session with it, made with [`Follower::new`].
//!
//! A log is cut by the ends of terms, never by the high watermark (KIP-101), as often as it takes (KIP-279); equal ends
//! prove nothing, so each entry tells the term of the record before it.

use std::collections::VecDeque;

use thiserror::Error;

use super::wire::{Ack, Action, Entry, Mark, Reconcile, Resume};
use crate::base::ids::{LeaderEpoch, Offset, PartitionId};
use crate::base::limits::REPLICATION_PENDING_MAX;
use crate::base::planted::{Bug, is_planted};
use crate::partition::EpochHistory;

/// The follower's log when it begins to follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FollowerLog {
    /// The first offset.
    pub log_start: Offset,
    /// The same after a crash.
    pub durable_start: Offset,
    /// What is known to be committed.
    pub high_watermark: Offset,
    /// What is synced of this log, and would be here after a crash: nothing beyond where a cut, or a new beginning, that
    /// is not durable yet ends the log. What the disk has there is of the log before the cut, also when records have been
    /// put in its place.
    pub durable_end: Offset,
    /// The next offset.
    pub log_end: Offset,
}

/// What is to be done, in this order. Appends, cuts and log starts go to one journal, in order; a ticket is durable when all before
/// it are, which is told to [`Follower::synced`] then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FollowerEffect {
    /// To be sent to the leader.
    Resume(Resume),
    /// To be sent to the leader.
    Acknowledge(Ack),
    /// The records that were looked at are to be journaled as they are.
    Append {
        /// Tells it apart.
        ticket: u64,
    },
    /// The log is to end there.
    Truncate {
        /// Tells it apart.
        ticket: u64,
        /// The new end.
        log_end: Offset,
        /// Whether that is below what was committed: only after an unclean election.
        is_below_high_watermark: bool,
    },
    /// The log is to be emptied, and to go on there.
    Restart {
        /// Tells it apart.
        ticket: u64,
        /// The new start and end.
        at: Offset,
        /// Whether records go that were committed, and that the leader's log should have: only after an unclean election,
        /// or a loss of more disks than there may be. Worth an error in the log.
        drops_committed: bool,
    },
    /// All below is committed.
    Committed(Offset),
    /// All below is to go.
    StartAt {
        /// Tells it apart.
        ticket: u64,
        /// The new start.
        log_start: Offset,
    },
}

/// What came to pass with something of the leader's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Incoming {
    /// It was taken.
    Taken,
    /// It is of another term, or of before the logs were compared.
    Ignored,
}

/// What no leader sends. The session cannot be used any more; a new one begins with comparing the logs.
#[derive(Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum FollowerError {
    /// More is on its way to the disk than the leader's window lets through.
    #[error("the leader has sent more than {REPLICATION_PENDING_MAX} writes that are not durable yet")]
    TooManyPending,
    /// An action that this version does not have.
    #[error("the leader asks for an unknown action {0}")]
    UnknownAction(u32),
    /// To cut the log there would not cut it, or to follow there would leave a gap.
    #[error("the leader wants to go on at {wanted}, and the log ends at {log_end}")]
    NoProgress {
        /// Where the leader wants to go on.
        wanted: Offset,
        /// Where the log ends.
        log_end: Offset,
    },
    /// A term of records that is newer than their sender's, or older than what is before them.
    #[error("the leader of term {leader_epoch} sends records of term {records_epoch}")]
    WrongEpoch {
        /// The sender's.
        leader_epoch: LeaderEpoch,
        /// The records'.
        records_epoch: LeaderEpoch,
    },
}

/// A write that is not durable yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pending {
    ticket: u64,
    /// Where the log is synced to when it is.
    end: Offset,
    /// Where the log starts then, whatever happens.
    start: Offset,
}

/// A follower of a partition in one term and one session.
#[derive(Clone, Debug)]
pub struct Follower {
    partition: PartitionId,
    leader_epoch: LeaderEpoch,
    log: FollowerLog,
    /// Whether the logs agree up to the end of this one.
    is_following: bool,
    /// Questions asked.
    round: u32,
    /// What the leader has committed, which may not be here yet.
    promised: Offset,
    pending: VecDeque<Pending>,
    next_ticket: u64,
}

impl Follower {
    /// Begins to follow in a term of which the metadata knows, or in a new session within it. Asks the leader. Tickets
    /// are counted from `next_ticket`, at first 1, so that what an earlier value asked for is not taken for this one's.
    /// `history` must have been cut to the end of the log: a term that this node began as leader, and in which it wrote
    /// nothing, would be newer than records that another leader has at that offset.
    pub fn new(
        partition: PartitionId,
        leader_epoch: LeaderEpoch,
        log: FollowerLog,
        next_ticket: u64,
        history: &EpochHistory,
        effects: &mut Vec<FollowerEffect>,
    ) -> Self {
        let is_cut = history.latest().is_none_or(|latest| latest.start_offset < log.log_end);
        assert!(is_cut, "who follows forgets terms without records");
        let mut follower = Follower {
            partition,
            leader_epoch,
            log,
            is_following: false,
            round: 0,
            promised: log.high_watermark,
            pending: VecDeque::new(),
            next_ticket,
        };
        // What is still on its way to the disk is durable with the last ticket before this value's.
        if log.durable_end < log.log_end || log.durable_start < log.log_start {
            let ticket = next_ticket.saturating_sub(1);
            follower.pending.push_back(Pending { ticket, end: log.log_end, start: log.log_start });
        }
        if is_planted(Bug::ReplicationTruncateByHighWatermark) && log.high_watermark < log.log_end {
            follower.cut_to(log.high_watermark, history, effects).expect("little is pending");
        } else {
            follower.ask(history, effects);
        }
        follower
    }

    /// The log as it is now.
    pub fn log(&self) -> FollowerLog {
        self.log
    }

    /// The ticket that comes next.
    pub fn next_ticket(&self) -> u64 {
        self.next_ticket
    }

    /// The leader says what to do with the log. `history` is of the log as it is now.
    pub fn reconcile(
        &mut self,
        told: &Reconcile,
        history: &EpochHistory,
        effects: &mut Vec<FollowerEffect>,
    ) -> Result<Incoming, FollowerError> {
        if told.leader_epoch != self.leader_epoch {
            return Ok(Incoming::Ignored);
        }
        let action = Action::of_code(told.action).ok_or(FollowerError::UnknownAction(told.action))?;
        if action == Action::Ask {
            self.ask(history, effects);
            return Ok(Incoming::Taken);
        }
        if told.round != self.round || self.is_following {
            return Ok(Incoming::Ignored);
        }
        match action {
            Action::Ask => {}
            Action::Follow if told.offset == self.log.log_end => {
                self.is_following = true;
                // What was synced since the question was asked.
                effects.push(FollowerEffect::Acknowledge(self.ack()));
            }
            Action::Follow => return Err(self.no_progress(told.offset)),
            Action::Truncate => self.truncate(told, history, effects)?,
            Action::Restart => self.restart(told.offset, effects)?,
        }
        Ok(Incoming::Taken)
    }

    /// The leader sends records. Only the entry is looked at here: whoever drives this has checked that the records are
    /// whole batches, one after the other from `base_offset` to `end_offset` without a gap, all of the term
    /// `records_epoch`. Otherwise offsets that nobody gave would count as synced. `history` is of the log as it is now; after [`FollowerEffect::Append`] it is to know of
    /// the records' term before anything else is told.
    pub fn pushed(
        &mut self,
        entry: &Entry,
        history: &EpochHistory,
        effects: &mut Vec<FollowerEffect>,
    ) -> Result<Incoming, FollowerError> {
        if entry.leader_epoch != self.leader_epoch || !self.is_following {
            return Ok(Incoming::Ignored);
        }
        let last_epoch = self.last_epoch(history);
        // A log that was emptied has no term before its end. A leader whose log starts there has deleted what was
        // before, which was committed: the logs agreed on it when this one began to follow.
        let agrees = last_epoch == -1
            || entry.previous_epoch == -1
            || entry.previous_epoch == last_epoch
            || is_planted(Bug::ReplicationSkipEpochCheck);
        if entry.base_offset != self.log.log_end || !agrees {
            self.ask(history, effects);
            return Ok(Incoming::Ignored);
        }
        let Entry { leader_epoch, records_epoch, .. } = *entry;
        if records_epoch > leader_epoch || records_epoch < last_epoch.max(0) {
            return Err(FollowerError::WrongEpoch { leader_epoch, records_epoch });
        }
        let ticket = self.ticket(entry.end_offset, self.log.log_start)?;
        self.log.log_end = entry.end_offset;
        effects.push(FollowerEffect::Append { ticket });
        if is_planted(Bug::ReplicationAcknowledgeEarly) {
            self.synced(ticket, effects);
        }
        Ok(Incoming::Taken)
    }

    /// All up to this ticket is durable.
    pub fn synced(&mut self, ticket: u64, effects: &mut Vec<FollowerEffect>) {
        let before = (self.log.durable_end, self.log.durable_start);
        while let Some(oldest) = self.pending.pop_front_if(|oldest| oldest.ticket <= ticket) {
            self.log.durable_end = self.log.durable_end.max(oldest.end);
            self.log.durable_start = self.log.durable_start.max(oldest.start);
        }
        assert!(self.log.durable_end <= self.log.log_end, "cuts shorten what is pending");
        if (self.log.durable_end, self.log.durable_start) != before {
            if self.is_following {
                effects.push(FollowerEffect::Acknowledge(self.ack()));
            }
            self.commit(effects);
        }
    }

    /// The leader says what is committed.
    pub fn marked(
        &mut self,
        mark: &Mark,
        effects: &mut Vec<FollowerEffect>,
    ) -> Result<Incoming, FollowerError> {
        if mark.leader_epoch != self.leader_epoch || !self.is_following {
            return Ok(Incoming::Ignored);
        }
        self.promised = self.promised.max(mark.high_watermark);
        self.commit(effects);
        // Only what is committed here goes: the rest of the log start follows with the next mark.
        let log_start = mark.log_start_offset.min(self.log.high_watermark);
        if log_start > self.log.log_start {
            let ticket = self.ticket(self.log.log_end, log_start)?;
            self.log.log_start = log_start;
            effects.push(FollowerEffect::StartAt { ticket, log_start });
        }
        Ok(Incoming::Taken)
    }

    fn ack(&self) -> Ack {
        Ack {
            topic: self.partition.topic.to_bytes(),
            index: self.partition.index,
            leader_epoch: self.leader_epoch,
            durable_end: self.log.durable_end,
            durable_start: self.log.durable_start,
        }
    }

    fn ask(&mut self, history: &EpochHistory, effects: &mut Vec<FollowerEffect>) {
        self.is_following = false;
        self.round = self.round.wrapping_add(1);
        effects.push(FollowerEffect::Resume(Resume {
            topic: self.partition.topic.to_bytes(),
            index: self.partition.index,
            leader_epoch: self.leader_epoch,
            round: self.round,
            last_epoch: self.last_epoch(history),
            log_end: self.log.log_end,
            durable_end: self.log.durable_end,
        }));
    }

    /// Cuts the log to the end of a term that both logs know, and asks again: the term before may differ too.
    fn truncate(
        &mut self,
        told: &Reconcile,
        history: &EpochHistory,
        effects: &mut Vec<FollowerEffect>,
    ) -> Result<(), FollowerError> {
        let FollowerLog { log_start, log_end, .. } = self.log;
        let own_end = history.end_offset_for(told.epoch, log_end).map_or(log_end, |end| end.end_offset);
        let end = told.offset.min(own_end).max(log_start);
        if end >= log_end {
            return Err(self.no_progress(told.offset));
        }
        self.cut_to(end, history, effects)
    }

    fn cut_to(
        &mut self,
        end: Offset,
        history: &EpochHistory,
        effects: &mut Vec<FollowerEffect>,
    ) -> Result<(), FollowerError> {
        let FollowerLog { log_start, high_watermark, .. } = self.log;
        let ticket = self.cut(end, end, log_start)?;
        let is_below_high_watermark = end < high_watermark;
        effects.push(FollowerEffect::Truncate { ticket, log_end: end, is_below_high_watermark });
        let mut history = history.clone();
        history.truncate_from_end(end);
        self.ask(&history, effects);
        Ok(())
    }

    fn restart(&mut self, at: Offset, effects: &mut Vec<FollowerEffect>) -> Result<(), FollowerError> {
        if at < 0 {
            return Err(self.no_progress(at));
        }
        // Until it is durable, a crash brings the old log back: nothing counts as synced, and none of the old log does.
        let drops_committed = self.log.high_watermark > at;
        let ticket = self.cut(self.log.durable_start.min(at), at, at)?;
        self.log = FollowerLog { log_start: at, high_watermark: at, log_end: at, ..self.log };
        self.promised = at;
        effects.push(FollowerEffect::Restart { ticket, at, drops_committed });
        self.ask(&EpochHistory::default(), effects);
        Ok(())
    }

    /// The log is cut to `end`. What is pending ends there as well: a late word of a write that was cut off must not
    /// count for what is put in its place. The log is synced up to `durable`, and starts at `start`, when the cut is durable.
    fn cut(&mut self, end: Offset, durable: Offset, start: Offset) -> Result<u64, FollowerError> {
        for pending in &mut self.pending {
            pending.end = pending.end.min(end);
        }
        let ticket = self.ticket(durable, start)?;
        self.log.log_end = end;
        self.log.durable_end = self.log.durable_end.min(end);
        self.log.high_watermark = self.log.high_watermark.min(end);
        self.promised = self.log.high_watermark;
        Ok(ticket)
    }

    fn ticket(&mut self, end: Offset, start: Offset) -> Result<u64, FollowerError> {
        if self.pending.len() >= REPLICATION_PENDING_MAX {
            return Err(FollowerError::TooManyPending);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.pending.push_back(Pending { ticket, end, start });
        Ok(ticket)
    }

    /// Moves the high watermark to what the leader has committed of what is synced here.
    fn commit(&mut self, effects: &mut Vec<FollowerEffect>) {
        let committed = self.promised.min(self.log.durable_end);
        if self.is_following && committed > self.log.high_watermark {
            self.log.high_watermark = committed;
            effects.push(FollowerEffect::Committed(committed));
        }
    }

    fn no_progress(&self, wanted: Offset) -> FollowerError {
        FollowerError::NoProgress { wanted, log_end: self.log.log_end }
    }

    /// The term of the last record; -1 if the log is empty, -2 if the history does not reach that far.
    fn last_epoch(&self, history: &EpochHistory) -> LeaderEpoch {
        let FollowerLog { log_start, log_end, .. } = self.log;
        if log_end == log_start { -1 } else { history.epoch_at(log_end - 1).unwrap_or(-2) }
    }
}
