//! Latency of durable produce while the broker does something else besides, in pairs: a measurement without it, one
//! with it, by turns, each after a start of its own on the same data. Open loop: times count from when a request was due.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use hdrhistogram::Histogram;

use crate::disturbance::{Disturbance, drain};
use crate::load::{Load, Pace, millis};
use crate::machine::off_the_shard;
use crate::produce::Produce;
use crate::restart::restart_with;
use crate::setup::{Node, Setup};
use crate::table;

/// The producers' topic.
pub const LIVE: &str = "live";
pub const LIVE_PARTITIONS: i32 = 16;
const CONNECTIONS: usize = 16;
const QUANTILES: [f64; 3] = [0.5, 0.99, 0.999];
/// Where the 99th percentile stands among them.
const P99: usize = 1;
/// The median of p99 with it is to be at most so many times that without it.
const TARGET_RATIO: f64 = 1.5;

#[derive(Args)]
pub struct Arguments {
    /// What disturbs.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "roll,retention,compaction,scrub,backlog"
    )]
    by: Vec<Disturbance>,
    /// Pairs of measurements for each.
    #[arg(long, default_value_t = 5)]
    pairs: usize,
    /// Requests a second.
    #[arg(long, default_value_t = 1000.0)]
    rate: f64,
    /// Length of each record; a batch holds one.
    #[arg(long, default_value_t = 4096)]
    pub record_bytes: usize,
    /// Each measurement takes so long.
    #[arg(long, default_value_t = 15.0)]
    pub seconds: f64,
    /// Load before each measurement.
    #[arg(long, default_value_t = 3.0)]
    pub warm_up: f64,
    /// What compaction reads and writes at most, in MiB a second.
    #[arg(long, default_value_t = 32)]
    pub compaction_mib: u64,
    /// What the scrub reads, in MiB a second.
    #[arg(long, default_value_t = 64)]
    pub scrub_mib: u64,
    /// Length of the segments that are compacted, scrubbed and drained, in MiB.
    #[arg(long, default_value_t = 16)]
    pub segment_mib: u64,
    /// Length of what the scrub and the consumer read, in MiB.
    #[arg(long, default_value_t = 1280)]
    pub backlog_mib: u64,
}

/// One measurement.
struct Half {
    times: Histogram<u64>,
    /// What was done besides in each second.
    done_per_second: f64,
}

/// All pairs of one disturbance.
struct Pairs {
    by: Disturbance,
    quiet: Vec<Half>,
    disturbed: Vec<Half>,
}

pub fn run(setup: &Setup, arguments: &Arguments) {
    let all: Vec<_> = arguments.by.iter().map(|&by| measure(setup, arguments, by)).collect();
    report(&all, arguments);
}

fn measure(setup: &Setup, arguments: &Arguments, by: Disturbance) -> Pairs {
    let mut node = setup.new_node_with(&by.settings(false, arguments));
    node.create_topic(LIVE, LIVE_PARTITIONS);
    by.prepare(&node, arguments);
    let mut pairs = Pairs { by, quiet: Vec::new(), disturbed: Vec::new() };
    for pair in 0..arguments.pairs {
        by.prepare_pair(&node, arguments, pair);
        pairs.quiet.push(half(&mut node, arguments, by, false));
        pairs.disturbed.push(half(&mut node, arguments, by, true));
        restart_with(&mut node, &by.settings(false, arguments));
    }
    node.stop();
    pairs
}

fn half(node: &mut Node, arguments: &Arguments, by: Disturbance, is_on: bool) -> Half {
    restart_with(node, &by.settings(is_on, arguments));
    let node = &*node;
    let (is_over, drained_bytes) = (AtomicBool::new(false), AtomicU64::new(0));
    off_the_shard(|| {
        std::thread::scope(|scope| {
            let _over = Over(&is_over);
            if is_on && by == Disturbance::Backlog {
                scope.spawn(|| drain(&node.broker.address, &is_over, &drained_bytes));
            }
            under_load(node, arguments, || by.done(node, arguments, &drained_bytes))
        })
    })
}

/// Ends what runs beside, also when the load has panicked.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn under_load(node: &Node, arguments: &Arguments, done: impl Fn() -> f64) -> Half {
    let mut load = Load::connect(&node.broker.address, CONNECTIONS);
    let mut each = Produce::to_each(LIVE, LIVE_PARTITIONS, arguments.record_bytes);
    load.run(Pace::Closed { in_flight: 1 }, &mut each, |_| true);
    let pace = Pace::Open { per_second: arguments.rate };
    let mut work = Produce::at_random(LIVE, LIVE_PARTITIONS, arguments.record_bytes, 2);
    let mut load_for = |seconds: f64| {
        let length = Duration::from_secs_f64(seconds);
        load.run(pace, &mut work, |elapsed| elapsed < length)
    };
    load_for(arguments.warm_up);
    let before = done();
    let outcome = load_for(arguments.seconds);
    let done_per_second = (done() - before) / outcome.sending.as_secs_f64();
    Half { times: outcome.times, done_per_second }
}

/// The middle one, or the mean of the two there.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = ((values.len() - 1) / 2, values.len() / 2);
    (values[low] + values[high]) / 2.0
}

fn quantiles(halves: &[Half], quantile: f64) -> Vec<f64> {
    halves.iter().map(|half| millis(&half.times, quantile)).collect()
}

fn report(all: &[Pairs], arguments: &Arguments) {
    let row = |name: &str, halves: &[Half], ratio: String, by: Disturbance| {
        let mut cells = vec![name.to_owned()];
        cells.extend(QUANTILES.map(|quantile| format!("{:.2}", median(quantiles(halves, quantile)))));
        let p99s = quantiles(halves, QUANTILES[P99]);
        let p99s = p99s.iter().map(|p99| format!("{p99:.2}")).collect::<Vec<_>>().join(" ");
        let done = median(halves.iter().map(|half| half.done_per_second).collect());
        [cells, vec![ratio, p99s, by.rate_in_words(done)]].concat()
    };
    let rows = all.iter().flat_map(|pairs| {
        let p99 = |halves: &[Half]| median(quantiles(halves, QUANTILES[P99]));
        let ratio = p99(&pairs.disturbed) / p99(&pairs.quiet);
        [
            row("quiet", &pairs.quiet, String::new(), pairs.by),
            row(pairs.by.name(), &pairs.disturbed, format!("{ratio:.2}"), pairs.by),
        ]
    });
    let title = format!(
        "Durable produce, open loop at {} requests of {} bytes a second, {} pairs by turns of {} s each, in ms: the \
         median of all measurements. The ratio is that of the medians of p99, to be at most {TARGET_RATIO}.",
        arguments.rate, arguments.record_bytes, arguments.pairs, arguments.seconds
    );
    let head = ["", "p50", "p99", "p99.9", "p99 ratio", "p99 by measurement", "meanwhile"];
    table::print(&title, &head, &rows.collect::<Vec<_>>());
}
