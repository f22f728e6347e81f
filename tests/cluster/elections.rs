//! Leadership goes back to where it belongs when somebody asks for it.

use super::client::{Client, Seen};
use super::node::Machine;
use super::replication::{create_copied, in_sync, leader, start_again};
use super::{start_all, until, until_all_vote};

/// ELECTION_NOT_NEEDED
const ELECTION_NOT_NEEDED: i16 = 84;

#[test]
fn a_preferred_leader_that_was_gone_leads_again_when_asked_for() {
    const TOPIC: &str = "copied";
    let mut machines = Machine::all(3);
    let mut nodes = start_all(&mut machines);
    until_all_vote(&nodes);
    create_copied(&nodes[0], TOPIC);
    let preferred = leader(&until(&nodes[0], "all copies are in sync", in_sync(TOPIC, 3)), TOPIC);
    nodes.remove(preferred).kill();
    until(&nodes[0], "another one leads", in_sync(TOPIC, 2));
    nodes.insert(preferred, start_again(&mut machines, preferred));
    let seen = until(&nodes[0], "it has caught up", in_sync(TOPIC, 3));
    assert_ne!(leader(&seen, TOPIC), preferred, "leadership does not move by itself");

    let mut client = Client::connect(&nodes[0].bootstrap);
    // Until there is a controller that hears it.
    while !matches!(client.elect_preferred(TOPIC), 0 | ELECTION_NOT_NEEDED) {}
    let leads = |node: usize| move |seen: &Seen| in_sync(TOPIC, 3)(seen) && leader(seen, TOPIC) == node;
    for node in &nodes {
        until(node, "the preferred one leads", leads(preferred));
    }
    while client.elect_preferred(TOPIC) != ELECTION_NOT_NEEDED {}
}
