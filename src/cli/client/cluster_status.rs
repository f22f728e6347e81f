//! `corelane cluster status`: who is there, who leads what, and what is out of service.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::super::table::table;
use super::arguments::Connection;
use super::cluster::Cluster;
use super::error::ClientError;
use super::native::{ConfigEntry, Node, Resource, describe_configs};
use super::output::{self, cell};

/// How long a broker may take to accept a connection before it counts as unreachable.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// So many brokers are tried at once.
const PROBES_AT_ONCE: usize = 64;

/// Corelane's broker ids are the node's id times this, plus the shard's number.
const SHARDS_PER_NODE: i32 = 1000;

/// So many partitions that are out of service are named to people; programs get all.
const NAMED_PARTITIONS: usize = 20;

const STATUS: &str = "\
Exit status: 0 if every broker can be reached and every partition has a leader and all replicas in sync, 1 if not; the \
others are those of every client command (docs/command-line.md).";

/// Arguments of `corelane cluster`.
#[derive(Args, Debug)]
pub struct ClusterCommand {
    #[command(subcommand)]
    action: ClusterAction,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand, Debug)]
enum ClusterAction {
    /// Show brokers, controller and the health of partitions
    #[command(after_help = STATUS)]
    Status,
}

/// Carries out `corelane cluster`.
pub fn run(command: ClusterCommand) -> Result<(), ClientError> {
    let ClusterCommand { action: ClusterAction::Status, connection } = command;
    let cluster = Cluster::connect(&connection)?;
    let status = Status::ask(&cluster, connection.timeout)?;
    output::print(connection.output, &status, || status.text())?;
    match status.trouble() {
        None => Ok(()),
        Some(trouble) => Err(ClientError::Unhealthy(trouble)),
    }
}

/// A cluster's state, as programs get it.
#[derive(Serialize)]
struct Status {
    cluster_id: String,
    controller: Option<i32>,
    /// Whether each shard of a node is a broker of its own: a Corelane node that advertises its shards.
    shards_are_brokers: bool,
    brokers: Vec<Broker>,
    topics: usize,
    partitions: usize,
    partitions_without_leader: Vec<String>,
    under_replicated_partitions: Vec<String>,
}

/// A broker of it.
#[derive(Serialize)]
struct Broker {
    #[serde(flatten)]
    node: Node,
    leaders: usize,
    replicas: usize,
    /// Why no connection could be made to it.
    unreachable: Option<String>,
}

impl Status {
    fn ask(cluster: &Cluster, timeout: Duration) -> Result<Self, ClientError> {
        let description = cluster.description().clone();
        let metadata = cluster.metadata()?;
        let unreachable = probe(&description.nodes, timeout.min(PROBE_TIMEOUT));
        let broker = |(node, unreachable)| Broker { node, leaders: 0, replicas: 0, unreachable };
        let mut status = Self {
            cluster_id: description.cluster_id,
            controller: description.controller,
            shards_are_brokers: shards_are_brokers(cluster, &description.nodes, &unreachable),
            brokers: description.nodes.into_iter().zip(unreachable).map(broker).collect(),
            topics: metadata.topics().len(),
            partitions: 0,
            partitions_without_leader: Vec::new(),
            under_replicated_partitions: Vec::new(),
        };
        for topic in metadata.topics() {
            for partition in topic.partitions() {
                let name = format!("{}-{}", topic.name(), partition.id());
                status.count(name, partition.leader(), partition.replicas(), partition.isr());
            }
        }
        Ok(status)
    }

    fn count(&mut self, name: String, leader: i32, replicas: &[i32], in_sync: &[i32]) {
        self.partitions += 1;
        for broker in &mut self.brokers {
            broker.leaders += usize::from(broker.node.id == leader);
            broker.replicas += usize::from(replicas.contains(&broker.node.id));
        }
        if leader < 0 {
            self.partitions_without_leader.push(name);
        } else if in_sync.len() < replicas.len() {
            self.under_replicated_partitions.push(name);
        }
    }

