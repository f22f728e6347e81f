//! Copies on three nodes: the leader goes, and nothing acknowledged goes with it.

use super::client::{Client, INVALID_REPLICATION_FACTOR, NOT_CONTROLLER, Seen, TOPIC_ALREADY_EXISTS};
use super::load::{Load, check, read_all};
use super::node::{Machine, Node};
use super::{start_all, until, until_all_vote, voters};

/// Creates a topic with one partition on three nodes, two of which must have what is acknowledged.
pub fn create_copied(node: &Node, name: &str) {
    let mut client = Client::connect(&node.bootstrap);
    loop {
        match client.create_topic_with(name, 1, 3, &[("min.insync.replicas", "2")]) {
            0 | TOPIC_ALREADY_EXISTS => return,
            // A node that is fenced for a moment counts for none.
            NOT_CONTROLLER | INVALID_REPLICATION_FACTOR | 56 | 7 => {}
            other => panic!("error {other}: {}", node.read_log()),
        }
    }
}

/// Whether so many copies of a topic's only partition are in sync, and one leads.
pub fn in_sync(topic: &str, copies: usize) -> impl Fn(&Seen) -> bool {
    move |seen| {
        let leads = seen.leaders.get(topic).is_some_and(|leaders| leaders[0] >= 0);
        leads && seen.in_sync[topic][0].len() == copies
    }
}

/// The index of the node that leads a topic's only partition.
pub fn leader(seen: &Seen, topic: &str) -> usize {
    seen.leaders[topic][0] as usize / 1000 - 1
}

pub fn bootstrap(nodes: &[Node]) -> String {
    nodes.iter().map(|node| node.bootstrap.as_str()).collect::<Vec<_>>().join(",")
}

pub fn start_again(machines: &mut [Machine], index: usize) -> Node {
    let voters = voters(machines);
    machines[index].spawn(&voters).ready()
}

#[test]
fn what_was_acknowledged_outlives_its_leaders() {
    const TOPIC: &str = "copied";
    let mut machines = Machine::all(3);
    let mut nodes = start_all(&mut machines);
    until_all_vote(&nodes);
    create_copied(&nodes[0], TOPIC);
    let mut seen = until(&nodes[0], "all copies are in sync", in_sync(TOPIC, 3));
    let load = Load::start(&bootstrap(&nodes), TOPIC);
    load.until_more(200);
    // Every node leads once and is killed.
    for _ in 0..3 {
        let killed = leader(&seen, TOPIC);
        nodes.remove(killed).kill();
        load.until_more(200);
        nodes.insert(killed, start_again(&mut machines, killed));
        seen = until(&nodes[killed], "it has caught up", in_sync(TOPIC, 3));
        assert_ne!(leader(&seen, TOPIC), killed, "another one leads");
        load.until_more(50);
    }
    let acknowledged = load.stop();
    check(&acknowledged, &read_all(&bootstrap(&nodes), TOPIC));
    for node in nodes {
        node.terminate();
    }
    // Also after all of them were away.
    let nodes = start_all(&mut machines);
    until(&nodes[0], "somebody leads", in_sync(TOPIC, 3));
    check(&acknowledged, &read_all(&bootstrap(&nodes), TOPIC));
}

#[test]
fn who_stops_hands_over_first() {
    const TOPIC: &str = "copied";
    let mut machines = Machine::all(3);
    let mut nodes = start_all(&mut machines);
    until_all_vote(&nodes);
    create_copied(&nodes[0], TOPIC);
    let seen = until(&nodes[0], "all copies are in sync", in_sync(TOPIC, 3));
    let load = Load::start(&bootstrap(&nodes), TOPIC);
    load.until_more(100);
    let stopped = leader(&seen, TOPIC);
    let log = nodes.remove(stopped).terminate();
    assert!(log.contains("this node leads no partition any more"), "{log}");
    let seen = until(&nodes[0], "another one leads", in_sync(TOPIC, 2));
    assert_ne!(leader(&seen, TOPIC), stopped);
    load.until_more(100);
    nodes.insert(stopped, start_again(&mut machines, stopped));
    until(&nodes[stopped], "it has caught up", in_sync(TOPIC, 3));
    let acknowledged = load.stop();
    check(&acknowledged, &read_all(&bootstrap(&nodes), TOPIC));
}

#[test]
fn what_was_acknowledged_outlives_the_power_of_all_nodes() {
    const TOPIC: &str = "copied";
    let mut machines = Machine::all(3);
    let mut nodes = start_all(&mut machines);
    until_all_vote(&nodes);
    create_copied(&nodes[0], TOPIC);
    let seen = until(&nodes[0], "all copies are in sync", in_sync(TOPIC, 3));
    let load = Load::start(&bootstrap(&nodes), TOPIC);
    load.until_more(100);
    let follower = (leader(&seen, TOPIC) + 1) % 3;
    nodes.remove(follower).kill();
    load.until_more(100);
    nodes.insert(follower, start_again(&mut machines, follower));
    until(&nodes[follower], "it has caught up", in_sync(TOPIC, 3));
    load.until_more(100);
    nodes.drain(..).for_each(Node::kill);
    let acknowledged = load.abandon();
    let nodes = start_all(&mut machines);
    until(&nodes[0], "all are back", in_sync(TOPIC, 3));
    check(&acknowledged, &read_all(&bootstrap(&nodes), TOPIC));
    let load = Load::start(&bootstrap(&nodes), TOPIC);
    load.until_more(10);
    load.stop();
}
