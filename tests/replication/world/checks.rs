//! What must hold.

use corelane::base::ids::NodeId;

use super::{NODES, World};

impl World {
    pub(super) fn check(&mut self) {
        for node in &self.nodes {
            let seen = self.watermarks.entry((node.id, node.incarnation)).or_insert(0);
            assert!(
                node.high_watermark >= *seen || !node.is_up,
                "the high watermark of {} goes back",
                node.id
            );
            *seen = node.high_watermark;
            let end = node.high_watermark as usize;
            assert!(end <= node.log.len(), "{} has committed what it does not have", node.id);
            assert!(node.log_start <= self.deleted, "{} has deleted what nobody wanted gone", node.id);
            let known = end.min(self.committed.len());
            let start = (node.log_start as usize).min(known);
            assert_eq!(node.log[start..known], self.committed[start..known], "{} has other records", node.id);
            if known < end && node.log_start as usize <= known {
                self.committed.extend_from_slice(&node.log[known..end]);
            }
        }
    }

    pub(super) fn check_has_acknowledged(&mut self, id: NodeId) {
        let node = &self.nodes[id.0 as usize - 1];
        for (offset, record) in self.acknowledged.range(node.log_start as usize..) {
            assert_eq!(
                node.log.get(*offset),
                Some(record),
                "{id} leads without what was acknowledged at {offset}"
            );
        }
    }

    /// All are in sync, hold the same, and something has happened.
    pub(super) fn check_healed(&mut self) {
        self.check_has_acknowledged(self.metadata.leader);
        assert_eq!(self.metadata.in_sync.len(), NODES as usize, "all are in sync again");
        assert!(!self.acknowledged.is_empty(), "something was acknowledged");
        let behind = self.nodes.iter().map(|node| self.committed.len() as i64 - node.high_watermark);
        assert!(behind.max() < Some(300), "all follow");
    }
}
