//! What the leader of a partition knows of one follower.

use super::frame::Stream;
use super::leader::LeaderEffect;
use super::replica::Replica;
use crate::base::ids::{NodeId, Offset};

/// How a follower gets its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// Not at all: where its log ends is unknown.
    Unknown,
    /// By that stream. All below the offset was sent.
    By(Stream, Offset),
    /// Not now. All below the offset was sent; the rest goes by that stream when this is synced.
    Changing(Stream, Offset),
}

#[derive(Clone, Debug)]
pub(super) struct Following {
    pub(super) replica: Replica,
    pub(super) stage: Stage,
    /// What it has synced of this leader's log; unknown at first.
    pub(super) durable_end: Option<Offset>,
    /// Where its log starts, for ever; unknown at first.
    pub(super) durable_start: Option<Offset>,
    /// Whether the metadata has it as alive (KIP-841).
    pub(super) is_eligible: bool,
    /// Whether it said that it cannot write any more.
    pub(super) has_failed: bool,
    /// Whether its log has nothing in common with the leader's, and it is still in the in-sync set.
    pub(super) has_to_restart: bool,
    /// When it was last seen to have all that the log had.
    pub(super) caught_up_ms: u64,
    /// The end of the log at some time, which it has not reached since; and that time.
    pub(super) target: (Offset, u64),
}

impl Following {
    pub(super) fn new(replica: Replica, log_end: Offset, now_ms: u64) -> Self {
        Following {
            replica,
            stage: Stage::Unknown,
            durable_end: None,
            durable_start: None,
            is_eligible: true,
            has_failed: false,
            has_to_restart: false,
            caught_up_ms: now_ms,
            target: (log_end, now_ms),
        }
    }

    pub(super) fn is_counted_on(&self) -> bool {
        self.is_eligible && !self.has_failed
    }

    /// It is to be asked where its log ends, as nothing is known of that any more.
    pub(super) fn forget(&mut self) -> NodeId {
        self.stage = Stage::Unknown;
        self.has_to_restart = false;
        self.replica.node
    }

    /// Goes over to the other stream, if it is to and all that was sent is synced.
    pub(super) fn change(&mut self, log_end: Offset, effects: &mut Vec<LeaderEffect>) {
        let Stage::Changing(stream, sent) = self.stage else { return };
        if self.durable_end != Some(sent) {
            return;
        }
        // Who has all there is need not read.
        let stream = if sent == log_end { Stream::Live } else { stream };
        self.stage = Stage::By(stream, sent);
        if sent < log_end {
            effects.push(LeaderEffect::Read(self.replica.node));
        }
    }

    /// Notes since when it has not had all that the log has. Who is not sent anything has nothing new.
    pub(super) fn look(&mut self, log_end: Offset, now_ms: u64) {
        let (Some(durable_end), Some(_)) = (self.durable_end, self.stage.sent()) else { return };
        let (end, at_ms) = self.target;
        if durable_end == log_end {
            self.caught_up_ms = now_ms;
        } else if durable_end >= end {
            self.caught_up_ms = self.caught_up_ms.max(at_ms);
        }
        if durable_end >= end {
            self.target = (log_end, now_ms);
        }
    }
}

impl Stage {
    pub(super) fn sent(self) -> Option<Offset> {
        match self {
            Stage::Unknown => None,
            Stage::By(_, sent) | Stage::Changing(_, sent) => Some(sent),
        }
    }
}
