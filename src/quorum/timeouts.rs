//! Chance. The `raft` crate draws each election timeout from a generator of its thread; what it has drawn is replaced
//! before anybody looks at it.

use raft::{RawNode, StateRole};

use super::members::RaftId;
use super::memory_log::MemoryLog;

/// splitmix64 (Steele, Lea, Flood, 2014).
#[derive(Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Chance(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

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
    pub fn pin(&mut self, raw: &mut RawNode<MemoryLog>, chance: &mut Chance) {
        let now = Some((raw.raft.term, raw.raft.state, raw.raft.leader_id));
        let election_ticks = raw.raft.election_timeout();
        if self.drawn_for != now {
            self.drawn_for = now;
            self.ticks = election_ticks + (chance.next() % election_ticks as u64) as usize;
        }
        if raw.raft.randomized_election_timeout() != self.ticks {
            raw.raft.set_randomized_election_timeout(self.ticks);
        }
    }
}
