//! What a replica does for the others of its partition.

use std::collections::VecDeque;

use crate::base::ids::{LeaderEpoch, NodeId, Offset};
use crate::replication::{Follower, Leader, PeerShard, Replica};

/// See the module.
pub(in crate::shard) enum Role {
    /// There are no others.
    Alone,
    /// Nothing: there is no leader, or this start of the node has not been granted a term yet.
    Waits,
    /// It sends to the others.
    Leads(Box<Leading>),
    /// It takes what another one sends.
    Follows(Box<Following>),
}

/// A leader in one term.
pub(in crate::shard) struct Leading {
    pub(in crate::shard) leader: Leader,
    pub(super) leader_epoch: LeaderEpoch,
    /// The other replicas: each one's node, and the shard there.
    pub(super) followers: Vec<(NodeId, PeerShard)>,
    /// The same as the metadata has them now.
    pub(super) replicas: Vec<Replica>,
}

/// A follower in one term and one session.
pub(in crate::shard) struct Following {
    pub(super) follower: Follower,
    pub(super) leader_epoch: LeaderEpoch,
    /// Whom it follows.
    pub(super) from: PeerShard,
    /// Tickets that are durable when the log is synced up to an offset, in order. Who has another reason to wait has the
    /// largest offset.
    pub(super) tickets: VecDeque<(u64, Offset)>,
    /// Whether the log is being cut. What comes for it meanwhile is not looked at: the leader sends no records before it
    /// has been told where the log ends then.
    pub(super) is_cutting: bool,
    /// What it was told to do while the log was being cut.
    pub(super) next: Option<Next>,
}

/// What comes when a log has been cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// To follow that shard in that term, in a new session.
    Follow(PeerShard, LeaderEpoch),
    /// To look at the metadata again.
    LookAgain,
}

impl Following {
    /// What a ticket stood for is durable, though others before it may not be.
    pub(super) fn note_synced(&mut self, ticket: u64) {
        if let Some((_, end)) = self.tickets.iter_mut().find(|(it, _)| *it == ticket) {
            *end = 0;
        }
    }

    /// All tickets up to the one that is returned are durable when the log is synced up to `durable_end`; none if that is
    /// no news.
    pub(super) fn take_synced(&mut self, durable_end: Offset) -> Option<u64> {
        let mut last = None;
        while let Some((ticket, _)) = self.tickets.pop_front_if(|(_, end)| *end <= durable_end) {
            last = Some(ticket);
        }
        last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{NodeId, PartitionId, ShardId, TopicId};
    use crate::partition::EpochHistory;
    use crate::replication::FollowerLog;

    #[test]
    fn a_log_start_that_is_on_its_way_holds_back_what_comes_behind_it() {
        let partition = PartitionId { topic: TopicId::ZERO, index: 0 };
        let log =
            FollowerLog { log_start: 0, durable_start: 0, high_watermark: 0, durable_end: 0, log_end: 0 };
        let follower = Follower::new(partition, 1, log, 1, &EpochHistory::default(), &mut Vec::new());
        let from = PeerShard { node: NodeId(2), shard: ShardId(0) };
        let tickets = VecDeque::from([(1, 10), (2, Offset::MAX), (3, 20)]);
        let mut following =
            Following { follower, leader_epoch: 1, from, tickets, is_cutting: false, next: None };
        assert_eq!(following.take_synced(9), None);
        assert_eq!(following.take_synced(20), Some(1));
        assert_eq!(following.take_synced(20), None);
        following.note_synced(2);
        assert_eq!(following.take_synced(19), Some(2));
        assert_eq!(following.take_synced(20), Some(3));
    }
}
