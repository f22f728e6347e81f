//! Memory of a partition, by what happens to it: from outside, as the process's resident memory above that of an empty
//! broker.

use clap::Args;

use crate::load::{Load, Pace};
use crate::machine::settle;
use crate::metrics::{self, ADMIN_LISTEN};
use crate::process::resident_bytes;
use crate::produce::Produce;
use crate::restart::restart_with;
use crate::setup::{Node, Setup};
use crate::table;

const TOPIC: &str = "partitions";
const SMALL_RECORD_BYTES: usize = 100;
const CONNECTIONS: usize = 8;
const IN_FLIGHT: usize = 5;
const KIB: f64 = 1024.0;

#[derive(Args)]
pub struct Arguments {
    /// Number of partitions.
    #[arg(long, default_value_t = 10_000)]
    partitions: i32,
    /// Length of the record that makes a partition dirty, in KiB.
    #[arg(long, default_value_t = 8)]
    dirty_kib: usize,
}

/// What was seen of one state.
struct Row {
    state: String,
    resident_bytes: f64,
    /// Of the partitions' tails, and of the whole blocks of them that are in no segment, as the broker counts them.
    tail_bytes: f64,
    dirty_bytes: f64,
}

pub fn run(setup: &Setup, arguments: &Arguments) {
    let own = [(ADMIN_LISTEN.0, ADMIN_LISTEN.1.to_owned())];
    let mut node = setup.new_node_with(&own);
    // What a start leaves to the allocator differs; the least is what an empty broker needs.
    let restart = |node: &mut Node, state: &str| {
        restart_with(node, &own);
        look(node, state)
    };
    let empty: Vec<_> = (0..2).map(|_| restart(&mut node, "")).collect();
    let empty_bytes = empty.iter().map(|row| row.resident_bytes).fold(f64::INFINITY, f64::min);
    node.create_topic(TOPIC, arguments.partitions);
    let mut rows = vec![restart(&mut node, "idle: never written")];
    write_each(&node, arguments.partitions, SMALL_RECORD_BYTES);
    rows.push(restart(&mut node, "idle: nothing since the start"));
    write_each(&node, arguments.partitions, SMALL_RECORD_BYTES);
    rows.push(look(&node, "active: a record of 100 bytes since then"));
    restart(&mut node, "");
    write_each(&node, arguments.partitions, arguments.dirty_kib << 10);
    rows.push(look(&node, &format!("dirty: a record of {} KiB since then", arguments.dirty_kib)));
    node.stop();
    report(&rows, empty_bytes, arguments.partitions);
}

fn write_each(node: &Node, partitions: i32, record_bytes: usize) {
    let mut load = Load::connect(&node.broker.address, CONNECTIONS);
    let mut work = Produce::to_each(TOPIC, partitions, record_bytes);
    load.run(Pace::Closed { in_flight: IN_FLIGHT }, &mut work, |_| true);
}

fn look(node: &Node, state: &str) -> Row {
    settle();
    let budget = |name: &str| {
        metrics::sum(node, &format!("corelane_budget_used_bytes{{shard=\"0\",budget=\"{name}\"}}"))
    };
    Row {
        state: state.to_owned(),
        tail_bytes: budget("tails"),
        dirty_bytes: budget("dirty"),
        resident_bytes: resident_bytes(&node.broker.process) as f64,
    }
}

fn report(rows: &[Row], empty_bytes: f64, partitions: i32) {
    let each = |bytes: f64| format!("{:.2}", bytes / KIB / f64::from(partitions));
    let cells = |row: &Row| {
        let resident = format!("{:.0}", row.resident_bytes / KIB / KIB);
        let rest = [row.resident_bytes - empty_bytes, row.tail_bytes, row.dirty_bytes].map(each);
        [vec![row.state.clone(), resident], rest.to_vec()].concat()
    };
    let title = format!(
        "{partitions} partitions of one shard. Above an empty broker ({:.0} MiB), in KiB for each partition; of that, what \
         the broker counts as tails, and as dirty.",
        empty_bytes / KIB / KIB
    );
    let head = ["partitions are", "memory, MiB", "above empty", "tails", "dirty"];
    table::print(&title, &head, &rows.iter().map(cells).collect::<Vec<_>>());
}
