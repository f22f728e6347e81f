//! What must hold, whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use corelane::quorum::{ProposalId, RaftId, ReadId, State};

/// The proposals of whoever looks after the members. They leave no record.
pub const OPERATOR: ProposalId = ProposalId(u64::MAX);

/// How often things happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub elections: u64,
    pub answered: u64,
    pub reads: u64,
    pub snapshots: u64,
    pub crashes: u64,
    pub wiped: u64,
    /// Changes of members.
    pub replaced: u64,
    pub stale: u64,
    pub damaged: u64,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.elections += other.elections;
        self.answered += other.answered;
        self.reads += other.reads;
        self.snapshots += other.snapshots;
        self.crashes += other.crashes;
        self.wiped += other.wiped;
        self.replaced += other.replaced;
        self.stale += other.stale;
        self.damaged += other.damaged;
    }
}

#[derive(Default)]
pub struct Checks {
    leaders: BTreeMap<u64, RaftId>,
    /// By index: the term of the entry there and the checksum of the records behind it.
    entries: BTreeMap<u64, (u64, u64)>,
    /// Proposals that were answered, and those that were refused for good.
    answered: BTreeSet<ProposalId>,
    refused: BTreeSet<ProposalId>,
    /// The last entry of an answered proposal.
    answered_index: u64,
    /// By read: what was answered when it began.
    reads: BTreeMap<ReadId, u64>,
    pub counts: Counts,
}

impl Checks {
    pub fn leads(&mut self, term: u64, id: RaftId) {
        let first = *self.leaders.entry(term).or_insert_with(|| {
            self.counts.elections += 1;
            id
        });
        assert_eq!(first, id, "two leaders in term {term}");
    }

    pub fn applied(&mut self, index: u64, term: u64, checksum: u64) {
        let first = *self.entries.entry(index).or_insert((term, checksum));
        assert_eq!(first, (term, checksum), "two histories at index {index}");
    }

    pub fn committed(&mut self, proposal: ProposalId, index: u64) {
        if proposal == OPERATOR {
            self.counts.replaced += 1;
            return;
        }
        self.answered.insert(proposal);
        self.answered_index = self.answered_index.max(index);
        self.counts.answered += 1;
    }

    pub fn refused(&mut self, proposal: ProposalId) {
        if proposal == OPERATOR {
            return;
        }
        assert!(!self.answered.contains(&proposal), "{proposal:?} was answered before it was refused");
        self.refused.insert(proposal);
    }

    pub fn read_begins(&mut self, read: ReadId) {
        self.reads.insert(read, self.answered_index);
    }

    pub fn read_ready(&mut self, read: ReadId, index: u64, applied: u64) {
        let answered_index = self.reads.remove(&read).expect("a read is answered once");
        assert!(index >= answered_index, "a read at {index} does not see {answered_index}");
        assert!(applied >= index, "a read at {index} of records at {applied}");
        self.counts.reads += 1;
    }

    pub fn last_index(&self) -> u64 {
        self.entries.last_key_value().map_or(0, |(index, _)| *index)
    }

    /// All proposals that were answered are there, and none that was refused.
    pub fn holds_all(&self, state: &State) {
        for proposal in &self.answered {
            assert!(state.get(&key(*proposal)).is_some(), "{proposal:?} was answered and is lost");
        }
        for proposal in &self.refused {
            assert!(state.get(&key(*proposal)).is_none(), "{proposal:?} was refused and is there");
        }
    }
}

/// The record that a proposal leaves for ever.
pub fn key(proposal: ProposalId) -> String {
    format!("proposal/{:08}", proposal.0)
}
