//! A node starts: every partition that it leads gets a new leader epoch.
//!
//! Why, also on a single node: the leader may have sent a record to somebody and died before its own write.
//! If it came back in the same term, it could put another record at the same offset (KIP-101 has more).

use thiserror::Error;

use super::draft::Draft;
use super::placement::deal_anew;
use super::records::{DiskId, NodeRecord, Owner, PartitionRecord, Record};
use crate::base::ids::{NodeId, ShardId};
use crate::base::limits::PARTITIONS_PER_SHARD_MAX;

/// What a node says of itself at its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Incarnation {
    /// The node.
    pub node: NodeId,
    /// Its disk.
    pub disk: DiskId,
    /// How often it started, this start included.
    pub incarnation: u64,
    /// Its shards: 0 up to this number.
    pub shards: u16,
}

/// Why a start is refused.
#[derive(Error, Clone, PartialEq, Eq, Debug)]
pub enum IncarnationError {
    /// The disk is not the one that the metadata knows.
    #[error("the node's metadata belongs to disk {}, not to {}", known.0, found.0)]
    OtherDisk {
        /// In the metadata.
        known: DiskId,
        /// On the disk.
        found: DiskId,
    },
    /// A later start is already known: this directory is an old copy.
    #[error("the node's metadata knows start {known}, and this would be start {found} again")]
    Stale {
        /// In the metadata.
        known: u64,
        /// On the disk.
        found: u64,
    },
    /// The node was given fewer shards than its partitions need.
    #[error("{partitions} partitions are too many for {shards} shards: start with {needed} shards or more")]
    TooFewShards {
        /// Partitions that the node leads.
        partitions: usize,
        /// Shards that it was given.
        shards: u16,
        /// Shards that it needs.
        needed: usize,
    },
}

/// Registers the start, begins a new term of every partition that the node leads, and deals the partitions
/// out anew if the number of shards is not that of the last start.
pub fn begin_incarnation(draft: &mut Draft, start: &Incarnation) -> Result<(), IncarnationError> {
    let known = draft.image().node(start.node).cloned();
    if let Some(known) = &known {
        if known.disk != start.disk {
            return Err(IncarnationError::OtherDisk { known: known.disk, found: start.disk });
        }
        if known.incarnation >= start.incarnation {
            return Err(IncarnationError::Stale { known: known.incarnation, found: start.incarnation });
        }
    }
    let led: Vec<PartitionRecord> = draft
        .image()
        .partitions()
        .filter(|partition| partition.leader == Some(start.node))
        .cloned()
        .collect();
    let needed = led.len().div_ceil(PARTITIONS_PER_SHARD_MAX);
    if needed > usize::from(start.shards) {
        let (partitions, shards) = (led.len(), start.shards);
        return Err(IncarnationError::TooFewShards { partitions, shards, needed });
    }
    let owners: Vec<Owner> = led.iter().filter_map(PartitionRecord::owner).collect();
    // A start with more shards that was cut off may have dealt some partitions and not registered itself.
    let is_shard = |owner: &Owner| owner.shard.0 < start.shards;
    let shards: Vec<ShardId> = match known {
        Some(known) if known.shards == start.shards && owners.iter().all(is_shard) => {
            owners.iter().map(|owner| owner.shard).collect()
        }
        _ => deal_anew(&owners, start.node, start.shards),
    };
    for (partition, shard) in led.iter().zip(shards) {
        draft.put(Record::Partition(partition.next_term(shard)));
    }
    // Last, as a long list of changes is committed piece by piece: without it the start has not happened.
    let Incarnation { node, disk, incarnation, shards } = *start;
    draft.put(Record::Node(NodeRecord::of_lone_node(node, disk, incarnation, shards)));
    Ok(())
}
