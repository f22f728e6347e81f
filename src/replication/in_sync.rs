//! The in-sync set of a partition, as its leader sees it. The quorum decides; the leader proposes. While it does not know
//! the outcome, a member of either set counts: whichever of the two holds, nobody in it misses what was acknowledged.

use super::replica::Replica;
use crate::base::ids::{LeaderEpoch, NodeId, PartitionId};
use crate::base::limits::{REPLICATION_PROPOSAL_AGAIN_MS, REPLICATION_REFUSED_BACK_OFF_MS};
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

/// The committed set, and the one that is proposed. Times are of a clock that never goes back, in ms.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InSync {
    partition_epoch: i32,
    committed: Vec<NodeId>,
    proposed: Option<Proposal>,
    /// When the proposal is to be sent again.
    again_ms: u64,
    /// What was refused last in this epoch, and until when the same is not proposed again.
    refused: Option<(Vec<Replica>, u64)>,
}

impl InSync {
    /// What the metadata says.
    pub fn new(partition_epoch: i32, committed: Vec<NodeId>) -> Self {
        InSync { partition_epoch, committed, proposed: None, again_ms: 0, refused: None }
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
        let proposed = self.proposed.iter().flat_map(|it| &it.in_sync).map(|replica| replica.node);
        let forgets = is_planted(Bug::ReplicationShrunkSetOnly) && self.is_changing();
        let committed: &[NodeId] = if forgets { &[] } else { &self.committed };
        committed.iter().copied().chain(proposed)
    }

    /// Members, whichever of the two sets holds in the end.
    pub fn size(&self) -> usize {
        let proposed = self.proposed.as_ref().map_or(usize::MAX, |it| it.in_sync.len());
        self.committed.len().min(proposed)
    }

    /// Whether that set may be proposed now: no outcome is awaited, and it was not refused a moment ago.
    pub fn may_propose(&self, in_sync: &[Replica], now_ms: u64) -> bool {
        let was_refused =
            self.refused.as_ref().is_some_and(|(refused, until_ms)| refused == in_sync && now_ms < *until_ms);
        !self.is_changing() && !was_refused
    }

    /// A change is proposed. There is one at a time.
    pub fn propose(&mut self, proposal: Proposal, now_ms: u64) {
        assert!(self.proposed.is_none(), "the outcome of the last one is unknown");
        self.proposed = Some(proposal);
        self.again_ms = now_ms.saturating_add(REPLICATION_PROPOSAL_AGAIN_MS);
    }

    /// The proposal, if it is time to send it again: it, or its outcome, may be lost. Carried out twice it changes nothing,
    /// as the first time makes its epoch old.
    pub fn due(&mut self, now_ms: u64) -> Option<Proposal> {
        let proposal = self.proposed.as_ref().filter(|_| now_ms >= self.again_ms)?;
        self.again_ms = now_ms.saturating_add(REPLICATION_PROPOSAL_AGAIN_MS);
        Some(proposal.clone())
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
    pub fn refused(&mut self, partition_epoch: i32, now_ms: u64) {
        if partition_epoch == self.partition_epoch
            && let Some(proposal) = self.proposed.take()
        {
            self.refused = Some((proposal.in_sync, now_ms.saturating_add(REPLICATION_REFUSED_BACK_OFF_MS)));
        }
    }
}
