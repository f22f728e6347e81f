//! Where a running broker is to be found: the line on stdout, and `endpoints.json` in the data directory for
//! programs. The file exists only while the broker serves, except after a crash: compare `pid`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::ids::ShardId;
use crate::config::{Advertise, Config, Listener};

const FILE: &str = "endpoints.json";
const FILE_BEING_WRITTEN: &str = "endpoints.json.new";

/// All addresses of a running broker.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Endpoints {
    /// The broker's process.
    pub pid: u32,
    /// `node.id`
    pub node_id: u32,
    /// The listeners in the order of the configuration.
    pub listeners: Vec<ListenerEndpoints>,
    /// Address that the admin port is bound to, if there is one.
    pub admin: Option<String>,
}

/// One listener's addresses, as clients are told them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ListenerEndpoints {
    /// The listener's name.
    pub name: String,
    /// What to give clients as `bootstrap.servers`.
    pub bootstrap: String,
    /// The address that is bound for it, which differs behind NAT or where the bind is a wildcard.
    pub bound: String,
    /// The brokers that metadata lists; one in node mode, with the bootstrap address.
    pub brokers: Vec<BrokerEndpoint>,
}

/// One broker of the metadata.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BrokerEndpoint {
    /// The broker id.
    pub broker_id: i32,
    /// Its address, as clients are told it.
    pub address: String,
}

/// What a listener's ports came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BoundListener {
    /// The bootstrap port's address.
    pub bootstrap: SocketAddr,
    /// The shards' addresses, in their order; none in node mode.
    pub shards: Vec<SocketAddr>,
}

impl Endpoints {
    /// The addresses of this process, given what each configured listener is bound to.
    pub fn new(config: &Config, bound: &[BoundListener], admin: Option<SocketAddr>) -> Self {
        assert_eq!(config.listeners.len(), bound.len(), "every listener is bound");
        let listeners = config.listeners.iter().zip(bound);
        Endpoints {
            pid: std::process::id(),
            node_id: config.node_id.0,
            listeners: listeners
                .map(|(listener, bound)| ListenerEndpoints::new(config, listener, bound))
                .collect(),
            admin: admin.map(|address| address.to_string()),
        }
    }

    /// The one line that is written to stdout, without its end: `corelane ready` and each listener's bootstrap
    /// address.
    pub fn ready_line(&self) -> String {
        format!("corelane ready {}", self.addresses().join(" "))
    }

    /// Each listener's bootstrap address.
    pub fn addresses(&self) -> Vec<&str> {
        self.listeners.iter().map(|listener| listener.bootstrap.as_str()).collect()
    }

    /// Writes the file whole or not at all: readers see the old state or the new one. On a full disk it is written in
    /// the place of one that a killed process has left.
    pub fn publish(&self, data_dir: &Path) -> io::Result<()> {
        let mut content = serde_json::to_vec_pretty(self)?;
        content.push(b'\n');
        let (path, new) = (data_dir.join(FILE), data_dir.join(FILE_BEING_WRITTEN));
        match fs::write(&new, &content) {
            Ok(()) => fs::rename(new, path),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                fs::remove_file(new)?;
                let mut file = OpenOptions::new().write(true).open(path).map_err(|_| error)?;
                file.write_all(&content)?;
                file.set_len(content.len() as u64)
            }
            Err(error) => Err(error),
        }
    }
}

impl ListenerEndpoints {
    fn new(config: &Config, listener: &Listener, bound: &BoundListener) -> Self {
        let bootstrap = listener.advertised_bootstrap(bound.bootstrap.port()).to_string();
        let broker = |shard, address| BrokerEndpoint { broker_id: config.broker_id(shard), address };
        let brokers = match config.advertise {
            Advertise::Node => vec![broker(ShardId(0), bootstrap.clone())],
            Advertise::Shard => {
                assert_eq!(bound.shards.len(), usize::from(config.shards()), "every shard is bound");
                let advertised = |shard, port| listener.advertised_shard(shard, port).to_string();
                let shards = config.shard_ids().zip(&bound.shards);
                shards.map(|(shard, bound)| broker(shard, advertised(shard, bound.port()))).collect()
            }
        };
        ListenerEndpoints {
            name: listener.name.clone(),
            bootstrap,
            bound: bound.bootstrap.to_string(),
            brokers,
        }
    }
}

/// Removes the file, if there is one: at start, before anything is served, and at the end.
pub fn withdraw(data_dir: &Path) -> io::Result<()> {
    match fs::remove_file(data_dir.join(FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Assignment, Inputs, Machine, Origin, load};

    fn config(set: &[(&str, &str)]) -> Config {
        let assign = |(key, value): &(&str, &str)| Assignment {
            key: key.to_string(),
            value: value.to_string(),
            origin: Origin::Flag("set"),
        };
        let inputs = Inputs { command_line: set.iter().map(assign).collect(), ..Inputs::default() };
        let machine = Machine { allowed_cpus: vec![0, 1], memory_bytes: 8 << 30 };
        load(&inputs, &machine).unwrap().config
    }

    fn endpoints(set: &[(&str, &str)]) -> Endpoints {
        let address = |port| SocketAddr::from(([0, 0, 0, 0], port));
        let bound =
            BoundListener { bootstrap: address(40_000), shards: vec![address(40_001), address(40_002)] };
        Endpoints::new(&config(set), &[bound], Some(address(40_003)))
    }

    #[test]
    fn free_ports_are_told_as_bound_and_mapped_ones_as_mapped() {
        let free = endpoints(&[("listen", "[::1]:0"), ("node.id", "7")]);
        let [listener] = &free.listeners[..] else { panic!("one listener") };
        assert_eq!((listener.bootstrap.as_str(), listener.bound.as_str()), ("[::1]:40000", "0.0.0.0:40000"));
        let brokers: Vec<_> = listener.brokers.iter().map(|b| (b.broker_id, b.address.as_str())).collect();
        assert_eq!(brokers, [(7000, "[::1]:40001"), (7001, "[::1]:40002")]);
        assert_eq!(free.admin.as_deref(), Some("0.0.0.0:40003"));
        assert_eq!(free.ready_line(), "corelane ready [::1]:40000");

        let mapped = [
            ("listen", "0.0.0.0:0"),
            ("advertised.host", "kafka.example.com"),
            ("advertised.port", "443"),
            ("advertised.shard.ports", "500"),
        ];
        let listener = &endpoints(&mapped).listeners[0];
        assert_eq!(listener.bootstrap, "kafka.example.com:443");
        assert_eq!(listener.brokers[1].address, "kafka.example.com:501");

        let node = endpoints(&[("listen", "127.0.0.1:0"), ("advertise", "node")]);
        let brokers = &node.listeners[0].brokers;
        assert_eq!(brokers[..], [BrokerEndpoint { broker_id: 1000, address: "127.0.0.1:40000".into() }]);
    }

    #[test]
    fn published_and_withdrawn() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        withdraw(directory.path()).unwrap();
        endpoints(&[]).publish(directory.path()).unwrap();
        let read: Endpoints = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(read, endpoints(&[]));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        endpoints(&[]).publish(directory.path()).unwrap();
        withdraw(directory.path()).unwrap();
        assert!(!path.exists());
    }
}
