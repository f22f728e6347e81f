//! The broker's CPU time for a heartbeat, kernel and user, closed loop.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use corelane::protocol::messages::heartbeat::HeartbeatResponse;
use corelane::protocol::{ErrorCode, decode_response};

use crate::crowd::Crowd;
use crate::load::{Load, Pace, Work, millis};
use crate::machine::off_the_shard;
use crate::member::{HEARTBEAT_VERSION, Member, Subscription, await_coordinator};
use crate::process::CpuTime;
use crate::settings::add_defaults;
use crate::setup::{Node, Setup};
use crate::{table, wire};

/// Heartbeats in flight on each connection.
const IN_FLIGHT: [usize; 2] = [1, 5];
/// Members of the large group must notice soon that another has joined.
const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(50);

#[derive(Args)]
pub struct Arguments {
    /// Members whose heartbeats are sent: all in one group, and each in a group of its own.
    #[arg(long, default_value_t = 100)]
    members: usize,
    /// Connections of the load.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Each row is measured for this long.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// The members' heartbeats in turn.
struct Heartbeats {
    frames: Vec<Vec<u8>>,
    turn: usize,
}

impl Heartbeats {
    fn of(members: &[Member]) -> Self {
        let frame = |member: &Member| wire::frame(&member.heartbeat_request(), HEARTBEAT_VERSION);
        Heartbeats { frames: members.iter().map(frame).collect(), turn: 0 }
    }
}

impl Work for Heartbeats {
    fn request(&mut self, frame: &mut Vec<u8>) -> bool {
        self.turn = (self.turn + 1) % self.frames.len();
        frame.extend_from_slice(&self.frames[self.turn]);
        true
    }

    fn response(&mut self, frame: Bytes) {
        let (_, response) =
            decode_response::<HeartbeatResponse>(frame, HEARTBEAT_VERSION).expect("a heartbeat response");
        assert_eq!(response.error_code, ErrorCode::None, "the group has settled");
    }
}

pub fn run(setup: &mut Setup, arguments: &Arguments) {
    // Groups of one member need not wait for others.
    add_defaults(&mut setup.settings, &["group.initial.rebalance.delay.ms=0"]);
    let mut node = setup.new_node();
    let subscription = Subscription { topic: "consumed", partitions: arguments.members as i32 };
    node.create_topic(subscription.topic, subscription.partitions);
    await_coordinator(&node.broker.address);
    let rows = off_the_shard(|| measure(&node, arguments, &subscription));
    node.stop();
    let title = format!(
        "CPU time of the broker for heartbeats of {} members, closed loop on {} connections.",
        arguments.members, arguments.connections
    );
    let head = ["", "in flight", "requests/s", "us/request", "of it system", "p50, ms", "p99, ms"];
    table::print(&title, &head, &rows);
}

fn measure(node: &Node, arguments: &Arguments, subscription: &Subscription) -> Vec<Vec<String>> {
    let address = &node.broker.address;
    let mut alone: Vec<Member> = (0..arguments.members)
        .map(|number| Member::connect(address, &format!("group-{number}"), subscription))
        .collect();
    for member in &mut alone {
        member.enter();
    }
    let crowd = Crowd::start(address, "crowd", subscription, arguments.members, HEARTBEAT_INTERVAL);
    crowd.settled();
    let together = crowd.stop();
    let cases = [("each in a group of its own", &alone), ("all in one group", &together)];
    let rows =
        cases.iter().flat_map(|(name, members)| IN_FLIGHT.map(|in_flight| (*name, *members, in_flight)));
    rows.map(|(name, members, in_flight)| row(node, arguments, name, members, in_flight)).collect()
}

fn row(node: &Node, arguments: &Arguments, name: &str, members: &[Member], in_flight: usize) -> Vec<String> {
    let length = Duration::from_secs_f64(arguments.seconds);
    let mut load = Load::connect(&node.broker.address, arguments.connections);
    let mut work = Heartbeats::of(members);
    let before = CpuTime::of(&node.broker.process);
    let outcome = load.run(Pace::Closed { in_flight }, &mut work, |elapsed| elapsed < length);
    let cpu = CpuTime::of(&node.broker.process).since(before);
    let each_us = |seconds: f64| format!("{:.1}", seconds / outcome.times.len() as f64 * 1e6);
    vec![
        name.to_owned(),
        in_flight.to_string(),
        format!("{:.0}", outcome.per_second()),
        each_us(cpu.total()),
        each_us(cpu.system),
        format!("{:.2}", millis(&outcome.times, 0.5)),
        format!("{:.2}", millis(&outcome.times, 0.99)),
    ]
}
