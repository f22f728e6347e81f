//! All nodes are told to stop at once, as when a whole cluster is taken down.

use std::time::Duration;

use super::group::Member;
use super::load::{Load, check, read_all};
use super::node::{Machine, Node};
use super::replication::{bootstrap, create_copied, in_sync};
use super::{start_all, until, until_all_vote};

/// A stop waits twice for `shutdown.timeout`, which is 5 s, and then for the disk. The rest is for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn all_nodes_stop_at_once_and_nothing_is_lost() {
    const TOPIC: &str = "copied";
    let mut machines = Machine::all(3);
    let nodes = start_all(&mut machines);
    until_all_vote(&nodes);
    create_copied(&nodes[0], TOPIC);
    until(&nodes[0], "all copies are in sync", in_sync(TOPIC, 3));
    let load = Load::start(&bootstrap(&nodes), TOPIC);
    load.until_more(200);
    let member = Member::join(&bootstrap(&nodes), "readers", TOPIC);
    member.read(100);
    load.until_more(100);
    // While records are on their way, and a consumer waits for them.
    nodes.iter().for_each(Node::ask_to_stop);
    for node in nodes {
        let log = node.stopped_within(PATIENCE);
        assert!(log.contains("shard stopped"), "{log}");
    }
    drop(member);
    let acknowledged = load.abandon();
    let nodes = start_all(&mut machines);
    until(&nodes[0], "all are back", in_sync(TOPIC, 3));
    check(&acknowledged, &read_all(&bootstrap(&nodes), TOPIC));
    nodes.iter().for_each(Node::ask_to_stop);
    for node in nodes {
        node.stopped_within(PATIENCE);
    }
}
