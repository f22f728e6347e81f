//! Reads that see everything that was committed before they began: a majority confirms that nobody else leads, then
//! the records catch up with what the leader had committed (the dissertation "Consensus: Bridging Theory and Practice",
//! 6.4).

use std::collections::BTreeMap;

use super::convert::read_to_raft;
use super::node::{Effect, Node, ReadId};
use crate::base::limits::QUORUM_READS_MAX;
use crate::base::planted::{Bug, is_planted};

/// Election timeouts after which a read is given up.
const READ_ELECTIONS: usize = 2;

/// Reads under way.
#[derive(Default, Debug)]
pub(super) struct Reads {
    /// By the number under which peers know them: the read and the ticks that it has left.
    asked: BTreeMap<u64, (ReadId, usize)>,
    /// By the index that must be applied first.
    confirmed: BTreeMap<u64, Vec<ReadId>>,
}

impl Node {
    /// Asks from where on reading the records is up to date. [`Effect::ReadReady`] or [`Effect::ReadRefused`] answers.
    pub fn read(&mut self, read: ReadId) {
        let under_way = self.reads.asked.len() + self.reads.confirmed.values().map(Vec::len).sum::<usize>();
        if self.is_halted || self.leader().is_none() || under_way >= QUORUM_READS_MAX || self.stands_still() {
            self.effects.push(Effect::ReadRefused { read });
            return;
        }
        if is_planted(Bug::QuorumReadStale) && self.is_leader() {
            self.effects.push(Effect::ReadReady { read, index: self.head.applied_index });
            return;
        }
        // 0 is no read.
        let number = self.draw().max(1);
        self.reads.asked.insert(number, (read, READ_ELECTIONS * self.settings.election_ticks));
        self.raw.read_index(read_to_raft(number));
        self.settle();
    }

    /// A majority has confirmed a read at an index.
    pub(super) fn confirm_read(&mut self, number: u64, index: u64) {
        if let Some((read, _)) = self.reads.asked.remove(&number) {
            self.reads.confirmed.entry(index).or_default().push(read);
        }
    }

    /// Answers the reads whose index is applied.
    pub(super) fn answer_reads(&mut self) {
        while let Some(first) = self.reads.confirmed.first_entry() {
            if *first.key() > self.head.applied_index {
                return;
            }
            let (index, reads) = first.remove_entry();
            self.effects.extend(reads.into_iter().map(|read| Effect::ReadReady { read, index }));
        }
    }

    /// Gives up reads that nobody has confirmed in time: what they asked may be lost.
    pub(super) fn expire_reads(&mut self) {
        let effects = &mut self.effects;
        self.reads.asked.retain(|_, (read, ticks)| {
            *ticks -= 1;
            if *ticks == 0 {
                effects.push(Effect::ReadRefused { read: *read });
            }
            *ticks > 0
        });
    }
}
