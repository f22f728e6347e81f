//! Who is in the quorum.

use raft::eraftpb::{ConfChangeSingle, ConfChangeType, ConfChangeV2, ConfState};
use rkyv::{Archive, Deserialize, Serialize};

use super::archive;
use crate::base::limits::QUORUM_PEERS_MAX;

/// A member of the quorum: one disk of one node, never 0. A node that lost its disk comes back under another id, since
/// it no longer knows what it promised under the old one.
pub type RaftId = u64;

/// Version of the bytes of a change of members.
const VERSION: u8 = 1;

/// The members, in order of their ids.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Members {
    /// Those of whom a majority decides.
    pub voters: Vec<RaftId>,
    /// Those that only follow.
    pub learners: Vec<RaftId>,
}

impl Members {
    /// Voters alone.
    pub fn of_voters(mut voters: Vec<RaftId>) -> Self {
        voters.sort_unstable();
        Members { voters, learners: Vec::new() }
    }

    /// Whether a quorum can have these members. The `raft` crate takes it for granted.
    pub(super) fn is_sound(&self) -> bool {
        let mut all: Vec<RaftId> = self.voters.iter().chain(&self.learners).copied().collect();
        all.sort_unstable();
        let are_distinct = all.windows(2).all(|pair| pair[0] < pair[1]) && all.first() != Some(&0);
        are_distinct && !self.voters.is_empty() && all.len() <= QUORUM_PEERS_MAX
    }

    pub(super) fn of(state: &ConfState) -> Self {
        let sorted = |ids: &[RaftId]| {
            let mut ids = ids.to_vec();
            ids.sort_unstable();
            ids
        };
        Members { voters: sorted(state.get_voters()), learners: sorted(state.get_learners()) }
    }

    pub(super) fn to_raft(&self) -> ConfState {
        ConfState::from((self.voters.clone(), self.learners.clone()))
    }
}

/// A change of members. One at a time: any majority before it and any majority after it have a voter in common.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemberChange {
    /// Somebody follows from now on.
    AddLearner(RaftId),
    /// Somebody votes from now on.
    AddVoter(RaftId),
    /// Somebody is gone.
    Remove(RaftId),
}

impl MemberChange {
    /// Whom it concerns.
    pub fn id(&self) -> RaftId {
        let (MemberChange::AddLearner(id) | MemberChange::AddVoter(id) | MemberChange::Remove(id)) = *self;
        id
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        archive::seal(VERSION, self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        archive::open(VERSION, bytes)
    }

    pub(super) fn to_raft(self) -> ConfChangeV2 {
        let mut single = ConfChangeSingle { node_id: self.id(), ..Default::default() };
        single.set_change_type(match self {
            MemberChange::AddLearner(_) => ConfChangeType::AddLearnerNode,
            MemberChange::AddVoter(_) => ConfChangeType::AddNode,
            MemberChange::Remove(_) => ConfChangeType::RemoveNode,
        });
        let mut change = ConfChangeV2::default();
        change.set_changes(vec![single].into());
        change
    }
}
