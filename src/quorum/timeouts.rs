//! Chance. The `raft` crate draws each election timeout from a generator of its thread; what it has drawn is replaced
//! before anybody looks at it.

use raft::{RawNode, StateRole};

use super::members::RaftId;
use super::memory_log::MemoryLog;
use crate::base::splitmix::SplitMix;

/// The election timeout that holds, in ticks. A new one is drawn when term, role or leader change, which is when the
/// crate draws one.
#[derive(Debug)]
pub(super) struct ElectionTimeout {
    ticks: usize,
    drawn_for: Option<(u64, StateRole, RaftId)>,
}

impl ElectionTimeout {
    pub fn new() -> Self {
        ElectionTimeout { ticks: 0, drawn_for: None }
    }

    /// To be called after each step, before the next tick.
    pub fn pin(&mut self, raw: &mut RawNode<MemoryLog>, chance: &mut SplitMix) {
        let now = Some((raw.raft.term, raw.raft.state, raw.raft.leader_id));
        let election_ticks = raw.raft.election_timeout();
        if self.drawn_for != now {
            self.drawn_for = now;
            self.ticks = election_ticks + (chance.next_u64() % election_ticks as u64) as usize;
        }
        if raw.raft.randomized_election_timeout() != self.ticks {
            raw.raft.set_randomized_election_timeout(self.ticks);
        }
    }
}
