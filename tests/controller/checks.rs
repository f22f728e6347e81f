//! What must hold of the metadata after each event.

use std::collections::{BTreeMap, BTreeSet};

use corelane::base::ids::{NodeId, PartitionId};
use corelane::cluster::{Image, Owner, PartitionRecord};

use crate::node::Node;

/// What was seen so far.
#[derive(Default)]
pub struct Checks {
    /// Who led in each term.
    leaders: BTreeMap<(PartitionId, i32), Owner>,
    /// What was acknowledged.
    pub acknowledged: BTreeMap<PartitionId, Vec<u64>>,
}

impl Checks {
    pub fn look(&mut self, before: &Image, now: &Image, nodes: &[Node]) {
        for node in now.nodes() {
            if let Some(old) = before.node(node.node) {
                assert!(
                    node.registration_epoch >= old.registration_epoch
                        && node.record_epoch >= old.record_epoch
                );
                assert!(
                    node == old || node.record_epoch > old.record_epoch,
                    "a record changes with its epoch"
                );
            }
        }
        for partition in now.partitions() {
            self.look_at(before.partition(partition.id()), partition, now, nodes);
        }
    }

    fn look_at(
        &mut self,
        before: Option<&PartitionRecord>,
        partition: &PartitionRecord,
        image: &Image,
        nodes: &[Node],
    ) {
        let id = partition.id();
        if let Some(before) = before.filter(|before| *before != partition) {
            assert!(partition.partition_epoch > before.partition_epoch, "{id} changes with its epoch");
            assert!(partition.leader_epoch >= before.leader_epoch, "{id}: terms never go back");
            let is_other = partition.owner() != before.owner();
            assert!(
                !is_other || partition.leader_epoch > before.leader_epoch,
                "{id}: another leader, another term"
            );
        }
        let distinct: BTreeSet<NodeId> = partition.replicas.iter().map(|replica| replica.node).collect();
        assert_eq!(distinct.len(), partition.replicas.len(), "{id}: one copy on a node");
        for replica in &partition.replicas {
            let node = image.node(replica.node).expect("registered");
            assert!(replica.shard.0 < node.shards, "{id}: a copy on a shard that is there");
        }
        assert!(!partition.in_sync_replicas.is_empty(), "{id}: somebody is in sync");
        assert_eq!(partition.in_sync().count(), partition.in_sync_replicas.len(), "{id}: copies are in sync");
        let Some(owner) = partition.owner() else { return };
        assert!(partition.in_sync_replicas.contains(&owner.node), "{id}: the leader is in sync");
        for replica in partition.in_sync() {
            let node = image.node(replica.node).expect("registered");
            assert!(node.is_active() && node.disk == replica.disk, "{id}: {} counts and cannot", node.node);
        }
        let known = self.leaders.insert((id, partition.leader_epoch), owner);
        assert!(
            known.is_none_or(|known| known == owner),
            "{id}: two leaders in term {}",
            partition.leader_epoch
        );
        if known.is_none() {
            self.look_at_log(partition, owner, nodes);
        }
    }

    /// A new leader has what was acknowledged.
    fn look_at_log(&self, partition: &PartitionRecord, owner: Owner, nodes: &[Node]) {
        let (id, node) = (partition.id(), nodes.iter().find(|node| node.id == owner.node).expect("a node"));
        let log = node.disk.logs.get(&id).map(|log| log.records.as_slice()).unwrap_or_default();
        let acknowledged = self.acknowledged.get(&id).map(Vec::as_slice).unwrap_or_default();
        let replica = partition.replica(owner.node).expect("has a copy");
        // A node that is down leads for the rest of its lease, and serves in another term or never.
        if !node.is_up || node.disk.id != replica.disk {
            return;
        }
        assert!(log.starts_with(acknowledged), "{id}: node {} leads without what was acknowledged", node.id);
    }

    /// All copies in sync have the log.
    pub fn acknowledge(&mut self, id: PartitionId, log: &[u64]) {
        let acknowledged = self.acknowledged.entry(id).or_default();
        if log.len() >= acknowledged.len() {
            assert!(log.starts_with(acknowledged), "{id}: what was acknowledged is replaced");
            *acknowledged = log.to_vec();
        } else {
            assert!(acknowledged.starts_with(log), "{id}: what was acknowledged is replaced");
        }
    }
}
