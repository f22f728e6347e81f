//! Whether CPUs, network cards and disks are near each other.

use std::collections::BTreeSet;
use std::path::Path;

use super::device::{Device, disks, network_cards};
use super::finding::{Finding, Topic};
use super::machine::Use;
use super::mounts::mount_of;
use super::tree::Tree;
use crate::config::format_cpus;

const NODES: Topic = Topic {
    subject: "NUMA nodes",
    why: "Each record crosses from the network card to a shard's CPU and from there to the disk. Between NUMA nodes \
          that costs latency and the bandwidth of the link.",
};
const BALANCING: Topic = Topic {
    subject: "NUMA balancing",
    why: "It unmaps memory now and then to see who uses it. Shards are pinned and allocate where they run, so there \
          is nothing to gain from its page faults.",
};

/// Looks at NUMA nodes.
pub fn check(tree: &Tree, used: &Use) -> Vec<Finding> {
    vec![nodes(tree, used), balancing(tree)]
}

/// The nodes with their CPUs.
fn nodes_of(tree: &Tree) -> Vec<(usize, Vec<usize>)> {
    let directory = Path::new("sys/devices/system/node");
    let node = |name: &String| {
        let number = name.strip_prefix("node")?.parse().ok()?;
        Some((number, tree.cpus(directory.join(name).join("cpulist"))?))
    };
    tree.names(directory).iter().filter_map(node).collect()
}

fn nodes(tree: &Tree, used: &Use) -> Finding {
    let nodes = nodes_of(tree);
    let nodes_used: BTreeSet<usize> = nodes
        .iter()
        .filter(|(_, cpus)| cpus.iter().any(|cpu| used.cpus.contains(cpu)))
        .map(|(node, _)| *node)
        .collect();
    if nodes.len() < 2 {
        return if nodes.is_empty() {
            NODES.unknown("the nodes are not told")
        } else {
            NODES.ok("there is one")
        };
    }
    let elsewhere: Vec<(String, usize)> = devices(tree, used)
        .into_iter()
        .filter_map(|device| Some((device.name.clone(), device.node(tree)?)))
        .filter(|(_, node)| nodes_used.iter().any(|used| used != node))
        .collect();
    let shards = format!("shards run on node {}", words(nodes_used.iter()));
    let Some((_, near)) = elsewhere.first() else {
        return NODES.ok(format!("{shards}, and no card or disk that they use is known to be elsewhere"));
    };
    let list: Vec<String> =
        elsewhere.iter().map(|(name, node)| format!("{name} is on node {node}")).collect();
    let cpus =
        nodes.iter().find(|(node, _)| node == near).map(|(_, cpus)| format_cpus(cpus)).unwrap_or_default();
    NODES.advice(
        format!("{shards}; {}", list.join(", ")),
        format!("corelane serve --cpus {cpus}, the CPUs of node {near}, or some of them"),
    )
}

fn devices(tree: &Tree, used: &Use) -> Vec<Device> {
    let mut devices = network_cards(tree);
    let mounts = used.places.iter().filter_map(|place| mount_of(tree, &place.path));
    devices.extend(mounts.flat_map(|mount| disks(tree, &mount.device)));
    devices
}

fn balancing(tree: &Tree) -> Finding {
    match (tree.number("proc/sys/kernel/numa_balancing"), nodes_of(tree).len()) {
        (None, _) => BALANCING.unknown("this kernel has none"),
        (Some(1..), 2..) => BALANCING.advice("on", "sysctl -w kernel.numa_balancing=0"),
        (Some(1..), _) => BALANCING.ok("on, but there is one node"),
        (Some(_), _) => BALANCING.ok("off"),
    }
}

fn words<'a>(numbers: impl Iterator<Item = &'a usize>) -> String {
    let words: Vec<String> = numbers.map(usize::to_string).collect();
    words.join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Status::*;
    use crate::check::testing::{machine, of, using};

    fn two_nodes(card_node: &str, cpus: &[usize]) -> (crate::check::Status, String) {
        let (_kept, tree) = machine(&[
            ("sys/devices/system/node/node0/cpulist", "0-3"),
            ("sys/devices/system/node/node1/cpulist", "4-7"),
            ("sys/devices/pci0/net/eth0/operstate", "up"),
            ("sys/devices/pci0/net/eth0/device", "-> ../.."),
            ("sys/devices/pci0/numa_node", card_node),
            ("sys/class/net/eth0", "-> ../../devices/pci0/net/eth0"),
            ("proc/sys/kernel/numa_balancing", "1"),
        ]);
        let findings = check(&tree, &using(cpus));
        assert_eq!(of(&findings, "NUMA balancing").0, Advice);
        of(&findings, "NUMA nodes")
    }

    #[test]
    fn a_card_on_another_node_is_found() {
        assert_eq!(two_nodes("1", &[4, 5]).0, Ok);
        assert_eq!(two_nodes("-1", &[4, 5]).0, Ok, "not told");
        for cpus in [&[0, 1][..], &[0, 4][..]] {
            let (status, text) = two_nodes("1", cpus);
            assert!(
                status == Advice && text.contains("eth0 is on node 1") && text.contains("--cpus 4-7"),
                "{text}"
            );
        }
    }

    #[test]
    fn one_node_needs_nothing() {
        let (_kept, tree) = machine(&[
            ("sys/devices/system/node/node0/cpulist", "0-3"),
            ("proc/sys/kernel/numa_balancing", "1"),
        ]);
        let findings = check(&tree, &using(&[0]));
        assert_eq!(of(&findings, "NUMA nodes").0, Ok);
        assert_eq!(of(&findings, "NUMA balancing").0, Ok);
    }
}
