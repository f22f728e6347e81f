//! The brokers as clients see them: each shard of the node is one, or in node mode the node.

use crate::base::ids::{BrokerId, ShardId};
use crate::config::address::HostPort;
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
