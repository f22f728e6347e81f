//! What becomes of a partition when nodes come and go.
//!
//! Who is not there does not count, unless nobody would be left: the last ones that were in sync stay so, without a
//! leader, until one of them is back. So the in-sync set is never empty, and whoever is in it has all that was
//! acknowledged. A copy is on one disk: its node with another disk does not have it.

use std::collections::BTreeSet;

use crate::base::ids::NodeId;
use crate::base::planted::{Bug, is_planted};
use crate::cluster::draft::Draft;
use crate::cluster::image::Image;
use crate::cluster::records::{PartitionRecord, Record, Replica};

/// Whether the disk that the copy is on is the one that its node has.
fn is_on_present_disk(image: &Image, replica: &Replica) -> bool {
    let node = image.node(replica.node);
    node.is_some_and(|node| node.disk == replica.disk) || is_planted(Bug::ControllerTrustDisk)
}

/// Whether the node takes part, and the shard of the copy can write.
pub(super) fn is_able(image: &Image, replica: &Replica) -> bool {
    image.node(replica.node).is_some_and(|record| {
        record.has_working(replica.shard) || record.is_active() && is_planted(Bug::ControllerElectFailed)
    })
}

/// Whether the copy may lead and count: its node takes part, with its disk, and its shard can write.
pub(super) fn may_count(image: &Image, replica: &Replica) -> bool {
    is_on_present_disk(image, replica) && is_able(image, replica)
}

/// The partition as the nodes that are there leave it: in sync are those that still can be, the leader stays if it can,
/// and otherwise is the first copy in the order of preference that is in sync.
pub(super) fn settled(image: &Image, partition: &PartitionRecord) -> PartitionRecord {
    let mut next = partition.clone();
    next.in_sync_replicas = in_sync(image, partition);
    let can_lead = |node: &NodeId| {
        let counts = partition.replica(*node).is_some_and(|replica| may_count(image, replica));
        counts && (next.in_sync_replicas.contains(node) || is_planted(Bug::ControllerElectAny))
    };
    let in_order = partition.replicas.iter().map(|replica| replica.node);
    next.leader = partition.leader.into_iter().chain(in_order).find(can_lead);
    if let Some(leader) = next.leader.filter(|leader| !next.in_sync_replicas.contains(leader)) {
        next.in_sync_replicas = vec![leader];
    }
    if is_planted(Bug::ControllerForgetDisks) {
        let nodes = next.replicas.iter().map(|replica| replica.node);
        let others: Vec<NodeId> = nodes.filter(|node| !next.in_sync_replicas.contains(node)).collect();
        record_disks(image, &others, &mut next.replicas);
    }
    next
}

fn in_sync(image: &Image, partition: &PartitionRecord) -> Vec<NodeId> {
    let those = |is_wanted: fn(&Image, &Replica) -> bool| -> Vec<NodeId> {
        let wanted = partition.in_sync().filter(|replica| is_wanted(image, replica));
        wanted.map(|replica| replica.node).collect()
    };
    let counting = those(may_count);
    if !counting.is_empty() || is_planted(Bug::ControllerEmptySet) {
        return counting;
    }
    let on_their_disks = those(is_on_present_disk);
    if on_their_disks.is_empty() { partition.in_sync_replicas.clone() } else { on_their_disks }
}

/// Whoever joins the in-sync set has its copy on the disk that its node has now. Until then the record keeps the disk
/// on which the copy counted last, whatever its node registers with: the last resort, an unclean election, is to tell a
/// copy that lags behind from one that was wiped.
pub(super) fn record_disks(image: &Image, members: &[NodeId], replicas: &mut [Replica]) {
    for replica in replicas.iter_mut().filter(|replica| members.contains(&replica.node)) {
        if let Some(node) = image.node(replica.node) {
            replica.disk = node.disk;
        }
    }
}

/// Settles all partitions of which one of the nodes has a copy.
pub(in crate::cluster) fn settle_copies_of(draft: &mut Draft, nodes: &BTreeSet<NodeId>) {
    let image = draft.image();
    let concerned = image
        .partitions()
        .filter(|partition| partition.replicas.iter().any(|replica| nodes.contains(&replica.node)));
    let changed: Vec<PartitionRecord> =
        concerned.filter_map(|partition| settled(image, partition).in_place_of(partition)).collect();
    changed.into_iter().for_each(|partition| draft.put(Record::Partition(partition)));
}
