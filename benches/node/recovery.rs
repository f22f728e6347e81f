//! kill -9 under load, by how full the journal is, with a log of some size: how long until every partition has been
//! produced to and fetched from, beside how long it takes to read the same bytes without a broker.

use std::time::{Duration, Instant};

use clap::Args;

use crate::consumer::{Consumer, fetch_request};
use crate::direct_read::read_parts;
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
/// What is read at once without a broker.
const READ_BYTES: usize = 1 << 20;
/// Fuller than this share of what was seen before is taken for fullest,
const FULLEST: f64 = 0.97;
/// less so much for each second that it does not come so far: the log must not grow without end meanwhile.
const LESS_PER_SECOND: f64 = 0.05;
/// How often the journal is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Args)]
pub struct Arguments {
    /// Numbers of partitions.
    #[arg(long, value_delimiter = ',', default_value = "1,1000,10000")]
    partitions: Vec<i32>,
    /// How full the journal is to be, in percent of as full as it gets; the first, which says how full that is, is 100.
    #[arg(long, value_delimiter = ',', default_value = "100,50,10")]
    fills: Vec<u64>,
    /// Length of the whole log, in MiB.
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// Load of small batches during which a journal that is as full as asked for, or the fullest, is looked for.
    #[arg(long, default_value_t = 10.0)]
    load_seconds: f64,
}

pub fn run(setup: &Setup, arguments: &Arguments) {
    assert_eq!(arguments.fills.first(), Some(&100), "the fullest journal comes first");
    let rows: Vec<_> =
        arguments.partitions.iter().flat_map(|&count| measure_all(setup, arguments, count)).collect();
    let title = format!(
        "kill -9 under load, {} MiB of log and more. From the start of the process, in s; \"read\" is a plain direct read \
         of what is replayed, and of the checkpoint, without a broker.",
        arguments.mib
    );
    let head = [
        "partitions",
        "journal to replay, MiB",
        "of, MiB",
        "checkpoint, KiB",
        "read",
        "serves",
        "all produced to",
        "all fetched from",
        "serves / read",
    ];
    table::print(&title, &head, &rows);
}

/// With each fill, on a log that grows a little from one to the next.
fn measure_all(setup: &Setup, arguments: &Arguments, partitions: i32) -> Vec<Vec<String>> {
    // The records' timestamps are of 1970.
    let mut node = setup.new_node_with(&[("log.retention.ms", "-1".to_owned())]);
    node.create_topic(TOPIC, partitions);
    off_the_shard(|| fill(&node, arguments.mib, partitions));
    let (mut fullest, mut rows) = (None, Vec::new());
    for percent in &arguments.fills {
        // Its end writes everything back, and the journal is nearly empty.
        node.stop();
        node.start();
        let mut journal = Journal::open(&node.data());
        let wanted_bytes = fullest.map_or(u64::MAX, |fullest: u64| fullest * percent / 100);
        let (row, live_bytes) = measure(&mut node, &mut journal, arguments, partitions, wanted_bytes);
        rows.push(row);
        fullest = fullest.or(Some(live_bytes));
    }
    node.stop();
    rows
}

/// The row, and how much of the journal was to be replayed.
fn measure(
    node: &mut Node,
    journal: &mut Journal,
    arguments: &Arguments,
    partitions: i32,
    wanted_bytes: u64,
) -> (Vec<String>, u64) {
    off_the_shard(|| load_until(node, journal, wanted_bytes, arguments.load_seconds, partitions));
    let (live_bytes, checkpoint_bytes) = (journal.live_bytes(), journal.checkpoint_bytes());
    let started = Instant::now();
    read_parts(&journal.live_parts(), READ_BYTES);
    let read = started.elapsed();

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
    let mib = |bytes| format!("{}", bytes / MIB);
    let seconds = |duration: Duration| format!("{:.2}", duration.as_secs_f64());
    let mut cells = vec![partitions.to_string(), mib(live_bytes), mib(journal.bytes())];
    cells.push(format!("{}", checkpoint_bytes >> 10));
    cells.extend([read, serves, produced, fetched].map(seconds));
    cells.push(format!("{:.2}", serves.as_secs_f64() / read.as_secs_f64()));
    (cells, live_bytes)
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

/// Kills the broker amid small batches when so much of the journal would be replayed, or when it is as full as it gets.
fn load_until(node: &mut Node, journal: &mut Journal, wanted_bytes: u64, seconds: f64, partitions: i32) {
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
        let is_fullest =
            elapsed > watched && live as f64 >= fullest as f64 * (FULLEST - late * LESS_PER_SECOND);
        if live >= wanted_bytes || is_fullest {
            node.kill();
            is_killed = true;
        }
        fullest = fullest.max(live);
        !is_killed
    });
}
