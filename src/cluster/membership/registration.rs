//! A start of a node is registered. It is fenced at first, so whatever it led is led by others, or by nobody until it
//! is back: in any case in another term, as a leader that comes back in its old one could put another record at an
//! offset that it has sent to somebody (KIP-101 has more).
//!
//! A copy is a place on a disk. Under the same disk and a later boot count it is what it was; another disk has nothing;
//! an older state of a disk may lack what was acknowledged, and is refused.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use super::sessions::put_next;
use crate::base::ids::{NodeId, SHARDS_PER_NODE_MAX};
use crate::base::limits::{FORMER_DISKS_MAX, METADATA_RECORD_BYTES_MAX, NODES_MAX, PARTITIONS_PER_SHARD_MAX};
use crate::base::planted::{Bug, is_planted};
use crate::cluster::draft::Draft;
use crate::cluster::image::Image;
use crate::cluster::leadership::settle_copies_of;
use crate::cluster::placement::deal_anew;
use crate::cluster::records::{
    ClusterAddress, DiskId, FormerDisk, ListenerRecord, NodeRecord, Owner, PartitionRecord, Record, Replica,
};

/// What a node says of itself at its start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Registration {
    /// The node.
    pub node: NodeId,
    /// Its disk.
    pub disk: DiskId,
    /// How often the node started with this disk, this start included. A start counts when it was registered: the node
    /// writes its count and `start` to the disk before it asks, and that it was registered before it does anything in
    /// its name. If that is not on the disk at the next start, the node says the same again; if it went on counting, an
    /// old copy would pass for the disk itself after some tries.
    pub incarnation: u64,
    /// A random id of this start.
    pub start: Uuid,
    /// Its shards: 0 up to this number.
    pub shards: u16,
    /// Where it stands.
    pub rack: Option<String>,
    /// Where clients reach it.
    pub listeners: Vec<ListenerRecord>,
    /// Where other nodes reach it.
    pub cluster_address: Option<ClusterAddress>,
}

/// Why a start is refused.
#[derive(Error, Clone, PartialEq, Eq, Debug)]
pub enum RegistrationError {
    /// DUPLICATE_BROKER_REGISTRATION: another process has this id, and was heard a moment ago.
    #[error(
        "node {node} runs already, with disk {} (start {incarnation}): give this node another id, or stop the other and \
         wait until its session has ended", disk.0
    )]
    Duplicate {
        /// The node.
        node: NodeId,
        /// The other's disk.
        disk: DiskId,
        /// The other's boot count.
        incarnation: u64,
    },
    /// The disk's state is older than one that was seen before: what it acknowledged since is not on it.
    #[error(
        "disk {} was at start {known} before, and says that this is start {found}: it is an old copy. Let the node \
         begin with an empty data directory; it gets everything from the other nodes", disk.0
    )]
    OldCopy {
        /// The disk.
        disk: DiskId,
        /// The boot count that was seen.
        known: u64,
        /// The boot count that the disk has.
        found: u64,
    },
    /// The disk may have the only copy of something, and nobody knows of which time.
    #[error(
        "disk {} was taken out of node {node} too long ago to tell whether it has everything that it acknowledged. Let \
         the node begin with an empty data directory", disk.0
    )]
    Forgotten {
        /// The node.
        node: NodeId,
        /// The disk.
        disk: DiskId,
    },
    /// The node was given fewer shards than its copies need.
    #[error(
        "{copies} copies of partitions are too many for {shards} shards: start with {needed} shards or more"
    )]
    TooFewShards {
        /// Copies on the node.
        copies: usize,
        /// Shards that it was given.
        shards: u16,
        /// Shards that it needs.
        needed: usize,
    },
    /// What it says of itself is out of bounds.
    #[error("{0}")]
    Invalid(String),
}

/// Registers a start. `has_session` says whether the node with this id was heard within its lease.
pub(super) fn register(
    draft: &mut Draft,
    new: &Registration,
    has_session: bool,
) -> Result<u64, RegistrationError> {
    check_bounds(draft.image(), new)?;
    let known = draft.image().node(new.node).cloned();
    if let Some(known) = &known {
        let is_same = (known.disk, known.incarnation, known.start) == (new.disk, new.incarnation, new.start);
        if is_same && says_the_same(known, new) {
            // Said again: the answer was lost.
            return Ok(known.registration_epoch);
        }
        if !is_same {
            check_disk(draft.image(), known, new, has_session)?;
        }
    }
    let record = record_of(known.as_ref(), new);
    if serde_json::to_vec(&record).map_or(usize::MAX, |json| json.len()) > METADATA_RECORD_BYTES_MAX {
        let reason =
            format!("what node {} says of itself has more than {METADATA_RECORD_BYTES_MAX} bytes", new.node);
        return Err(RegistrationError::Invalid(reason));
    }
    let epoch = record.registration_epoch;
    let has_other_shards = known.is_some_and(|known| known.shards != new.shards);
    if has_other_shards {
        check_shards(draft.image(), new)?;
    }
    put_next(draft, record);
    settle_copies_of(draft, &BTreeSet::from([new.node]));
    if has_other_shards {
        deal_shards(draft, new.node, new.shards);
    }
    Ok(epoch)
}

