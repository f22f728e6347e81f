//! What goes wrong.

use std::collections::VecDeque;

use corelane::base::ids::NodeId;
use corelane::replication::Replica;

use super::super::link;
use super::super::metadata::Metadata;
use super::super::node::{Node, Role};
use super::{NODES, World, others};

impl World {
    pub(super) fn crash(&mut self) {
        let at = self.random.below(u64::from(NODES)) as usize;
        if self.nodes[at].is_up {
            self.nodes[at].crash();
            self.is_gone(at);
            self.counts.crashes += 1;
        }
    }

    /// A node stands still, and nobody is told.
    pub(super) fn pause(&mut self) {
        let at = self.random.below(u64::from(NODES)) as usize;
        self.paused = Some((at, self.steps + self.random.below(2000)));
    }

    /// A node, the leader more often than others, is cut off from peers and quorum.
    pub(super) fn cut_off(&mut self) {
        let any = self.any_node();
        let id = if self.random.one_in(2) { self.metadata.leader } else { any };
        self.lonely = Some((id, self.steps + self.random.below(400)));
    }

    pub(crate) fn is_lonely(&self, id: NodeId) -> bool {
        self.lonely.is_some_and(|(lonely, until)| lonely == id && self.steps < until)
    }

    pub(super) fn is_paused(&self, at: usize) -> bool {
        self.paused.is_some_and(|(paused, until)| paused == at && self.steps < until)
    }

    /// All nodes crash at once.
    pub(super) fn lose_power(&mut self) {
        for at in 0..NODES as usize {
            if self.nodes[at].is_up {
                self.nodes[at].crash();
                self.is_gone(at);
                self.counts.crashes += 1;
            }
        }
    }

    /// A node comes back with an empty disk: as long as all that was acknowledged is on another one.
    pub(super) fn lose_disk(&mut self) {
        let at = self.random.below(u64::from(NODES)) as usize;
        let Metadata { in_sync, registered, .. } = &self.metadata;
        let have_disks = self.nodes.iter().all(|node| registered[&node.id].disk == node.replica().disk);
        let is_spare = !in_sync.contains(&self.nodes[at].id) || in_sync.len() == NODES as usize;
        if !have_disks || !is_spare {
            return;
        }
        self.nodes[at].lose_disk();
        self.is_gone(at);
        self.counts.lost_disks += 1;
    }

    pub(super) fn is_gone(&mut self, at: usize) {
        let id = self.nodes[at].id;
        self.waiting.retain(|(leader, _), _| *leader != id);
        self.links.retain(|(from, to, _), _| *from != id && *to != id);
        self.note(format!("{id} is gone"));
    }

    pub(super) fn come_back(&mut self) {
        if let Some(failed) = self.nodes.iter().position(|node| node.is_up && node.has_failed)
            && self.random.one_in(8)
        {
            self.nodes[failed].crash();
            self.is_gone(failed);
        }
        let Some(down) = self.nodes.iter().position(|node| !node.is_up) else { return };
        if self.random.one_in(4) {
            self.nodes[down].restart();
            let (id, replica) = (self.nodes[down].id, self.nodes[down].replica());
            self.register(replica);
            self.note(format!("{id} is back"));
            others(id).for_each(|other| self.connect(id, other));
        }
    }

    /// A node cannot write any more: it leads no longer, and says so. Somebody starts it anew some time.
    pub(super) fn fail_writer(&mut self) {
        let at = self.random.below(u64::from(NODES)) as usize;
        let node = &mut self.nodes[at];
        if !node.is_up || node.has_failed {
            return;
        }
        node.has_failed = true;
        if let Role::Leads(_) = node.role {
            node.role = Role::Idle;
        }
        let id = node.id;
        self.forget_waiting(id);
        self.counts.failed_writers += 1;
        self.note(format!("{id} cannot write"));
    }

    /// Those that a leader has heard say that they cannot write.
    pub(crate) fn failed_peers(&self, leader: NodeId) -> Vec<Replica> {
        let heard =
            |node: &&Node| node.is_up && node.has_failed && node.id != leader && !self.is_lonely(node.id);
        self.nodes.iter().filter(heard).map(Node::replica).collect()
    }

    pub(super) fn break_session(&mut self) {
        let (a, b) = (self.any_node(), self.any_node());
        if a != b {
            self.note(format!("{a} and {b} lose each other"));
            self.connect(a, b);
        }
    }

    /// A frame of some time comes again.
    pub(super) fn say_again(&mut self) {
        if self.old_frames.is_empty() {
            return;
        }
        let at = self.random.below(self.old_frames.len() as u64) as usize;
        let (to, frame) = self.old_frames.swap_remove(at);
        // It may be the very one that is still to come: then it is that one that comes again.
        let is_waiting = self.links.values().flatten().any(|it| **it == *frame);
        if self.node(to).is_up && !is_waiting && !self.is_paused(to.0 as usize - 1) {
            // The last words of a node that is gone may come late; nothing else is looked at again.
            let is_admitted = self.deliver(to, &frame);
            self.counts.stale += usize::from(!is_admitted);
        }
    }

    /// A bit of a frame changes on its way, which ends the session.
    pub(super) fn damage(&mut self) {
        let Some(key) = self.busy() else { return };
        let mut frame = self.links.get_mut(&key).and_then(VecDeque::pop_front).expect("it is busy");
        let bit = self.random.below(frame.len() as u64 * 8) as usize;
        frame[bit / 8] ^= 1 << (bit % 8);
        assert!(link::read(&frame).is_err(), "damage goes unnoticed");
        self.counts.damaged += 1;
        self.connect(key.0, key.1);
    }
}
