//! The addresses that the shards bind, and what clients are told of them.

use std::net::SocketAddr;
use std::sync::Arc;

use super::error::ServeError;
use crate::base::ids::ShardId;
use crate::cluster::ListenerRecord;
use crate::config::{Config, Listener};
use crate::runtime::glommio::{HeldAddress, hold_address};
use crate::shard::{AdvertisedListener, Endpoints};
use crate::startup::endpoints::BoundListener;

/// What one shard binds for one listener.
#[derive(Clone, Debug)]
pub struct ShardAddresses {
    /// The listener's name.
    pub listener: String,
    /// Shared with the other shards; a port is chosen.
    pub bootstrap: SocketAddr,
    /// Its own, with port 0 for a free one; none in node mode.
    pub own: Option<SocketAddr>,
    /// What keeps them from others until the shards have bound them: a node of a cluster joins the others first.
    _held: Vec<Arc<HeldAddress>>,
}

/// Chooses the bootstrap ports and checks that nobody has any of the addresses. By shard, for each listener.
pub fn choose(config: &Config) -> Result<Vec<Vec<ShardAddresses>>, ServeError> {
    let mut by_shard: Vec<Vec<ShardAddresses>> = config.shard_ids().map(|_| Vec::new()).collect();
    for listener in &config.listeners {
        let wanted = listener.bind.resolve().map_err(|source| ServeError::HostUnknown {
            listener: listener.name.clone(),
            host: listener.bind.host.clone(),
            source,
        })?;
        let (bootstrap, held_bootstrap) = hold(listener, wanted)?;
        for (shard, addresses) in config.shard_ids().zip(&mut by_shard) {
            let mut held = vec![Arc::clone(&held_bootstrap)];
            let mut own = own_address(config, listener, shard, wanted);
            if let Some(own) = own.as_mut().filter(|own| own.port() != 0 || config.cluster.is_some()) {
                // Other nodes are told of it before it is bound.
                let (address, held_own) = hold(listener, *own)?;
                *own = address;
                held.push(held_own);
            }
            addresses.push(ShardAddresses { listener: listener.name.clone(), bootstrap, own, _held: held });
        }
    }
    Ok(by_shard)
}

fn own_address(config: &Config, listener: &Listener, shard: ShardId, bind: SocketAddr) -> Option<SocketAddr> {
    let has_own = shard.0 < config.advertised_shards();
    has_own.then(|| SocketAddr::new(bind.ip(), listener.shard_port(shard)))
}

fn hold(listener: &Listener, address: SocketAddr) -> Result<(SocketAddr, Arc<HeldAddress>), ServeError> {
    let held = hold_address(address).map_err(|source| {
        let listener = listener.name.clone();
        ServeError::Listen { listener, address, source }
    });
    held.map(|(address, held)| (address, Arc::new(held)))
}

/// What each listener came to: `chosen` and `own` are by shard, for each listener.
pub fn bound(chosen: &[Vec<ShardAddresses>], own: &[Vec<Option<SocketAddr>>]) -> Vec<BoundListener> {
    let listeners = chosen[0].iter().enumerate();
    listeners
        .map(|(index, addresses)| BoundListener {
            bootstrap: addresses.bootstrap,
            shards: own.iter().filter_map(|of_shard| of_shard[index]).collect(),
        })
        .collect()
}

/// What other nodes tell clients of this one: `chosen` is by shard, for each listener, and has no open ports.
pub fn registered(config: &Config, chosen: &[Vec<ShardAddresses>]) -> Vec<ListenerRecord> {
    let record = |(index, listener): (usize, &Listener)| {
        let bootstrap = listener.advertised_bootstrap(chosen[0][index].bootstrap.port());
        let own = config.shard_ids().zip(chosen).filter_map(|(shard, of_shard)| {
            let own = of_shard[index].own?;
            Some(listener.advertised_shard(shard, own.port()).port)
        });
        ListenerRecord {
            name: listener.name.clone(),
            host: bootstrap.host,
            port: bootstrap.port,
            shard_ports: own.collect(),
        }
    };
    config.listeners.iter().enumerate().map(record).collect()
}

/// What metadata tells clients.
pub fn advertised(config: &Config, bound: &[BoundListener]) -> Endpoints {
    let advertise = |(listener, bound): (&Listener, &BoundListener)| AdvertisedListener {
        name: listener.name.clone(),
        bootstrap: listener.advertised_bootstrap(bound.bootstrap.port()),
        shards: config
            .shard_ids()
            .zip(&bound.shards)
            .map(|(shard, address)| listener.advertised_shard(shard, address.port()))
            .collect(),
    };
    Endpoints { listeners: config.listeners.iter().zip(bound).map(advertise).collect() }
}
