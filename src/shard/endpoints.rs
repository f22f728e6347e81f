//! Where clients reach the node: the addresses of metadata, as finally bound.

use crate::base::ids::ShardId;
use crate::config::address::HostPort;

/// One listener's addresses as clients are told them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AdvertisedListener {
    /// The listener's name.
    pub name: String,
    /// The bootstrap address; in node mode the only one.
    pub bootstrap: HostPort,
    /// Each shard's own address; empty in node mode.
    pub shards: Vec<HostPort>,
}

/// Which of a node's listeners a connection came in by: its place in [`Endpoints::listeners`].
pub type ListenerIndex = usize;

/// All listeners of the node, in the order of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoints {
    /// The listeners, at least one.
    pub listeners: Vec<AdvertisedListener>,
}

impl Endpoints {
    /// Where a client of this listener reaches a shard.
    pub fn of_shard(&self, listener: ListenerIndex, shard: ShardId) -> &HostPort {
        let listener = &self.listeners[listener];
        listener.shards.get(usize::from(shard.0)).unwrap_or(&listener.bootstrap)
    }
}