    /// What is wrong, in one line.
    fn trouble(&self) -> Option<String> {
        let unreachable = self.brokers.iter().filter(|broker| broker.unreachable.is_some()).count();
        let counts = [
            (unreachable, "brokers cannot be reached"),
            (self.partitions_without_leader.len(), "partitions have no leader"),
            (self.under_replicated_partitions.len(), "partitions are under-replicated"),
        ];
        let found: Vec<String> = counts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        (!found.is_empty()).then(|| format!("the cluster is not healthy: {}", found.join(", ")))
    }

    fn text(&self) -> String {
        let row = |broker: &Broker| {
            vec![
                broker.node.id.to_string(),
                format!("{}:{}", broker.node.host, broker.node.port),
                cell(broker.node.rack.as_ref()),
                broker.leaders.to_string(),
                broker.replicas.to_string(),
                broker.unreachable.clone().unwrap_or_else(|| "yes".to_owned()),
            ]
        };
        let rows: Vec<_> = self.brokers.iter().map(row).collect();
        let heading = ["broker", "address", "rack", "leaders", "replicas", "reachable"];
        let note = if self.shards_are_brokers {
            "Each shard of a Corelane node is a broker: shard s of node n has the id n * 1000 + s.\n"
        } else {
            ""
        };
        format!(
            "cluster {}, controller {}, {} topics, {} partitions\n\n{}{note}{}{}",
            if self.cluster_id.is_empty() { "-" } else { &self.cluster_id },
            cell(self.controller),
            self.topics,
            self.partitions,
            table(&heading, &rows),
            named("without leader", &self.partitions_without_leader),
            named("under-replicated", &self.under_replicated_partitions),
        )
    }
}

/// The first of many partitions.
fn named(what: &str, partitions: &[String]) -> String {
    if partitions.is_empty() {
        return String::new();
    }
    let shown: Vec<&str> = partitions.iter().take(NAMED_PARTITIONS).map(String::as_str).collect();
    let more = match partitions.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{what}: {}{more}\n", shown.join(", "))
}

/// Whether several of these brokers are the shards of one Corelane node: their ids say so, and a broker that is asked
/// tells another id for its node than for itself, which Kafka's never do.
fn shards_are_brokers(cluster: &Cluster, nodes: &[Node], unreachable: &[Option<String>]) -> bool {
    let Some(broker_id) = broker_to_ask(nodes, unreachable) else { return false };
    let says = |entries: &[ConfigEntry], key: &str, id: i32| {
        entries.iter().any(|entry| entry.key == key && entry.value.as_deref() == Some(&id.to_string()))
    };
    // Whoever may not read configs, or cannot reach this broker, is told nothing of this.
    let described = describe_configs(cluster, &[Resource::Broker(broker_id)]).unwrap_or_default();
    described.into_iter().filter_map(|(_, entries)| entries.ok()).any(|entries| {
        says(&entries, "broker.id", broker_id) && says(&entries, "node.id", node_of(broker_id))
    })
}

/// The Corelane node that a broker with this id is a shard of, if it is one.
fn node_of(id: i32) -> i32 {
    id / SHARDS_PER_NODE
}

/// A broker whose id could be that of one of several shards of a node, and which can be reached: whoever asks another
/// one waits for the whole timeout.
fn broker_to_ask(nodes: &[Node], unreachable: &[Option<String>]) -> Option<i32> {
    let has_sibling =
        |node: &Node| nodes.iter().any(|other| other.id != node.id && node_of(other.id) == node_of(node.id));
    let mut reachable = nodes.iter().zip(unreachable).filter(|(_, why)| why.is_none()).map(|(node, _)| node);
    reachable.find(|node| has_sibling(node)).map(|node| node.id)
}

