//! Listeners: where clients connect, and what they are told to connect to. The two differ behind NAT and
//! between inside and outside networks, so metadata answers with the listener that was asked.

use std::collections::BTreeMap;

use super::address::HostPort;
use super::error::ConfigError;
use super::settings::Settings;
use super::value::Value;
use crate::base::ids::ShardId;
use crate::base::limits::SHARD_PORT_OFFSET;

/// One listener of the node: a bootstrap port that every shard serves, and a port for each shard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listener {
    /// Its name.
    pub name: String,
    /// Bootstrap address to bind; port 0 for a free one.
    pub bind: HostPort,
    /// Port of shard 0, on the same host; 0 for free ones.
    pub shard_ports_first: u16,
    /// Host that clients are told.
    pub advertised_host: String,
    /// Bootstrap port that clients are told; 0 for the one that is bound.
    pub advertised_port: u16,
    /// Port of shard 0 that clients are told; 0 for those that are bound.
    pub advertised_shard_ports_first: u16,
}

impl Listener {
    /// Port to bind for a shard; 0 for a free one.
    pub fn shard_port(&self, shard: ShardId) -> u16 {
        nth_port(self.shard_ports_first, shard)
    }

    /// Bootstrap address that clients are told, given the port that was bound.
    pub fn advertised_bootstrap(&self, bound_port: u16) -> HostPort {
        let port = if self.advertised_port == 0 { bound_port } else { self.advertised_port };
        HostPort { host: self.advertised_host.clone(), port }
    }

    /// A shard's address that clients are told, given the port that was bound.
    pub fn advertised_shard(&self, shard: ShardId, bound_port: u16) -> HostPort {
        let port = match self.advertised_shard_ports_first {
            0 => bound_port,
            first => nth_port(first, shard),
        };
        HostPort { host: self.advertised_host.clone(), port }
    }

    /// Derives what a listener's settings leave open, and checks them for that many ports of shards.
    pub(super) fn resolve(settings: &mut Settings, name: String, shards: u16) -> Result<Self, ConfigError> {
        let bind = settings.address("listen");
        if bind.is_wildcard() && !settings.is_set("advertised.host") {
            return Err(ConfigError::WildcardWithoutHost { listener: name, bind: bind.to_string() });
        }
        derive_first_port(settings, &name, bind.port, shards)?;
        settings.derive("advertised.host", Value::Text(bind.host.clone()));
        settings.derive("advertised.port", Value::Integer(bind.port.into()));
        let shard_ports_first: u16 = settings.number("shard.ports");
        settings.derive("advertised.shard.ports", Value::Integer(shard_ports_first.into()));
        let advertised_shard_ports_first: u16 = settings.number("advertised.shard.ports");
        check_range(&name, "shard.ports", shard_ports_first, shards)?;
        check_range(&name, "advertised.shard.ports", advertised_shard_ports_first, shards)?;
        Ok(Listener {
            name,
            bind,
            shard_ports_first,
            advertised_host: settings.text("advertised.host"),
            advertised_port: settings.number("advertised.port"),
            advertised_shard_ports_first,
        })
    }

    /// The fixed ports that the listener binds, with their uses in words.
    fn ports(&self, shards: u16) -> impl Iterator<Item = (u16, String)> + '_ {
        let bootstrap = (self.bind.port, format!("listener `{}`", self.name));
        let shard = |s| (self.shard_port(ShardId(s)), format!("shard {s} of listener `{}`", self.name));
        std::iter::once(bootstrap).chain((0..shards).map(shard)).filter(|(port, _)| *port != 0)
    }
}

/// Refuses two uses of a port on hosts that could be the same. Names may stand for any address, so only two
/// different literals count as different.
pub(super) fn check_ports(
    listeners: &[Listener],
    shards: u16,
    admin: Option<&HostPort>,
) -> Result<(), ConfigError> {
    let mut used: BTreeMap<u16, Vec<(&HostPort, String)>> = BTreeMap::new();
    if let Some(admin) = admin.filter(|admin| admin.port != 0) {
        used.entry(admin.port).or_default().push((admin, "the admin port".to_owned()));
    }
    for listener in listeners {
        for (port, second) in listener.ports(shards) {
            let users = used.entry(port).or_default();
            if let Some((_, first)) = users.iter().find(|(bind, _)| overlap(bind, &listener.bind)) {
                return Err(ConfigError::PortTwice { port, first: first.clone(), second });
            }
            users.push((&listener.bind, second));
        }
    }
    Ok(())
}

fn overlap(a: &HostPort, b: &HostPort) -> bool {
    let literal = |address: &HostPort| address.host.parse::<std::net::IpAddr>().ok();
    match (literal(a), literal(b)) {
        (Some(x), Some(y)) => x == y || x.is_unspecified() || y.is_unspecified(),
        _ => true,
    }
}

fn nth_port(first: u16, shard: ShardId) -> u16 {
    if first == 0 { 0 } else { first + shard.0 }
}

/// Shards' ports follow the bootstrap port at a distance, unless they are said or all ports are free ones.
fn derive_first_port(
    settings: &mut Settings,
    name: &str,
    bootstrap: u16,
    shards: u16,
) -> Result<(), ConfigError> {
    let first = match bootstrap {
        0 => 0,
        port => u32::from(port) + u32::from(SHARD_PORT_OFFSET),
    };
    let fits = first <= u32::from(u16::MAX);
    if !settings.is_set("shard.ports") && shards > 0 && !fits {
        let listener = name.to_string();
        return Err(ConfigError::PortsBeyondEnd { listener, key: "shard.ports", first, shards });
    }
    settings.derive("shard.ports", Value::Integer(if fits { first.into() } else { 0 }));
    Ok(())
}

fn check_range(name: &str, key: &'static str, first: u16, shards: u16) -> Result<(), ConfigError> {
    if first == 0 || shards == 0 || first.checked_add(shards - 1).is_some() {
        return Ok(());
    }
    Err(ConfigError::PortsBeyondEnd { listener: name.to_string(), key, first: first.into(), shards })
}
