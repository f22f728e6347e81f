//! Where new partitions go: which shards there are, under which ids clients name them, and how many each takes.

use std::collections::BTreeSet;

use super::config::TopicDefaults;
use super::draft::Draft;
use super::error::ClusterError;
use super::hosts::{Host, find, hosts};
use super::image::Image;
use super::records::{DiskId, PartitionRecord, Record, Replica};
use super::spread::{Spread, Wanted};
use crate::base::ids::{BrokerId, NodeId, ShardId, TopicId};
use crate::base::limits::{
    PARTITIONS_PER_COMMAND_MAX, PARTITIONS_PER_SHARD_MAX, REPLICAS_PER_PARTITION_MAX, TOPIC_PARTITIONS_MAX,
};
use crate::config::Advertise;

/// What new partitions get that do not say otherwise. Where they can go is in the image: its nodes, and this one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placing {
    /// This node, which counts as live where the image does not know it yet.
    pub node: NodeId,
    /// Its disk.
    pub disk: DiskId,
    /// Its shards: 0 up to this number, at least one.
    pub shards: u16,
    /// Which broker ids an assignment may name.
    pub advertise: Advertise,
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `default.replication.factor`
    pub default_replication_factor: i16,
    /// Copies that a partition may have: one, unless `unstable.replication.enable` says so.
    pub replicas_max: usize,
    /// Defaults and bounds of topic configs.
    pub defaults: TopicDefaults,
}

impl Placing {
    /// Whether clients are told of a broker of this id.
    pub(super) fn has_broker(&self, image: &Image, broker_id: BrokerId) -> bool {
        find(&hosts(image, self), self.advertise, broker_id).is_some()
    }
}

/// Writes down new partitions of a topic, from the index `first` on. Their copies are empty, so all that can count do.
pub(super) fn put(draft: &mut Draft, topic: TopicId, first: i32, partitions: Vec<Placed>) {
    for (index, placed) in (first..).zip(partitions) {
        let Placed { replicas, in_sync_replicas } = placed;
        draft.put(Record::Partition(PartitionRecord {
            topic,
            index,
            leader: in_sync_replicas.first().copied(),
            leader_epoch: 0,
            partition_epoch: 0,
            replicas,
            in_sync_replicas,
        }));
    }
}

/// The copies of a new partition, the preferred leader's first.
pub(super) struct Placed {
    pub(super) replicas: Vec<Replica>,
    in_sync_replicas: Vec<NodeId>,
}

/// Room for the new partitions of one command.
pub(super) struct Places {
    hosts: Vec<Host>,
    advertise: Advertise,
    spread: Spread,
    default_factor: i16,
    replicas_max: usize,
    /// Partitions that the command may still make.
    left: usize,
}

