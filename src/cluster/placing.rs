//! Where new partitions go: which shards there are, under which ids clients name them, and how many each takes.

use super::config::TopicDefaults;
use super::draft::Draft;
use super::error::ClusterError;
use super::image::Image;
use super::placement::ShardLoads;
use super::records::{DiskId, PartitionRecord, Record, Replica};
use crate::base::ids::{BrokerId, NodeId, ShardId, TopicId};
use crate::base::limits::{PARTITIONS_PER_COMMAND_MAX, PARTITIONS_PER_SHARD_MAX, TOPIC_PARTITIONS_MAX};
use crate::config::Advertise;

/// Where new partitions can go, and what topics get that do not say otherwise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placing {
    /// The one node.
    pub node: NodeId,
    /// Its disk.
    pub disk: DiskId,
    /// Its shards: 0 up to this number, at least one.
    pub shards: u16,
    /// Which broker ids an assignment may name.
    pub advertise: Advertise,
    /// `num.partitions`.
    pub num_partitions: i32,
    /// Defaults and bounds of topic configs.
    pub defaults: TopicDefaults,
}

impl Placing {
    /// What a broker id means: not this node, this node (`None`), or one of its shards. The ids are those under
    /// which clients see the shards.
    fn shard_of(&self, broker_id: BrokerId) -> Option<Option<ShardId>> {
        let mut shards = (0..self.shards).map(ShardId);
        let shard = shards.find(|&shard| self.advertise.broker_id(self.node, shard) == broker_id)?;
        match self.advertise {
            Advertise::Node => Some(None),
            Advertise::Shard => Some(Some(shard)),
        }
    }

    /// Whether clients are told of a broker of this id.
    pub(super) fn has_broker(&self, broker_id: BrokerId) -> bool {
        self.shard_of(broker_id).is_some()
    }

    /// The shard that one partition's brokers mean; `None` if they mean the whole node.
    pub(super) fn assigned_shard(&self, broker_ids: &[BrokerId]) -> Result<Option<ShardId>, ClusterError> {
        let refused = |reason: String| Err(ClusterError::InvalidReplicaAssignment(reason));
        let (&first, others) = match broker_ids.split_first() {
            Some(split) => split,
            None => {
                return refused("The manual partition assignment includes an empty replica list.".to_owned());
            }
        };
        if let Some(unknown) = broker_ids.iter().find(|broker_id| self.shard_of(**broker_id).is_none()) {
            return refused(format!(
                "The manual partition assignment includes broker {unknown}, but no such broker is registered."
            ));
        }
        match others.first() {
            None => Ok(self.shard_of(first).flatten()),
            Some(_) if others.contains(&first) => refused(format!(
                "The manual partition assignment includes the broker {first} more than once."
            )),
            Some(other) => refused(format!(
                "The manual partition assignment includes the brokers {first} and {other}, which are cores of one \
                 node: a replica helps only on another node. Assign one broker to each partition."
            )),
        }
    }

    /// Writes down new partitions of a topic, from the index `first` on.
    pub(super) fn put(&self, draft: &mut Draft, topic: TopicId, first: i32, shards: &[ShardId]) {
        for (index, &shard) in (first..).zip(shards) {
            draft.put(Record::Partition(PartitionRecord {
                topic,
                index,
                leader: self.node,
                leader_epoch: 0,
                partition_epoch: 0,
                replicas: vec![Replica { node: self.node, disk: self.disk, shard }],
                in_sync_replicas: vec![self.node],
            }));
        }
    }
}

/// Room for the new partitions of one command.
pub(super) struct Places {
    loads: ShardLoads,
    /// Partitions that the command may still make.
    left: usize,
}

impl Places {
    pub(super) fn of(image: &Image, placing: &Placing) -> Self {
        let loads = ShardLoads::of(image, placing.node, placing.shards);
        Places { loads, left: PARTITIONS_PER_COMMAND_MAX }
    }

    /// Says whether a topic may have `total` partitions, of which `new` are to be made.
    pub(super) fn check(&self, total: usize, new: usize) -> Result<(), ClusterError> {
        if total as i64 > TOPIC_PARTITIONS_MAX {
            return Err(ClusterError::InvalidPartitions(format!(
                "Number of partitions must not be larger than {TOPIC_PARTITIONS_MAX}."
            )));
        }
        if new > self.left {
            let reason = "Excessively large number of partitions per request.";
            return Err(ClusterError::PolicyViolation(reason.to_owned()));
        }
        Ok(())
    }

    /// A shard for each partition, the one that is wanted if one is. Nothing is taken unless all have a place.
    pub(super) fn take(&mut self, wanted: Vec<Option<ShardId>>) -> Result<Vec<ShardId>, ClusterError> {
        let mut after = self.loads.clone();
        let shards: Vec<ShardId> = wanted.into_iter().map(|shard| after.place(shard)).collect();
        if after.highest() > PARTITIONS_PER_SHARD_MAX {
            return Err(ClusterError::PolicyViolation(format!(
                "A shard would have more than {PARTITIONS_PER_SHARD_MAX} partitions. Delete topics, or give the \
                 broker more CPUs."
            )));
        }
        self.loads = after;
        self.left -= shards.len();
        Ok(shards)
    }
}
