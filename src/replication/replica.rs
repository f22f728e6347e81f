//! Who holds a copy of a partition.

use crate::base::ids::{NodeId, ShardId};
use crate::base::planted::{Bug, is_planted};
use crate::cluster::DiskId;

/// A replica: a disk, at one start of the node that it is in. A node whose disk was changed is another replica, and what
/// a node said before it was started anew counts no more (KIP-903).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replica {
    /// The node. Two replicas on one node are none too many lost at once, so there is one at most.
    pub node: NodeId,
    /// The shard there.
    pub shard: ShardId,
    /// The disk.
    pub disk: DiskId,
    /// How often the node had been started, this start included.
    pub incarnation: u64,
}

impl Replica {
    /// Whether a term that the metadata grants to `granted` is this replica's to lead in. What was sent in a term before
    /// a crash may be gone from the own log: a node that went on in that term would give its offsets to other records.
    pub fn may_lead(&self, granted: &Replica) -> bool {
        self == granted || (is_planted(Bug::ReplicationKeepEpoch) && self.node == granted.node)
    }
}
