//! The brokers as clients see them: each shard of the node is one, or in node mode the node.

use crate::base::ids::{BrokerId, ShardId};
use crate::cluster::{PartitionRecord, Replica};
use crate::config::address::HostPort;
use crate::protocol::ErrorCode;
use crate::shard::{ListenerIndex, Shard};

/// A broker and where a client of some listener reaches it.
pub(super) struct Broker<'a> {
    pub(super) id: BrokerId,
    pub(super) address: &'a HostPort,
    pub(super) rack: &'a str,
}

/// All brokers.
pub(super) fn brokers(shard: &Shard, listener: ListenerIndex) -> impl Iterator<Item = Broker<'_>> {
    let listed = shard.config.advertised_shards().max(1);
    (0..listed).map(move |number| broker(shard, listener, ShardId(number)))
}

fn broker(shard: &Shard, listener: ListenerIndex, number: ShardId) -> Broker<'_> {
    Broker {
        id: shard.config.broker_id(number),
        address: shard.endpoints.of_shard(listener, number),
        rack: &shard.config.broker_rack,
    }
}

/// The broker that clients send administrative requests to. Any would do; all say the same one, so that tools do
/// not see it wander.
pub(super) fn controller(shard: &Shard) -> BrokerId {
    shard.config.broker_id(ShardId(0))
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
