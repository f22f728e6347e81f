//! What must hold of the metadata after each event.

use std::collections::{BTreeMap, BTreeSet};

use corelane::base::ids::{NodeId, PartitionId};
use corelane::cluster::{DiskId, Image, Owner, PartitionRecord};

use crate::node::Node;

/// What was seen so far.
#[derive(Default)]
pub struct Checks {
    /// Who led in each term.
    leaders: BTreeMap<(PartitionId, i32), Owner>,
    /// What was acknowledged.
    pub acknowledged: BTreeMap<PartitionId, Vec<u64>>,
    /// The registration of the leader's node when each term began.
    grants: BTreeMap<(PartitionId, i32), u64>,
    /// The disk on which each copy was when it was last in sync, or was made.
    counted: BTreeMap<(PartitionId, NodeId), DiskId>,
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
        self.note_grants(now);
        for partition in now.partitions() {
            self.look_at(before.partition(partition.id()), partition, now, nodes);
            self.note_disks(before.partition(partition.id()).is_none(), partition, now);
        }
    }

    /// Also of images of which nodes know only part.
    pub fn note_grants(&mut self, image: &Image) {
        for partition in image.partitions() {
            let Some(node) = partition.leader.and_then(|leader| image.node(leader)) else { continue };
            let term = (partition.id(), partition.leader_epoch);
            self.grants.entry(term).or_insert(node.registration_epoch);
        }
    }

    /// A node that leads does so as the start to which the term was granted.
    pub fn look_at_grant(&self, id: PartitionId, term: i32, node: &Node) {
        let granted = self.grants.get(&(id, term));
        assert_eq!(granted, Some(&node.registration_epoch), "{id}: node {} leads in term {term}", node.id);
    }

    fn note_disks(&mut self, is_new: bool, partition: &PartitionRecord, image: &Image) {
        let counts =
            |node: &NodeId| is_new || partition.leader.is_some() && partition.in_sync_replicas.contains(node);
        for node in partition.replicas.iter().map(|replica| replica.node).filter(counts) {
            let disk = image.node(node).expect("registered").disk;
            self.counted.insert((partition.id(), node), disk);
        }
    }

    /// Whether the node has the disk on which its copy last counted.
    pub fn has_counted(&self, id: PartitionId, node: &Node) -> bool {
        self.counted.get(&(id, node.id)) == Some(&node.disk.id)
    }

    /// Somebody leads who may lack what was acknowledged: what it has of that is all there is.
    pub fn lose(&mut self, id: PartitionId, acknowledged: &[u64], leader: &Node) {
        let log = leader.disk.logs.get(&id).map(|log| log.records.as_slice()).unwrap_or_default();
        let common = log.iter().zip(acknowledged).take_while(|(one, other)| one == other).count();
        self.acknowledged.insert(id, acknowledged[..common].to_vec());
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
            assert!(
                node.has_working(replica.shard) && node.disk == replica.disk,
                "{id}: {} counts and cannot",
                node.node
            );
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
