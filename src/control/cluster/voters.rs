//! Which change of the quorum's members is due. The leader makes one at a time, and looks again when it is made.
//!
//! A member is a disk. All nodes that are registered follow the log; of these, the ones that are configured as voters
//! vote once they have caught up. A voter that comes back with another disk is another member, and the old one goes: it
//! remembers promises that nobody else does.

use std::collections::{BTreeMap, BTreeSet};

use super::super::migration::raft_id;
use crate::base::ids::NodeId;
use crate::base::limits::QUORUM_PEERS_MAX;
use crate::cluster::{Image, NodeRecord};
use crate::quorum::{MemberChange, RaftId, Status};

/// Entries that a member may lack when it becomes a voter. It has them soon.
const CAUGHT_UP_ENTRIES: u64 = 64;

/// The change that is due, if any. `status` is the leader's.
pub fn due_change(status: &Status, image: &Image, voters: &[NodeId], own: RaftId) -> Option<MemberChange> {
    let member = |node: &NodeRecord| raft_id(node.disk);
    let wanted: BTreeMap<RaftId, bool> =
        image.nodes().map(|node| (member(node), voters.contains(&node.node))).collect();
    let former: BTreeSet<RaftId> =
        image.nodes().flat_map(|node| &node.former_disks).map(|former| raft_id(former.disk)).collect();
    let members = &status.members;
    let present = || members.voters.iter().chain(&members.learners);
    let is_gone = |id: &&RaftId| former.contains(*id) && !wanted.contains_key(*id) && **id != own;
    if let Some(gone) = present().find(is_gone) {
        return Some(MemberChange::Remove(*gone));
    }
    let has_caught_up = |id: &RaftId| {
        status
            .matched
            .get(id)
            .is_some_and(|matched| matched + CAUGHT_UP_ENTRIES >= status.commit && *matched > 0)
    };
    let is_due = |id: &&RaftId| wanted.get(*id) == Some(&true) && has_caught_up(id);
    if let Some(risen) = members.learners.iter().find(is_due) {
        return Some(MemberChange::AddVoter(*risen));
    }
    let is_new = |id: &&RaftId| !present().any(|present| present == *id);
    let has_room = present().count() < QUORUM_PEERS_MAX;
    wanted.keys().find(is_new).filter(|_| has_room).map(|id| MemberChange::AddLearner(*id))
}

/// Who is to lead in the place of a node that stops and leads no partition any more: the voter that has most of the log.
/// `status` is the leader's.
pub fn heir(status: &Status, image: &Image, own: NodeId) -> Option<RaftId> {
    let is_out = image.node(own).is_some_and(|node| node.shutting_down);
    if !is_out || image.partitions().any(|partition| partition.leader == Some(own)) {
        return None;
    }
    let others = status.matched.iter().filter(|(id, _)| status.members.voters.contains(id));
    others.max_by_key(|(_, matched)| **matched).map(|(id, _)| *id)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::cluster::{
        Change, ClusterRecord, DiskId, Draft, FormerDisk, KafkaUuid, METADATA_FORMAT_OF_CLUSTERS, Record,
    };
    use crate::quorum::{Members, Role};

    const VOTERS: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

    fn disk(number: u128) -> DiskId {
        DiskId(Uuid::from_u128(number))
    }

    fn node(node: u32, disk_number: u128, former: &[u128]) -> NodeRecord {
        let former = former.iter().map(|number| FormerDisk { disk: disk(*number), incarnation: 1 });
        NodeRecord {
            former_disks: former.collect(),
            ..NodeRecord::of_lone_node(NodeId(node), disk(disk_number), 1, 1)
        }
    }

    fn image(nodes: &[NodeRecord]) -> Image {
        let cluster_id = KafkaUuid(Uuid::from_u128(1));
        let cluster = ClusterRecord { format_version: METADATA_FORMAT_OF_CLUSTERS, cluster_id };
        let mut draft = Draft::of(&Image::new(cluster));
        nodes.iter().for_each(|node| draft.follow(Change::Put(Record::Node(node.clone()))));
        draft.finish()
    }

    fn status(voters: &[u64], learners: &[u64], matched: &[(u64, u64)]) -> Status {
        Status {
            role: Role::Leader,
            term: 1,
            leader: Some(1),
            commit: 1000,
            applied: 1000,
            last_index: 1000,
            log_entries: 1,
            members: Members { voters: voters.to_vec(), learners: learners.to_vec() },
            matched: matched.iter().copied().collect(),
        }
    }

    #[test]
    fn a_node_follows_first_and_votes_when_it_has_caught_up() {
        let all = [node(1, 1, &[]), node(2, 2, &[]), node(9, 9, &[])];
        let image = image(&all);
        let due = |status: &Status| due_change(status, &image, &VOTERS, 1);
        assert_eq!(due(&status(&[1], &[], &[])), Some(MemberChange::AddLearner(2)));
        assert_eq!(due(&status(&[1], &[2], &[(2, 0)])), Some(MemberChange::AddLearner(9)));
        assert_eq!(due(&status(&[1], &[2, 9], &[(2, 500), (9, 1000)])), None, "9 never votes");
        assert_eq!(due(&status(&[1], &[2, 9], &[(2, 990), (9, 1000)])), Some(MemberChange::AddVoter(2)));
        assert_eq!(due(&status(&[1, 2], &[9], &[])), None);
    }

    #[test]
    fn the_member_that_a_replaced_disk_was_goes_first() {
        let image = image(&[node(1, 1, &[]), node(2, 22, &[2]), node(3, 3, &[])]);
        let due = |status: &Status| due_change(status, &image, &VOTERS, 1);
        assert_eq!(due(&status(&[1, 2, 3], &[], &[])), Some(MemberChange::Remove(2)));
        assert_eq!(due(&status(&[1, 3], &[], &[])), Some(MemberChange::AddLearner(22)));
        assert_eq!(due(&status(&[1, 3], &[22], &[(22, 999)])), Some(MemberChange::AddVoter(22)));
    }

    #[test]
    fn who_stops_leaves_the_lead_to_the_voter_with_the_longest_log() {
        let stopping = NodeRecord { shutting_down: true, ..node(1, 1, &[]) };
        let image = image(&[stopping, node(2, 2, &[]), node(3, 3, &[])]);
        let status = status(&[1, 2, 3], &[9], &[(2, 10), (3, 20), (9, 30)]);
        assert_eq!(heir(&status, &image, NodeId(1)), Some(3), "9 does not vote");
        assert_eq!(heir(&status, &image, NodeId(2)), None, "it does not stop");
    }

    #[test]
    fn members_that_nobody_knows_stay_and_a_full_quorum_takes_no_more() {
        let image = image(&[node(1, 1, &[])]);
        assert_eq!(due_change(&status(&[1, 77], &[], &[]), &image, &VOTERS, 1), None);
        let others: Vec<u64> = (100..100 + QUORUM_PEERS_MAX as u64).collect();
        assert_eq!(due_change(&status(&others, &[], &[]), &image, &VOTERS, 100), None);
    }
}
