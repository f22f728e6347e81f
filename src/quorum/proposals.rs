//! Proposals: from whoever wants a change to the entry that makes it, and back.

use std::collections::BTreeMap;

use super::command::{Change, Command};
use super::members::MemberChange;
use super::node::{Effect, Node, ProposalId, Rejection};
use crate::base::limits::{QUORUM_ENTRY_BYTES_MAX, QUORUM_PROPOSALS_MAX};
use crate::base::planted::{Bug, is_planted};

/// Proposals under way, by the index of their entries, each with its term.
#[derive(Default, Debug)]
pub(super) struct Proposals(BTreeMap<u64, (u64, ProposalId)>);

impl Node {
    /// Asks for changes, which are carried out together or not at all. [`Effect::Committed`] or [`Effect::Rejected`]
    /// answers.
    pub fn propose(&mut self, proposal: ProposalId, changes: Vec<Change>) {
        let (base_index, base_checksum) = (self.head.applied_index, self.state.checksum());
        let data = Command { base_index, base_checksum, changes }.encode();
        if data.len() > QUORUM_ENTRY_BYTES_MAX {
            self.effects.push(Effect::Rejected { proposal, why: Rejection::TooLong });
            return;
        }
        self.offer(proposal, |node| node.raw.propose(Vec::new(), data));
    }

    /// Asks for another member. One change at a time; a leader does not remove itself, but hands over first.
    pub fn change_members(&mut self, proposal: ProposalId, change: MemberChange) {
        if change.id() == 0 || change == MemberChange::Remove(self.settings.id) {
            self.effects.push(Effect::Rejected { proposal, why: Rejection::Refused });
            return;
        }
        self.offer(proposal, |node| node.raw.propose_conf_change(change.encode(), change.to_raft()));
    }

    fn offer(&mut self, proposal: ProposalId, append: impl FnOnce(&mut Node) -> raft::Result<()>) {
        if self.is_halted || !self.is_leader() {
            let why = Rejection::NotLeader(self.leader().filter(|id| *id != self.settings.id));
            self.effects.push(Effect::Rejected { proposal, why });
            return;
        }
        let is_full = self.proposals.0.len() >= QUORUM_PROPOSALS_MAX || self.stands_still();
        if is_full || append(self).is_err() {
            self.effects.push(Effect::Rejected { proposal, why: Rejection::Busy });
            return;
        }
        let index = self.raw.raft.raft_log.last_index();
        if is_planted(Bug::QuorumAnswerEarly) {
            self.effects.push(Effect::Committed { proposal, index });
        } else {
            self.proposals.0.insert(index, (self.raw.raft.term, proposal));
        }
        self.settle();
    }

    /// Answers the proposal whose entry would be this one. `is_carried_out` is whether the entry did anything.
    pub(super) fn answer_proposal(&mut self, index: u64, term: u64, is_carried_out: bool) {
        let Some((proposed_term, proposal)) = self.proposals.0.remove(&index) else { return };
        self.effects.push(match proposed_term == term {
            true if is_carried_out => Effect::Committed { proposal, index },
            // Raft has put an empty entry in the place of a change of members.
            true => Effect::Rejected { proposal, why: Rejection::Refused },
            false => Effect::Rejected { proposal, why: Rejection::Uncertain },
        });
    }

    pub(super) fn reject_proposals(&mut self, why: Rejection) {
        for (_, proposal) in std::mem::take(&mut self.proposals.0).into_values() {
            self.effects.push(Effect::Rejected { proposal, why });
        }
    }
}
