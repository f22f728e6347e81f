//! Commits of offsets a second on one shard, alone and while producers run, and what each notices of the other.

use std::time::Duration;

use clap::Args;

use crate::beside::{Producers, TIMES_HEAD, times_row};
use crate::commit::{Commits, TOPIC};
use crate::load::{Load, Outcome, Pace};
use crate::machine::off_the_shard;
use crate::member::await_coordinator;
use crate::setup::{Node, Setup};
use crate::table;

#[derive(Args)]
pub struct Arguments {
    /// Groups that commit, each request one of them at random.
    #[arg(long, default_value_t = 1000)]
    groups: u64,
    /// Offsets in each commit.
    #[arg(long, default_value_t = 1)]
    offsets: i32,
    /// Connections of those that commit.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Commits in flight on each connection, where as many are made as can be.
    #[arg(long, default_value_t = 5)]
    in_flight: usize,
    /// Each row is measured for this long.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    #[command(flatten)]
    producers: Producers,
}

pub fn run(setup: &mut Setup, arguments: &Arguments) {
    let mut node = setup.new_node();
    node.create_topic(TOPIC, arguments.offsets);
    await_coordinator(&node.broker.address);
    arguments.producers.prepare(&node);
    let rows = off_the_shard(|| measure(&node, arguments));
    node.stop();
    let title = format!(
        "Commits of {} offset(s) each, of {} groups on one shard, on {} connections; \"as many as can be\" is {} in \
         flight on each. Producers: {}.",
        arguments.offsets,
        arguments.groups,
        arguments.connections,
        arguments.in_flight,
        arguments.producers.describe()
    );
    table::print(&title, &TIMES_HEAD, &rows);
}

fn measure(node: &Node, arguments: &Arguments) -> Vec<Vec<String>> {
    let address = &node.broker.address;
    let length = Duration::from_secs_f64(arguments.seconds);
    let commit = |pace| commit(address, arguments, pace, length);
    let closed = Pace::Closed { in_flight: arguments.in_flight };
    // Loaded, and each group founded.
    let mut load = Load::connect(address, arguments.connections);
    load.run(closed, &mut Commits::of_each(arguments.groups, arguments.offsets), |_| true);

    let producers = &arguments.producers;
    let ((), undisturbed) = producers.beside(address, || std::thread::sleep(length));
    let alone = commit(closed);
    let (beside, disturbed) = producers.beside(address, || commit(closed));
    let half = Pace::Open { per_second: beside.per_second() / 2.0 };
    let (halved, less_disturbed) = producers.beside(address, || commit(half));
    vec![
        times_row("commits, as many as can be, alone", &alone),
        times_row("commits, as many as can be, beside producers", &beside),
        times_row("commits, half as many, open loop, beside producers", &halved),
        times_row("producers alone", &undisturbed),
        times_row("producers beside as many commits as can be", &disturbed),
        times_row("producers beside half as many", &less_disturbed),
    ]
}

fn commit(address: &str, arguments: &Arguments, pace: Pace, length: Duration) -> Outcome {
    let mut load = Load::connect(address, arguments.connections);
    let mut work = Commits::at_random(arguments.groups, arguments.offsets);
    load.run(pace, &mut work, |elapsed| elapsed < length)
}
