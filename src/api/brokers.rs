//! The brokers as clients see them: each shard of each node is one, or in node mode each node.

use crate::base::ids::{BrokerId, ShardId};
use crate::cluster::{Image, NodeRecord, PartitionRecord, Replica};
use crate::config::Advertise;
use crate::config::address::HostPort;
use crate::protocol::ErrorCode;
use crate::shard::{ListenerIndex, Shard};

/// A broker and where a client of some listener reaches it.
pub(super) struct Broker {
    pub(super) id: BrokerId,
    pub(super) address: HostPort,
    pub(super) rack: String,
    pub(super) is_fenced: bool,
}

/// All brokers that take part, this node's among them, in order of their ids.
pub(super) fn brokers(shard: &Shard, listener: ListenerIndex) -> impl Iterator<Item = Broker> + use<> {
    all_brokers(shard, listener).filter(|broker| !broker.is_fenced)
}

/// The same with those that are fenced. This node's own are there in any case: the client talks to one of them.
pub(super) fn all_brokers(shard: &Shard, listener: ListenerIndex) -> impl Iterator<Item = Broker> + use<> {
    let (image, own) = (shard.image(), shard.config.node_id);
    let name = &shard.endpoints.listeners[listener].name;
    let mut brokers: Vec<Broker> = own_brokers(shard, listener).collect();
    for node in image.nodes().filter(|node| node.node != own) {
        brokers.extend(brokers_of(node, name, shard.config.advertise));
    }
    brokers.sort_by_key(|broker| broker.id);
    brokers.into_iter()
}

/// This node's brokers.
pub(super) fn own_brokers(shard: &Shard, listener: ListenerIndex) -> impl Iterator<Item = Broker> {
    let listed = shard.config.advertised_shards().max(1);
    (0..listed).map(move |number| Broker {
        id: shard.config.broker_id(ShardId(number)),
        address: shard.endpoints.of_shard(listener, ShardId(number)).clone(),
        rack: shard.config.broker_rack.clone(),
        is_fenced: false,
    })
}

/// Another node's brokers, by its listener of this name. One that has no such listener is reached by its first.
fn brokers_of(node: &NodeRecord, listener: &str, advertise: Advertise) -> Vec<Broker> {
    let listener = node.listeners.iter().find(|own| own.name == listener).or(node.listeners.first());
    let Some(listener) = listener else { return Vec::new() };
    let ports = match advertise {
        Advertise::Shard => listener.shard_ports.clone(),
        Advertise::Node => vec![listener.port],
    };
    let broker = |(port, number): (u16, u16)| Broker {
        id: node.node.broker_id(ShardId(number)),
        address: HostPort { host: listener.host.clone(), port },
        rack: node.rack.clone().unwrap_or_default(),
        is_fenced: !node.is_active(),
    };
    ports.into_iter().zip(0..).map(broker).collect()
}

/// The broker that clients send administrative requests to. Any would do, as each takes them to the controller; all name
/// the first shard of the first node that takes part, so that tools do not see it wander.
pub(super) fn controller(shard: &Shard) -> BrokerId {
    let first = |image: &Image| image.nodes().find(|node| node.is_active()).map(|node| node.node);
    let node = first(&shard.image()).unwrap_or(shard.config.node_id);
    shard.config.advertise.broker_id(node, ShardId(0))
}

/// The id that stands for no leader.
const NO_LEADER: BrokerId = -1;

/// A partition's copies as metadata tells of them.
pub(super) struct Copies {
    pub(super) error_code: ErrorCode,
    pub(super) leader_id: BrokerId,
    pub(super) replica_nodes: Vec<BrokerId>,
    pub(super) isr_nodes: Vec<BrokerId>,
}

/// The brokers that have a partition. Without a leader clients are to ask again.
pub(super) fn copies_of(shard: &Shard, partition: &PartitionRecord) -> Copies {
    let broker_id = |replica: &Replica| shard.broker_id_of(replica.owner());
    let owner = partition.owner();
    Copies {
        error_code: if owner.is_some() { ErrorCode::None } else { ErrorCode::LeaderNotAvailable },
        leader_id: owner.map_or(NO_LEADER, |owner| shard.broker_id_of(owner)),
        replica_nodes: partition.replicas.iter().map(broker_id).collect(),
        isr_nodes: partition.in_sync().map(broker_id).collect(),
    }
}
