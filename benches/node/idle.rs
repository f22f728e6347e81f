//! Memory and time to start with many partitions to which nothing happens.

use clap::Args;

use crate::load::{Load, Pace};
use crate::machine::settle;
use crate::process::{CpuTime, resident_bytes};
use crate::produce::Produce;
use crate::setup::{Node, Setup};
use crate::table;

const TOPIC: &str = "idle";
const EMPTY: &str = "none";
const MIB: f64 = (1 << 20) as f64;

#[derive(Args)]
pub struct Arguments {
    /// Number of partitions.
    #[arg(long, default_value_t = 10_000)]
    partitions: i32,
}

pub fn run(setup: &Setup, arguments: &Arguments) {
    let mut node = setup.new_node();
    node.stop();
    let mut rows = Vec::new();
    let mut restart = |node: &mut Node, name: &str| {
        let seconds = node.start().as_secs_f64();
        let before = CpuTime::of(&node.broker.process);
        settle();
        let idle = CpuTime::of(&node.broker.process).since(before).total();
        let mib = resident_bytes(&node.broker.process) as f64 / MIB;
        rows.push((name.to_owned(), mib, seconds, idle));
    };
    restart(&mut node, EMPTY);
    node.stop();
    restart(&mut node, EMPTY);
    node.create_topic(TOPIC, arguments.partitions);
    node.stop();
    restart(&mut node, "never written");
    let mut load = Load::connect(&node.broker.address, 8);
    let mut work = Produce::to_each(TOPIC, arguments.partitions, 100);
    load.run(Pace::Closed { in_flight: 5 }, &mut work, |_| true);
    drop(load);
    node.kill();
    restart(&mut node, "one record each, after kill -9");
    node.stop();
    restart(&mut node, "one record each, after a stop");
    node.stop();

    // What a start leaves to the allocator differs; the least is what an empty broker needs.
    let empty = rows.iter().filter(|row| row.0 == EMPTY).map(|row| row.1).fold(f64::INFINITY, f64::min);
    let cells = |(name, mib, seconds, idle): &(String, f64, f64, f64)| {
        let above = mib - empty;
        vec![
            name.clone(),
            format!("{mib:.0}"),
            format!("{above:.0}"),
            format!("{seconds:.2}"),
            format!("{idle:.2}"),
        ]
    };
    let title = format!("{} idle partitions.", arguments.partitions);
    let head = ["partitions are", "memory, MiB", "above empty, MiB", "start, s", "CPU in the first 0.5 s, s"];
    table::print(&title, &head, &rows.iter().map(cells).collect::<Vec<_>>());
}
