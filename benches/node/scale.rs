//! Latency of durable produce over the number of partitions: small batches at random partitions, the same total rate
//! for every number, half of what one partition sustains. Open loop: times count from when a request was due.

use std::time::Duration;

use clap::Args;
use hdrhistogram::Histogram;

use crate::journal::Journal;
use crate::load::{Load, Outcome, Pace, millis, new_histogram};
use crate::machine::off_the_shard;
use crate::produce::Produce;
use crate::setup::{Node, Setup};
use crate::table;

const TOPIC: &str = "scale";
/// A measurement that does not get on ends after this many times its length.
const OVERTIME: u32 = 20;
/// Journal files are looked at this often.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Args)]
pub struct Arguments {
    /// Numbers of partitions; the first is what the others are compared with.
    #[arg(long, value_delimiter = ',', default_value = "1,16,100,1000,10000")]
    partitions: Vec<i32>,
    /// Length of each record; a batch holds one.
    #[arg(long, default_value_t = 1024)]
    record_bytes: usize,
    /// Connections of the load.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Requests in flight on each connection while the rate is being found.
    #[arg(long, default_value_t = 5)]
    in_flight: usize,
    /// Requests a second, instead of half of what one partition sustains.
    #[arg(long)]
    rate: Option<f64>,
    /// Measure for at least this long.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Load before the measurement.
    #[arg(long, default_value_t = 5.0)]
    warm_up: f64,
    /// Measure until the journal has been recycled this many times.
    #[arg(long, default_value_t = 3.0)]
    recycle: f64,
    /// How often every number is measured, in turn, each time on a new data directory.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
}

/// All measurements of one number of partitions.
struct Row {
    partitions: i32,
    times: Histogram<u64>,
    /// The 99th percentile of each round, in ms.
    p99s: Vec<f64>,
    per_second: f64,
    recycled: f64,
}

pub fn run(setup: &Setup, arguments: &Arguments) {
    let rate = arguments.rate.unwrap_or_else(|| sustained(setup, arguments) / 2.0);
    let new_row = |&partitions| Row {
        partitions,
        times: new_histogram(),
        p99s: Vec::new(),
        per_second: f64::INFINITY,
        recycled: f64::INFINITY,
    };
    let mut rows: Vec<Row> = arguments.partitions.iter().map(new_row).collect();
    for _ in 0..arguments.rounds {
        for row in &mut rows {
            let (outcome, recycled) = measure(setup, arguments, row.partitions, rate);
            row.p99s.push(millis(&outcome.times, 0.99));
            row.times.add(outcome.times).expect("the same bounds");
            row.per_second =
                row.per_second.min(outcome.sending.as_secs_f64().recip() * outcome.answered as f64);
            row.recycled = row.recycled.min(recycled);
        }
    }
    report(&rows, rate);
}

/// Requests a second with as many in flight as the connections allow, for as long as the measurements take.
fn sustained(setup: &Setup, arguments: &Arguments) -> f64 {
    let pace = Pace::Closed { in_flight: arguments.in_flight };
    let (outcome, _) = under_load(setup, arguments, arguments.partitions[0], pace);
    outcome.per_second()
}

fn measure(setup: &Setup, arguments: &Arguments, partitions: i32, rate: f64) -> (Outcome, f64) {
    under_load(setup, arguments, partitions, Pace::Open { per_second: rate })
}

/// A new node under load: what came of it, and how often the journal was recycled meanwhile.
fn under_load(setup: &Setup, arguments: &Arguments, partitions: i32, pace: Pace) -> (Outcome, f64) {
    let mut node = setup.new_node();
    node.create_topic(TOPIC, partitions);
    let result = off_the_shard(|| drive(&node, arguments, partitions, pace));
    node.stop();
    result
}

fn drive(node: &Node, arguments: &Arguments, partitions: i32, pace: Pace) -> (Outcome, f64) {
    let mut load = Load::connect(&node.broker.address, arguments.connections);
    let closed = Pace::Closed { in_flight: arguments.in_flight };
    load.run(closed, &mut Produce::to_each(TOPIC, partitions, arguments.record_bytes), |_| true);
    let mut work = Produce::at_random(TOPIC, partitions, arguments.record_bytes, partitions as u64);
    let warm_up = Duration::from_secs_f64(arguments.warm_up);
    load.run(pace, &mut work, |elapsed| elapsed < warm_up);

    let journal = Journal::open(&node.data());
    let start = journal.rounds();
    let least = Duration::from_secs_f64(arguments.seconds);
    let mut look_at = least;
    let outcome = load.run(pace, &mut work, |elapsed| {
        if elapsed < look_at {
            return true;
        }
        look_at = elapsed + LOOK_INTERVAL;
        journal.rounds() - start < arguments.recycle && elapsed < least * OVERTIME
    });
    (outcome, journal.rounds() - start)
}

fn report(rows: &[Row], rate: f64) {
    let base = millis(&rows[0].times, 0.99);
    let cells = |row: &Row| {
        let mut cells = vec![row.partitions.to_string()];
        cells.extend([0.5, 0.99, 0.999].map(|quantile| format!("{:.2}", millis(&row.times, quantile))));
        cells.push(format!("{:.2}", millis(&row.times, 0.99) / base));
        cells.push(row.p99s.iter().map(|p99| format!("{p99:.2}")).collect::<Vec<_>>().join(" "));
        cells.extend([format!("{:.0}", row.per_second), format!("{:.1}", row.recycled)]);
        cells
    };
    let title = format!(
        "Durable produce, open loop at {rate:.0} requests a second in all. Times in ms over all rounds; the last two \
         columns are the least of all rounds."
    );
    let head =
        ["partitions", "p50", "p99", "p99.9", "p99 ratio", "p99 by round", "answered/s", "journal recycled"];
    table::print(&title, &head, &rows.iter().map(cells).collect::<Vec<_>>());
}
