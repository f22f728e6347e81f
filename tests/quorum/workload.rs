//! What is done with the quorum: proposals, reads, hand-overs, and members that take others' places.

use corelane::quorum::{Change, MemberChange, ProposalId, RaftId, ReadId, Status};

use super::checks::key;
use super::random::Random;

/// What an operator, or later the controller, does next so that exactly `wanted` vote.
pub fn next_change(status: &Status, wanted: &[RaftId]) -> Option<MemberChange> {
    let members = &status.members;
    let all = || members.voters.iter().chain(&members.learners);
    if let Some(gone) = all().find(|id| !wanted.contains(id)) {
        return Some(MemberChange::Remove(*gone));
    }
    if let Some(new) = wanted.iter().find(|id| !all().any(|member| member == *id)) {
        return Some(MemberChange::AddLearner(*new));
    }
    let has_caught_up =
        |id: &&RaftId| status.matched.get(id).is_some_and(|matched| matched + 10 >= status.commit);
    members.learners.iter().find(has_caught_up).map(|id| MemberChange::AddVoter(*id))
}

/// Some changes. One of them leaves a record by which the proposal is known for ever.
pub fn changes(random: &mut Random, proposal: ProposalId) -> Vec<Change> {
    let mut changes = vec![Change::Put { key: key(proposal), value: vec![7; random.below(20) as usize] }];
    for _ in 0..random.below(3) {
        let topic = format!("topic/{}", random.below(20));
        changes.push(match random.below(3) {
            0 => Change::Remove { from: topic.clone(), to: format!("{topic}0") },
            _ => Change::Put { key: topic, value: random.next().to_le_bytes().to_vec() },
        });
    }
    changes
}

/// Numbers for proposals and reads.
#[derive(Default)]
pub struct Numbers {
    last: u64,
}

impl Numbers {
    pub fn proposal(&mut self) -> ProposalId {
        self.last += 1;
        ProposalId(self.last)
    }

    pub fn read(&mut self) -> ReadId {
        self.last += 1;
        ReadId(self.last)
    }
}
