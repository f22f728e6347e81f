//! What the quorum has decided, stood in for: who leads, who is in sync, who is registered.

use std::collections::BTreeMap;

use corelane::base::ids::{LeaderEpoch, NodeId};
use corelane::replication::{InSync, Replica};

use super::node::{Node, Role};
use super::world::{NODES, World, others};

/// What the metadata says of the partition and of the nodes.
pub struct Metadata {
    pub leader: NodeId,
    leader_epoch: LeaderEpoch,
    /// The replica that the term was granted to; none at first.
    granted_to: Option<Replica>,
    partition_epoch: i32,
    pub in_sync: Vec<NodeId>,
    pub registered: BTreeMap<NodeId, Replica>,
    /// Planted: proposals are believed about who is there.
    pub counts_fenced: bool,
}

impl Metadata {
    pub fn new() -> Self {
        Metadata {
            leader: NodeId(1),
            leader_epoch: -1,
            granted_to: None,
            partition_epoch: 0,
            in_sync: (1..=NODES).map(NodeId).collect(),
            registered: BTreeMap::new(),
            counts_fenced: false,
        }
    }
}

impl World {
    /// A node has been started anew. If it has another disk, its replica is not what was in sync.
    pub(super) fn register(&mut self, replica: Replica) {
        let metadata = &mut self.metadata;
        let known = metadata.registered.insert(replica.node, replica);
        if known.is_none_or(|known| known.disk != replica.disk) && metadata.in_sync.contains(&replica.node) {
            metadata.in_sync.retain(|id| *id != replica.node);
            metadata.partition_epoch += 1;
        }
    }

    /// The controller decides on a change of the in-sync set.
    pub(super) fn decide_proposal(&mut self) {
        let is_heard = self.proposals.front().is_some_and(|(from, _)| !self.is_lonely(*from));
        if self.steps < self.slow_quorum_until || !is_heard {
            return;
        }
        let Some((from, proposal)) = self.proposals.pop_front() else { return };
        if self.steps < self.lossy_quorum_until && self.random.one_in(4) {
            self.counts.lost_proposals += 1;
            return;
        }
        let (leader_epoch, partition_epoch) = (self.metadata.leader_epoch, self.metadata.partition_epoch);
        if proposal.leader_epoch != leader_epoch || proposal.partition_epoch != partition_epoch {
            return;
        }
        let is_present = |it: &Replica| {
            let is_up = self.nodes.iter().any(|node| node.is_up && !node.has_failed && node.id == it.node);
            is_up && (self.metadata.registered[&it.node] == *it || self.metadata.counts_fenced)
        };
        if proposal.in_sync.iter().all(is_present) {
            self.metadata.partition_epoch += 1;
            self.metadata.in_sync = proposal.in_sync.iter().map(|it| it.node).collect();
            self.note(format!("in sync: {:?}", self.metadata.in_sync));
            return;
        }
        // Another copy of it may still be carried out: then nothing is said of this one.
        if self.proposals.iter().any(|(other, copy)| (*other, copy) == (from, &proposal)) {
            return;
        }
        let mut effects = Vec::new();
        if let Node { epoch, role: Role::Leads(leader), .. } = self.node(from)
            && *epoch == leader_epoch
        {
            leader.refused(partition_epoch, &mut effects);
        }
        self.carry_out(from, effects);
    }

    /// The controller looks who is alive. A term is for one start of a node.
    pub(super) fn review(&mut self) {
        // Heartbeats tell of writers that have failed.
        let is_alive = |node: &&Node| node.is_up && !node.has_failed && !self.is_lonely(node.id);
        let up: Vec<NodeId> = self.nodes.iter().filter(is_alive).map(|node| node.id).collect();
        let alive: Vec<NodeId> = self.metadata.in_sync.iter().copied().filter(|id| up.contains(id)).collect();
        let Some(&first) = alive.first() else { return };
        let leader = self.metadata.leader;
        let is_granted = self.metadata.granted_to == Some(self.metadata.registered[&leader]);
        if alive.len() < self.metadata.in_sync.len() {
            self.metadata.in_sync = alive;
            self.metadata.partition_epoch += 1;
        }
        if !up.contains(&leader) || !is_granted {
            let next = if self.metadata.in_sync.contains(&leader) { leader } else { first };
            self.elect(next);
        }
    }

    /// Somebody else of the in-sync set is to lead.
    pub(super) fn move_leader(&mut self) {
        let next = self.any_node();
        let is_able = self.node(next).is_up && !self.node(next).has_failed;
        if self.metadata.in_sync.contains(&next) && is_able && next != self.metadata.leader {
            self.elect(next);
        }
    }

    fn elect(&mut self, leader: NodeId) {
        self.metadata.leader = leader;
        self.metadata.leader_epoch += 1;
        self.metadata.partition_epoch += 1;
        self.metadata.granted_to = Some(self.metadata.registered[&leader]);
        self.note(format!("{leader} is to lead in term {}", self.metadata.leader_epoch));
    }

    /// A node hears what the metadata says.
    pub(super) fn hear_metadata(&mut self, at: usize) {
        let Some(granted_to) = self.metadata.granted_to else { return };
        let Metadata { leader, leader_epoch, partition_epoch, .. } = self.metadata;
        let in_sync = self.metadata.in_sync.clone();
        let id = self.nodes[at].id;
        if !self.nodes[at].is_up || self.is_lonely(id) {
            return;
        }
        if self.nodes[at].epoch < leader_epoch {
            self.nodes[at].epoch = leader_epoch;
            self.nodes[at].role = Role::Idle;
            self.forget_waiting(id);
            if leader != id {
                self.become_follower(id, leader);
            } else if self.nodes[at].replica().may_lead(&granted_to) && !self.nodes[at].has_failed {
                self.become_leader(id, InSync::new(partition_epoch, in_sync));
            }
        } else if matches!(self.nodes[at].role, Role::Leads(_)) {
            let mut effects = Vec::new();
            let alive: Vec<_> = others(id).map(|other| (other, self.node(other).is_up)).collect();
            let failed: Vec<Replica> = self.failed_peers(id);
            let Role::Leads(leader) = &mut self.nodes[at].role else { return };
            leader.learned(leader_epoch, partition_epoch, in_sync, &mut effects);
            for (other, is_up) in alive {
                leader.set_eligible(other, is_up, &mut effects);
            }
            failed.into_iter().for_each(|replica| leader.writer_failed(replica, &mut effects));
            self.carry_out(id, effects);
        }
    }
}
