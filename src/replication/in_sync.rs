//! The in-sync set of a partition, as its leader sees it. The quorum decides; the leader proposes. While it does not know
//! the outcome, a member of either set counts: whichever of the two holds, nobody in it misses what was acknowledged.

use super::replica::Replica;
use crate::base::ids::{LeaderEpoch, NodeId, PartitionId};
use crate::base::planted::{Bug, is_planted};

/// A change of the in-sync set that the leader wants. The controller refuses it where an epoch is not the present one,
/// or a replica is fenced, or is not what its node registered last (KIP-903).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// The partition.
    pub partition: PartitionId,
    /// The leader's term.
    pub leader_epoch: LeaderEpoch,
    /// The partition's epoch that the change is made from.
    pub partition_epoch: i32,
    /// The set as it is to be.
    pub in_sync: Vec<Replica>,
}

/// The committed set, and the one that is proposed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InSync {
    partition_epoch: i32,
    committed: Vec<NodeId>,
    proposed: Option<Vec<NodeId>>,
}

impl InSync {
    /// What the metadata says.
    pub fn new(partition_epoch: i32, committed: Vec<NodeId>) -> Self {
        InSync { partition_epoch, committed, proposed: None }
    }

    /// The epoch of the committed set.
    pub fn partition_epoch(&self) -> i32 {
        self.partition_epoch
    }

    /// The committed set.
    pub fn committed(&self) -> &[NodeId] {
        &self.committed
    }

    /// Whether a change is under way.
    pub fn is_changing(&self) -> bool {
        self.proposed.is_some()
    }

    /// Whoever must have a record before it is committed. A node of both sets comes twice.
    pub fn union(&self) -> impl Iterator<Item = NodeId> + '_ {
        let proposed = self.proposed.as_deref().unwrap_or_default();
        let forgets = is_planted(Bug::ReplicationShrunkSetOnly) && self.is_changing();
        let committed: &[NodeId] = if forgets { &[] } else { &self.committed };
        committed.iter().chain(proposed).copied()
    }

    /// Members, whichever of the two sets holds in the end.
    pub fn size(&self) -> usize {
        let proposed = self.proposed.as_ref().map_or(usize::MAX, Vec::len);
        self.committed.len().min(proposed)
    }

    /// A change is proposed. There is one at a time.
    pub fn propose(&mut self, in_sync: Vec<NodeId>) {
        assert!(self.proposed.is_none(), "the outcome of the last one is unknown");
        self.proposed = Some(in_sync);
    }

    /// The metadata has another set. Whatever was proposed was this, or was made from an older epoch and is dead.
    pub fn learn(&mut self, partition_epoch: i32, committed: Vec<NodeId>) {
        if partition_epoch > self.partition_epoch {
            *self = InSync::new(partition_epoch, committed);
        }
    }

    /// The controller refused what was proposed, though it was made from the present epoch. Only to be called when no
    /// copy of the proposal is on its way any more: one that came late would be carried out behind the leader's back.
    /// A refusal for an old epoch is not told here: the change may be what made the epoch old. The metadata will tell.
    pub fn refused(&mut self, partition_epoch: i32) {
        if partition_epoch == self.partition_epoch {
            self.proposed = None;
        }
    }
}