impl Places {
    pub(super) fn of(image: &Image, placing: &Placing) -> Self {
        let hosts = hosts(image, placing);
        let spread = Spread::of(image, &hosts);
        let &Placing { advertise, default_replication_factor: default_factor, replicas_max, .. } = placing;
        Places { hosts, advertise, spread, default_factor, replicas_max, left: PARTITIONS_PER_COMMAND_MAX }
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

    /// How many copies each partition gets where the cluster chooses their places; -1 asks for the default.
    pub(super) fn replication_factor(&self, asked: i16) -> Result<usize, ClusterError> {
        let refused = |reason: String| Err(ClusterError::InvalidReplicationFactor(reason));
        let factor = if asked == -1 { self.default_factor } else { asked };
        let live = self.hosts.iter().filter(|host| host.live).count();
        match usize::try_from(factor) {
            Err(_) | Ok(0) => refused(
                "Replication factor must be larger than 0, or -1 to use the default value.".to_owned(),
            ),
            Ok(factor) if factor <= live.min(self.replicas_max) => Ok(factor),
            Ok(_) if live == 0 => refused(format!(
                "Unable to replicate the partition {factor} time(s): All brokers are currently fenced."
            )),
            Ok(wanted) if wanted <= live => {
                refused(format!("Replication factor must not be larger than {}", self.most_replicas()))
            }
            Ok(_) => {
                let why = match self.hosts.len() {
                    1 => {
                        "only 1 node(s) are registered. All brokers listed are cores of one node; ask for a \
                          replication factor of 1 or -1."
                            .to_owned()
                    }
                    all => format!(
                        "only {live} of {all} node(s) are there. The cores of one node are brokers of their own, but a \
                         replica helps only on another node."
                    ),
                };
                refused(format!(
                    "Unable to replicate the partition {factor} time(s): The target replication factor of {factor} \
                     cannot be reached because {why}"
                ))
            }
        }
    }

    fn most_replicas(&self) -> String {
        match self.replicas_max {
            REPLICAS_PER_PARTITION_MAX => format!("{REPLICAS_PER_PARTITION_MAX}."),
            fewer => format!(
                "{fewer}: copies on other nodes are a preview in this version. Set unstable.replication.enable=true on all \
                 nodes to try them."
            ),
        }
    }

    /// What one partition's brokers in an assignment mean; all partitions have as many copies (`factor`, once known).
    pub(super) fn assigned(
        &self,
        broker_ids: &[BrokerId],
        factor: &mut Option<usize>,
    ) -> Result<Wanted, ClusterError> {
        let refused = |reason: String| Err(ClusterError::InvalidReplicaAssignment(reason));
        let Some(&first) = broker_ids.first() else {
            return refused("The manual partition assignment includes an empty replica list.".to_owned());
        };
        if broker_ids.len() > REPLICAS_PER_PARTITION_MAX {
            return refused(format!("No partition has more than {REPLICAS_PER_PARTITION_MAX} replicas."));
        }
        let mut named: Vec<(BrokerId, (usize, Option<ShardId>))> = Vec::with_capacity(broker_ids.len());
        let mut seen = BTreeSet::new();
        for &broker_id in broker_ids {
            let Some(place) = find(&self.hosts, self.advertise, broker_id) else {
                return refused(format!(
                    "The manual partition assignment includes broker {broker_id}, but no such broker is registered."
                ));
            };
            if !seen.insert(broker_id) {
                return refused(format!(
                    "The manual partition assignment includes the broker {broker_id} more than once."
                ));
            }
            if let Some((other, _)) = named.iter().find(|(_, (host, _))| *host == place.0) {
                return refused(format!(
                    "The manual partition assignment includes the brokers {other} and {broker_id}, which are cores of \
                     one node: a replica helps only on another node."
                ));
            }
            named.push((broker_id, place));
        }
        if named.len() > self.replicas_max {
            return refused(format!(
                "The replicas of a partition must not be more than {}",
                self.most_replicas()
            ));
        }
        let (count, before) = (named.len(), *factor.get_or_insert(named.len()));
        if count != before {
            return refused(format!(
                "The manual partition assignment includes a partition with {count} replica(s), but this is not \
                 consistent with previous partitions, which have {before} replica(s)."
            ));
        }
        let is_able = |&(_, (host, shard)): &(BrokerId, (usize, Option<ShardId>))| {
            shard.map_or(self.hosts[host].live, |shard| self.hosts[host].has_working(shard))
        };
        if !named.iter().any(is_able) {
            return refused(format!(
                "All brokers of the manual partition assignment that begins with {first} are fenced, in controlled shutdown, \
                 or cannot write."
            ));
        }
        Ok(Wanted::Assigned(named.into_iter().map(|(_, place)| place).collect()))
    }

    /// Copies for each partition as they are wanted. Nothing is taken unless all have a place.
    pub(super) fn take(&mut self, wanted: Vec<Wanted>) -> Result<Vec<Placed>, ClusterError> {
        let mut after = self.spread.clone();
        let chosen: Vec<Vec<(usize, ShardId)>> =
            wanted.into_iter().map(|wanted| after.place(&self.hosts, wanted)).collect();
        if after.highest() > PARTITIONS_PER_SHARD_MAX {
            return Err(ClusterError::PolicyViolation(format!(
                "A shard would have more than {PARTITIONS_PER_SHARD_MAX} partitions. Delete topics, or give the \
                 broker more CPUs."
            )));
        }
        self.spread = after;
        self.left -= chosen.len();
        Ok(chosen.iter().map(|places| self.placed(places)).collect())
    }

    fn placed(&self, places: &[(usize, ShardId)]) -> Placed {
        let replica = |&(host, shard): &(usize, ShardId)| {
            let Host { node, disk, .. } = self.hosts[host];
            Replica { node, disk, shard }
        };
        let able = places.iter().filter(|(host, shard)| self.hosts[*host].has_working(*shard));
        let in_sync_replicas = able.map(|(host, _)| self.hosts[*host].node).collect();
        Placed { replicas: places.iter().map(replica).collect(), in_sync_replicas }
    }
}
