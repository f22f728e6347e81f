//! The nodes that can have copies of partitions, and the broker ids under which clients name their shards.

use std::collections::BTreeSet;

use super::image::Image;
use super::placing::Placing;
use super::records::{DiskId, NodeRecord};
use crate::base::ids::{BrokerId, NodeId, SHARDS_PER_NODE_MAX, ShardId};
use crate::config::Advertise;

/// A node as placement sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Host {
    pub(super) node: NodeId,
    pub(super) disk: DiskId,
    /// Its shards: 0 up to this number, at least one.
    pub(super) shards: u16,
    pub(super) rack: Option<String>,
    /// Whether new copies can go there.
    pub(super) live: bool,
    /// Shards that cannot write any more.
    pub(super) failed: BTreeSet<ShardId>,
}

impl Host {
    fn of(record: &NodeRecord) -> Self {
        let NodeRecord { node, disk, shards, .. } = *record;
        let live = (0..shards).any(|shard| record.has_working(ShardId(shard)));
        Host { node, disk, shards, rack: record.rack.clone(), live, failed: record.failed_shards.clone() }
    }

    /// Whether a new copy on that shard can lead and count.
    pub(super) fn has_working(&self, shard: ShardId) -> bool {
        self.live && !self.failed.contains(&shard)
    }

    /// The shard of that number, modulo the number of shards, or the next one that can write.
    pub(super) fn working_from(&self, shard: ShardId) -> ShardId {
        let nth = |step: u16| ShardId((shard.0 % self.shards + step) % self.shards);
        (0..self.shards).map(nth).find(|it| self.has_working(*it)).unwrap_or(nth(0))
    }
}

/// All nodes that are registered, in order of their ids, and the node that `placing` names where it is not (yet).
pub(super) fn hosts(image: &Image, placing: &Placing) -> Vec<Host> {
    let mut hosts: Vec<Host> = image.nodes().map(Host::of).collect();
    if image.node(placing.node).is_none() {
        let Placing { node, disk, shards, .. } = *placing;
        let at = hosts.partition_point(|host| host.node < node);
        hosts.insert(at, Host { node, disk, shards, rack: None, live: true, failed: BTreeSet::new() });
    }
    hosts
}

/// What a broker id means: nobody, a node (its place in `hosts`), or one of its shards. The ids are those under which
/// clients see the shards.
pub(super) fn find(
    hosts: &[Host],
    advertise: Advertise,
    broker_id: BrokerId,
) -> Option<(usize, Option<ShardId>)> {
    let per_node = BrokerId::from(SHARDS_PER_NODE_MAX);
    let node = NodeId(u32::try_from(broker_id.div_euclid(per_node)).ok()?);
    let shard = ShardId(broker_id.rem_euclid(per_node) as u16);
    let host = hosts.binary_search_by_key(&node, |host| host.node).ok()?;
    match advertise {
        Advertise::Node => (shard.0 == 0).then_some((host, None)),
        Advertise::Shard => (shard.0 < hosts[host].shards).then_some((host, Some(shard))),
    }
}
