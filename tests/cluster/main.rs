//! Brokers that are one cluster: real processes on loopback, started, killed and stopped.
//!
//! Nothing is expected within a time. A test asks until what must happen has happened; whoever runs the tests gives up
//! at some time.

mod client;
mod elections;
mod group;
mod load;
mod node;
mod replication;
mod stops;

use std::collections::BTreeSet;
use std::process::Command;

use client::{Client, INVALID_REPLICATION_FACTOR, NOT_CONTROLLER, Seen, TOPIC_ALREADY_EXISTS};
use node::{Machine, Node};

fn voters(machines: &[Machine]) -> String {
    machines.iter().map(Machine::voter).collect::<Vec<_>>().join(",")
}

fn start_all(machines: &mut [Machine]) -> Vec<Node> {
    let voters = voters(machines);
    // All at once: the first start waits for all voters.
    let spawned: Vec<Node> = machines.iter_mut().map(|machine| machine.spawn(&voters)).collect();
    spawned.into_iter().map(Node::ready).collect()
}

/// What a node's metadata says once it is as it should be.
fn until(node: &Node, what: &str, is_so: impl Fn(&Seen) -> bool) -> Seen {
    let mut client = Client::connect(&node.bootstrap);
    loop {
        let seen = client.metadata();
        if is_so(&seen) {
            return seen;
        }
        // Each question is a round trip over a socket, so this does not spin.
        assert!(!node.read_log().contains("out of service"), "{what}: {seen:?}: {}", node.read_log());
    }
}

/// Waits until all voters vote, the founder and those that have joined it: before that one of them may be indispensable.
/// What is created afterwards is behind that in the log.
fn until_all_vote(nodes: &[Node]) {
    let mut client = Client::connect(&nodes[0].bootstrap);
    loop {
        let logs: Vec<String> = nodes.iter().map(Node::read_log).collect();
        let words = logs.iter().flat_map(|log| log.split_whitespace());
        let joined: BTreeSet<&str> = words.filter(|word| word.contains("AddVoter(")).collect();
        if joined.len() + 1 >= nodes.len() {
            return;
        }
        client.metadata();
    }
}

/// Creates a topic at a node, whatever becomes of the controller meanwhile.
fn create(node: &Node, name: &str, partitions: i32) {
    let mut client = Client::connect(&node.bootstrap);
    loop {
        match client.create_topic(name, partitions, 1) {
            // An attempt of which nobody knew what became of it.
            0 => {
                assert!(client.metadata().leaders.contains_key(name), "who is told of a topic can use it");
                return;
            }
            TOPIC_ALREADY_EXISTS => return,
            // A storage error that says that the outcome is not known: a tool would ask again.
            NOT_CONTROLLER | 56 | 7 => {}
            other => panic!("error {other}: {}", node.read_log()),
        }
    }
}

fn has(topic: &str, partitions: usize) -> impl Fn(&Seen) -> bool {
    move |seen| {
        let leaders = seen.leaders.get(topic);
        leaders
            .is_some_and(|leaders| leaders.len() == partitions && leaders.iter().all(|leader| *leader >= 0))
    }
}

/// The node that was the active controller last, by the logs.
fn controller_of(nodes: &[Node]) -> usize {
    let term = |node: &Node| {
        let log = node.read_log();
        let line = log.lines().rfind(|line| line.contains("this node is the active controller"));
        let term = line
            .and_then(|line| line.rsplit("term=").next().and_then(|term| term.trim().parse::<u64>().ok()));
        term.unwrap_or(0)
    };
    let (at, _) = nodes.iter().enumerate().max_by_key(|(_, node)| term(node)).expect("there are nodes");
    at
}

#[test]
fn a_topic_that_one_broker_creates_is_at_all_of_them_and_outlives_the_controller() {
    let mut machines = Machine::all(3);
    let mut nodes = start_all(&mut machines);
    for node in &nodes {
        until(node, "all are there", |seen| seen.brokers == [1000, 2000, 3000]);
    }
    until_all_vote(&nodes);
    create(&nodes[0], "first", 6);
    let seen: Vec<Seen> = nodes.iter().map(|node| until(node, "it is known", has("first", 6))).collect();
    assert!(seen.iter().all(|other| *other == seen[0]), "{seen:?}");
    for broker in [1000, 2000, 3000] {
        let led = seen[0].leaders["first"].iter().filter(|leader| **leader == broker).count();
        assert_eq!(led, 2, "leaders are spread: {:?}", seen[0]);
    }
    let mut client = Client::connect(&nodes[1].bootstrap);
    let mut refused = NOT_CONTROLLER;
    while refused == NOT_CONTROLLER {
        refused = client.create_topic("copied", 1, 4);
    }
    assert_eq!(refused, INVALID_REPLICATION_FACTOR);

    let controller = controller_of(&nodes);
    nodes.remove(controller).kill();
    for node in &nodes {
        until(node, "who is gone is fenced", |seen| seen.brokers.len() == 2);
    }
    create(&nodes[1], "second", 1);
    for node in &nodes {
        until(node, "it is known", has("second", 1));
    }

    let voters = voters(&machines);
    nodes.insert(controller, machines[controller].spawn(&voters).ready());
    for node in &nodes {
        let seen =
            until(node, "who was gone leads again", |seen| seen.brokers.len() == 3 && has("first", 6)(seen));
        assert!(has("second", 1)(&seen));
    }
}

#[test]
fn a_node_that_was_alone_takes_others_in_and_everything_is_there_after_a_restart() {
    let mut machines = Machine::all(3);
    let alone = machines[1].spawn("").ready();
    create(&alone, "old", 3);
    let cluster_id = Client::connect(&alone.bootstrap).metadata().cluster_id;
    alone.terminate();
    for _ in 0..2 {
        let nodes = start_all(&mut machines);
        for node in &nodes {
            let seen = until(node, "the old topic is served", |seen| {
                seen.brokers == [1000, 2000, 3000] && has("old", 3)(seen)
            });
            assert_eq!((&seen.cluster_id, &seen.leaders["old"][..]), (&cluster_id, &[2000; 3][..]));
        }
        for node in nodes {
            node.terminate();
        }
    }
    // As if it was alone it does not start any more: what the others decided meanwhile would be lost.
    let refused = Command::new(env!("CARGO_BIN_EXE_corelane"))
        .args(["serve", "--node-id", "2", "--listen", "127.0.0.1:0", "--admin", "none", "--shards", "1"])
        .args(["--memory", "320MiB", "--set", "journal.bytes=48MiB", "--data-dir"])
        .arg(machines[1].data_dir())
        .output()
        .expect("the binary runs");
    let log = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && log.contains("`voters`"), "{log}");
}

#[test]
fn nodes_that_are_no_voters_follow() {
    let mut machines = Machine::all(2);
    let voters = machines[0].voter();
    let spawned: Vec<Node> = machines.iter_mut().map(|machine| machine.spawn(&voters)).collect();
    let nodes: Vec<Node> = spawned.into_iter().map(Node::ready).collect();
    for node in &nodes {
        until(node, "both are there", |seen| seen.brokers == [1000, 2000]);
    }
    create(&nodes[1], "of-both", 4);
    for node in &nodes {
        let seen = until(node, "it is known", has("of-both", 4));
        let led = seen.leaders["of-both"].iter().filter(|leader| **leader == 2000).count();
        assert_eq!(led, 2, "{seen:?}");
    }
}