/// A start that never came to know of its registration may say the same again with other ports.
fn says_the_same(known: &NodeRecord, new: &Registration) -> bool {
    (known.shards, &known.rack, &known.listeners, &known.cluster_address)
        == (new.shards, &new.rack, &new.listeners, &new.cluster_address)
}

fn check_bounds(image: &Image, new: &Registration) -> Result<(), RegistrationError> {
    let invalid = |reason: String| Err(RegistrationError::Invalid(reason));
    if new.node > NodeId::MAX || new.shards == 0 || new.shards > SHARDS_PER_NODE_MAX {
        return invalid(format!(
            "node ids end at {}, and a node has 1 to {SHARDS_PER_NODE_MAX} shards",
            NodeId::MAX
        ));
    }
    if image.node(new.node).is_none() && image.nodes().len() >= NODES_MAX {
        return invalid(format!("there are {NODES_MAX} nodes, which is the most that a cluster has"));
    }
    Ok(())
}

fn check_disk(
    image: &Image,
    known: &NodeRecord,
    new: &Registration,
    has_session: bool,
) -> Result<(), RegistrationError> {
    let &Registration { node, disk, incarnation: found, .. } = new;
    let &NodeRecord { incarnation, disk: known_disk, .. } = known;
    let is_later = disk == known_disk && found > incarnation;
    if has_session && !is_later {
        return Err(RegistrationError::Duplicate { node, disk: known_disk, incarnation });
    }
    let former = known.former_disks.iter().find(|former| former.disk == disk);
    let last_start =
        if disk == known_disk { Some(incarnation) } else { former.map(|former| former.incarnation) };
    match last_start {
        Some(known) if found <= known && !is_planted(Bug::ControllerTrustOldCopy) => {
            Err(RegistrationError::OldCopy { disk, known, found })
        }
        Some(_) => Ok(()),
        None if copies_of(image, node).any(|replica| replica.disk == disk) => {
            Err(RegistrationError::Forgotten { node, disk })
        }
        None => Ok(()),
    }
}

fn record_of(known: Option<&NodeRecord>, new: &Registration) -> NodeRecord {
    let mut former_disks = known.map(|known| known.former_disks.clone()).unwrap_or_default();
    if let Some(known) = known.filter(|known| known.disk != new.disk) {
        former_disks.retain(|former| former.disk != new.disk);
        former_disks.push(FormerDisk { disk: known.disk, incarnation: known.incarnation });
        let surplus = former_disks.len().saturating_sub(FORMER_DISKS_MAX);
        former_disks.drain(..surplus);
    }
    NodeRecord {
        node: new.node,
        incarnation: new.incarnation,
        disk: new.disk,
        shards: new.shards,
        start: new.start,
        registration_epoch: known.map_or(0, |known| known.registration_epoch) + 1,
        record_epoch: known.map_or(0, |known| known.record_epoch),
        fenced: true,
        shutting_down: false,
        rack: new.rack.clone(),
        listeners: new.listeners.clone(),
        cluster_address: new.cluster_address.clone(),
        former_disks,
        failed_shards: BTreeSet::new(),
    }
}

fn copies_of(image: &Image, node: NodeId) -> impl Iterator<Item = &Replica> {
    image.partitions().filter_map(move |partition| partition.replica(node))
}

fn check_shards(image: &Image, new: &Registration) -> Result<(), RegistrationError> {
    let (copies, shards) = (copies_of(image, new.node).count(), new.shards);
    let needed = copies.div_ceil(PARTITIONS_PER_SHARD_MAX);
    if needed > usize::from(shards) {
        return Err(RegistrationError::TooFewShards { copies, shards, needed });
    }
    Ok(())
}

/// Deals a node's copies to another number of shards. As few move as make the load even.
pub(super) fn deal_shards(draft: &mut Draft, node: NodeId, shards: u16) {
    let image = draft.image();
    let owners: Vec<Owner> = copies_of(image, node).map(Replica::owner).collect();
    let dealt = deal_anew(&owners, node, shards);
    let partitions = image.partitions().filter(|partition| partition.replica(node).is_some());
    let moved = partitions.zip(dealt).filter_map(|(partition, shard)| {
        let mut next = partition.clone();
        next.replicas
            .iter_mut()
            .filter(|replica| replica.node == node)
            .for_each(|replica| replica.shard = shard);
        next.in_place_of(partition)
    });
    let moved: Vec<PartitionRecord> = moved.collect();
    moved.into_iter().for_each(|partition| draft.put(Record::Partition(partition)));
}
