//! kill -9 when the journal is fullest, with a log of some size: how long until every partition has been produced to
//! and fetched from.

use std::time::{Duration, Instant};

use clap::Args;

use crate::consumer::{Consumer, fetch_request};
use crate::journal::Journal;
use crate::load::{Load, Pace};
use crate::machine::off_the_shard;
use crate::produce::Produce;
use crate::setup::{Node, Setup};
use crate::table;

const TOPIC: &str = "recovery";
const MIB: u64 = 1 << 20;
const LARGE_RECORD_BYTES: usize = 512 << 10;
const SMALL_RECORD_BYTES: usize = 1 << 10;
const CONNECTIONS: usize = 16;
const IN_FLIGHT: usize = 5;
/// Fuller than this share of what was seen before is taken for fullest,
const FULLEST: f64 = 0.97;
/// less so much for each second that it does not come so far: the log must not grow without end meanwhile.
const LESS_PER_SECOND: f64 = 0.05;
/// How often the journal is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Args)]
pub struct Arguments {
    /// Numbers of partitions.
    #[arg(long, value_delimiter = ',', default_value = "1,1000")]
    partitions: Vec<i32>,
    /// Length of the whole log, in MiB.
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// Load of small batches during which the fullest journal is looked for.
    #[arg(long, default_value_t = 10.0)]
    load_seconds: f64,
}

pub fn run(setup: &Setup, arguments: &Arguments) {
    let rows: Vec<_> = arguments.partitions.iter().map(|&count| measure(setup, arguments, count)).collect();
    let title = format!(
        "kill -9 under load, {} MiB of log and more. From the start of the process, in s.",
        arguments.mib
    );
    let head =
        ["partitions", "journal to replay, MiB", "of, MiB", "serves", "all produced to", "all fetched from"];
    table::print(&title, &head, &rows);
}

fn measure(setup: &Setup, arguments: &Arguments, partitions: i32) -> Vec<String> {
    let mut node = setup.new_node();
    node.create_topic(TOPIC, partitions);
    off_the_shard(|| fill(&node, arguments.mib, partitions));
    let mut journal = Journal::open(&node.data());
    off_the_shard(|| load_until_fullest(&mut node, &mut journal, arguments.load_seconds, partitions));
    let live_bytes = journal.live_bytes();

    let started = Instant::now();
    node.start();
    let serves = started.elapsed();
    let mut load = Load::connect(&node.broker.address, CONNECTIONS);
    let mut work = Produce::to_each(TOPIC, partitions, SMALL_RECORD_BYTES);
    load.run(Pace::Closed { in_flight: IN_FLIGHT }, &mut work, |_| true);
    let produced = started.elapsed();
    let mut consumer = Consumer::connect(&node.broker.address);
    for partition in 0..partitions {
        let (bytes, _) = consumer.fetch(&fetch_request(TOPIC, partition, 0, SMALL_RECORD_BYTES), 0);
        assert!(bytes > 0, "every partition had records before");
    }
    let fetched = started.elapsed();
    node.stop();
    let mib = |bytes| format!("{}", bytes / MIB);
    let seconds = |duration: Duration| format!("{:.2}", duration.as_secs_f64());
    let mut cells = vec![partitions.to_string(), mib(live_bytes), mib(journal.bytes())];
    cells.extend([serves, produced, fetched].map(seconds));
    cells
}

fn fill(node: &Node, mib: u64, partitions: i32) {
    let mut load = Load::connect(&node.broker.address, CONNECTIONS);
    let pace = Pace::Closed { in_flight: 1 };
    let mut each = Produce::to_each(TOPIC, partitions, SMALL_RECORD_BYTES);
    load.run(pace, &mut each, |_| true);
    let batches = mib * MIB / LARGE_RECORD_BYTES as u64;
    let mut work = Produce::at_random(TOPIC, partitions, LARGE_RECORD_BYTES, 1).limit(batches);
    load.run(pace, &mut work, |_| true);
}

/// Kills the broker amid small batches when the journal is as full as it gets.
fn load_until_fullest(node: &mut Node, journal: &mut Journal, seconds: f64, partitions: i32) {
    let address = node.broker.address.clone();
    let (watched, mut fullest) = (Duration::from_secs_f64(seconds), 0);
    let mut look_at = Duration::ZERO;
    let load = Load::connect(&address, CONNECTIONS);
    let mut work = Produce::at_random(TOPIC, partitions, SMALL_RECORD_BYTES, 2);
    let mut is_killed = false;
    load.run_unanswered(Pace::Closed { in_flight: IN_FLIGHT }, &mut work, |elapsed| {
        if elapsed < look_at {
            return true;
        }
        look_at = elapsed + LOOK_INTERVAL;
        let live = journal.live_bytes();
        let late = elapsed.saturating_sub(watched).as_secs_f64();
        if elapsed > watched && live as f64 >= fullest as f64 * (FULLEST - late * LESS_PER_SECOND) {
            node.kill();
            is_killed = true;
        }
        fullest = fullest.max(live);
        !is_killed
    });
}
