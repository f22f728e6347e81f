//! A node: what is on its disk, and what it believes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corelane::base::ids::{NodeId, PartitionId, ShardId};
use corelane::cluster::{DiskId, Duty, Holder, Image, PartitionRecord};

/// A copy's log.
#[derive(Clone, Default)]
pub struct Log {
    pub records: Vec<u64>,
    /// The last term of which it took records, or in which it was a leader's.
    pub term: i32,
}

/// What is on a disk.
#[derive(Clone)]
pub struct Disk {
    pub id: DiskId,
    /// How often a node has started with it.
    pub boots: u64,
    /// The id of the last of these starts.
    pub start: u64,
    /// Whether that start was registered, as far as the disk knows. If not, it is said again.
    pub is_registered: bool,
    pub logs: BTreeMap<PartitionId, Log>,
}

pub struct Node {
    pub id: NodeId,
    pub disk: Disk,
    /// The same disk at some time in the past.
    pub copy: Option<Disk>,
    pub is_up: bool,
    pub is_stopping: bool,
    pub shards: u16,
    pub rack: Option<String>,
    pub registration_epoch: u64,
    /// Shards that cannot write since this start.
    pub failed: BTreeSet<ShardId>,
    /// The metadata as the node knows it.
    pub view: Arc<Image>,
    /// Whom the node has asked to be in sync, with the state of the partition in which it did.
    pub proposed: BTreeMap<PartitionId, (i32, BTreeSet<NodeId>)>,
}

impl Disk {
    pub fn empty(id: DiskId) -> Self {
        Disk { id, boots: 0, start: 0, is_registered: true, logs: BTreeMap::new() }
    }
}

impl Node {
    /// The partitions that the node takes itself for the leader of.
    pub fn led(&self) -> Vec<PartitionRecord> {
        let is_led = |partition: &&PartitionRecord| {
            let Some(replica) = partition.replica(self.id) else { return false };
            let holder = Holder { owner: replica.owner(), registration_epoch: self.registration_epoch };
            Duty::of(&self.view, partition, holder) == Some(Duty::Lead)
        };
        if self.is_up { self.view.partitions().filter(is_led).cloned().collect() } else { Vec::new() }
    }

    /// Who must have a record before it is acknowledged: all that are in sync, or may be any moment.
    pub fn counted(&self, partition: &PartitionRecord) -> BTreeSet<NodeId> {
        let mut counted: BTreeSet<NodeId> = partition.in_sync_replicas.iter().copied().collect();
        if let Some((epoch, proposed)) = self.proposed.get(&partition.id())
            && *epoch >= partition.partition_epoch
        {
            counted.extend(proposed);
        }
        counted
    }

    /// Takes a leader's log over, unless its term is over here.
    pub fn take(&mut self, id: PartitionId, term: i32, records: &[u64]) -> bool {
        let known = self.view.partition(id).map_or(0, |partition| partition.leader_epoch);
        let shard = self.view.partition(id).and_then(|it| it.replica(self.id)).map(|replica| replica.shard);
        let has_failed = shard.is_some_and(|shard| self.failed.contains(&shard));
        let log = self.disk.logs.entry(id).or_default();
        if has_failed || !self.is_up || term < log.term || term < known {
            return false;
        }
        *log = Log { records: records.to_vec(), term };
        true
    }
}
