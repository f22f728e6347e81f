//! The nodes that can have copies of partitions, and the broker ids under which clients name their shards.

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
}

impl Host {
    fn of(record: &NodeRecord) -> Self {
        let NodeRecord { node, disk, shards, .. } = *record;
        Host { node, disk, shards, rack: record.rack.clone(), live: record.is_active() }
    }
}

/// All nodes that are registered, in order of their ids, and the node that `placing` names where it is not (yet).
pub(super) fn hosts(image: &Image, placing: &Placing) -> Vec<Host> {
    let mut hosts: Vec<Host> = image.nodes().map(Host::of).collect();
    if image.node(placing.node).is_none() {
        let Placing { node, disk, shards, .. } = *placing;
        let at = hosts.partition_point(|host| host.node < node);
        hosts.insert(at, Host { node, disk, shards, rack: None, live: true });
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
