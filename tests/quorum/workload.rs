//! What is done with the quorum: proposals, reads, hand-overs, and members that take others' places.

use corelane::quorum::{Change, ProposalId, ReadId};

use super::checks::key;
use super::random::Random;

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