/// For each broker why no connection can be made to it, if so: clients need all of them, and a firewall may let pass
/// only some.
fn probe(nodes: &[Node], timeout: Duration) -> Vec<Option<String>> {
    let try_all = |nodes: &[Node]| {
        thread::scope(|scope| {
            let probes: Vec<_> =
                nodes.iter().map(|node| scope.spawn(move || connect(node, timeout).err())).collect();
            let joined = probes.into_iter().map(|probe| probe.join().expect("probes do not panic"));
            joined.collect::<Vec<_>>()
        })
    };
    nodes.chunks(PROBES_AT_ONCE).flat_map(try_all).collect()
}

fn connect(node: &Node, timeout: Duration) -> Result<(), String> {
    let addresses: Vec<SocketAddr> =
        (node.host.as_str(), node.port).to_socket_addrs().map_err(|error| error.to_string())?.collect();
    let mut outcome = Err("the host has no address".to_owned());
    for address in addresses {
        outcome = TcpStream::connect_timeout(&address, timeout).map(drop).map_err(|error| error.to_string());
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn node(id: i32, port: u16) -> Node {
        Node { id, host: "127.0.0.1".to_owned(), port, rack: None }
    }

    fn status(unreachable: Option<&str>) -> Status {
        let broker = |id| Broker {
            node: node(id, 9192),
            leaders: 0,
            replicas: 0,
            unreachable: unreachable.map(str::to_owned),
        };
        Status {
            cluster_id: "abc".to_owned(),
            controller: Some(1000),
            shards_are_brokers: true,
            brokers: vec![broker(1000)],
            topics: 1,
            partitions: 0,
            partitions_without_leader: Vec::new(),
            under_replicated_partitions: Vec::new(),
        }
    }

    #[test]
    fn what_is_out_of_service_is_named() {
        let mut status = status(None);
        status.count("a-0".to_owned(), 1000, &[1000], &[1000]);
        assert_eq!((status.trouble(), status.brokers[0].leaders, status.brokers[0].replicas), (None, 1, 1));
        status.count("a-1".to_owned(), -1, &[1000], &[]);
        status.count("a-2".to_owned(), 1000, &[1000, 2000], &[1000]);
        let trouble =
            "the cluster is not healthy: 1 partitions have no leader, 1 partitions are under-replicated";
        assert_eq!(status.trouble().as_deref(), Some(trouble));
        let text = status.text();
        assert!(
            text.starts_with("cluster abc, controller 1000, 1 topics, 3 partitions\n\nbroker  address"),
            "{text}"
        );
        assert!(text.contains("Each shard") && text.contains("\nwithout leader: a-1\n"), "{text}");
        let json = serde_json::to_value(&status).unwrap();
        assert_eq!((&json["brokers"][0]["id"], &json["brokers"][0]["leaders"]), (&1000.into(), &2.into()));
    }

    #[test]
    fn long_lists_are_cut_for_people() {
        let many: Vec<String> = (0..25).map(|partition| format!("a-{partition}")).collect();
        assert!(named("without leader", &many).ends_with("a-19 and 5 more\n"));
        assert_eq!(named("without leader", &[]), "");
    }

    #[test]
    fn who_is_asked_can_be_reached_and_may_be_a_shard() {
        let gone = || Some("Connection refused".to_owned());
        let nodes = [node(7, 1), node(1000, 2), node(1001, 3)];
        assert_eq!(broker_to_ask(&nodes, &[None, None, None]), Some(1000));
        assert_eq!(broker_to_ask(&nodes, &[None, gone(), None]), Some(1001));
        assert_eq!(broker_to_ask(&nodes, &[None, gone(), gone()]), None);
        assert_eq!(broker_to_ask(&nodes[..2], &[None, None]), None);
    }

    #[test]
    fn a_closed_port_is_told() {
        let open = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = open.local_addr().unwrap().port();
        assert_eq!(probe(&[node(1, port)], Duration::from_secs(3)), [None]);
        drop(open);
        let told = probe(&[node(1, port)], Duration::from_secs(3));
        assert!(told[0].as_ref().is_some_and(|why| why.contains("refused")), "{told:?}");
        assert!(
            status(Some("Connection refused")).trouble().unwrap().contains("1 brokers cannot be reached")
        );
    }
}
