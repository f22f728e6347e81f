//! Fetch of a backlog that is on disk only, by one consumer and by four, beside plain direct reads of the same files;
//! and what it does to producers.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use hdrhistogram::Histogram;

use crate::consumer::Consumer;
use crate::direct_read;
use crate::load::{Load, Pace, millis, new_histogram};
use crate::machine::off_the_shard;
use crate::produce::Produce;
use crate::setup::{Node, Setup};
use crate::table;

const BACKLOG: &str = "backlog";
const LIVE: &str = "live";
const MIB: u64 = 1 << 20;
/// Consumers at most, each with a partition of its own.
const PARTITIONS: i32 = 4;
const LIVE_PARTITIONS: i32 = 16;
const LIVE_RECORD_BYTES: usize = 1 << 10;
const LIVE_CONNECTIONS: usize = 8;

#[derive(Args)]
pub struct Arguments {
    /// Length of the backlog, in MiB.
    #[arg(long, default_value_t = 512)]
    mib: u64,
    /// Length of the backlog's batches, in KiB.
    #[arg(long, default_value_t = 64)]
    batch_kib: usize,
    /// What a consumer asks for at once, in KiB.
    #[arg(long, default_value_t = 1024)]
    fetch_kib: usize,
    /// Requests a second of the producers beside the consumers, open loop, 1 KiB each.
    #[arg(long, default_value_t = 1000.0)]
    rate: f64,
    /// Producers alone are measured for this long.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How often everything is measured, in turn.
    #[arg(long, default_value_t = 2)]
    rounds: usize,
}

/// Bytes and the time that they took.
#[derive(Clone, Copy, Default)]
struct Speed {
    bytes: u64,
    time: Duration,
}

/// With one number of readers.
struct Row {
    readers: usize,
    direct: Speed,
    fetch: Speed,
    fetch_beside: Speed,
    /// Of the producers beside them.
    times: Histogram<u64>,
}

pub fn run(setup: &Setup, arguments: &Arguments) {
    let mut node = setup.new_node();
    node.create_topic(BACKLOG, PARTITIONS);
    node.create_topic(LIVE, LIVE_PARTITIONS);
    off_the_shard(|| fill(&node, arguments));
    // Nothing of it is in the new process's memory.
    node.stop();
    node.start();
    let segments = direct_read::segments(&node.data(), BACKLOG, PARTITIONS);
    let new_row = |readers| Row {
        readers,
        direct: Speed::default(),
        fetch: Speed::default(),
        fetch_beside: Speed::default(),
        times: new_histogram(),
    };
    let mut alone = new_histogram();
    let mut rows = [1, PARTITIONS as usize].map(new_row);
    off_the_shard(|| {
        for _ in 0..arguments.rounds {
            alone.add(producers_alone(&node, arguments)).expect("the same bounds");
            rows.iter_mut().for_each(|row| measure(row, &node, &segments, arguments));
        }
    });
    node.stop();
    report(&alone, &rows, arguments);
}

fn fill(node: &Node, arguments: &Arguments) {
    let record_bytes = arguments.batch_kib << 10;
    let mut load = Load::connect(&node.broker.address, LIVE_CONNECTIONS);
    let batches = arguments.mib * MIB / record_bytes as u64;
    let mut work = Produce::at_random(BACKLOG, PARTITIONS, record_bytes, 1).limit(batches);
    load.run(Pace::Closed { in_flight: 2 }, &mut work, |_| true);
}

fn measure(row: &mut Row, node: &Node, segments: &[Vec<PathBuf>], arguments: &Arguments) {
    let fetch_bytes = arguments.fetch_kib << 10;
    let direct = |partition: usize| direct_read::read_all(&segments[partition], fetch_bytes);
    let fetch = |partition: usize| {
        let mut consumer = Consumer::connect(&node.broker.address);
        consumer.read_all(BACKLOG, partition as i32, fetch_bytes)
    };
    row.direct.add(timed(row.readers, &direct));
    row.fetch.add(timed(row.readers, &fetch));
    let is_done = AtomicBool::new(false);
    let (speed, times) = std::thread::scope(|scope| {
        let producers = scope.spawn(|| produce(node, arguments, |_| !is_done.load(Ordering::Relaxed)));
        let speed = timed(row.readers, &fetch);
        is_done.store(true, Ordering::Relaxed);
        (speed, producers.join().expect("it says why"))
    });
    row.fetch_beside.add(speed);
    row.times.add(times).expect("the same bounds");
}

/// Reads all partitions with as many readers.
fn timed(readers: usize, read: &(dyn Fn(usize) -> u64 + Sync)) -> Speed {
    let started = Instant::now();
    let bytes = std::thread::scope(|scope| {
        let read_some = |reader| (reader..PARTITIONS as usize).step_by(readers).map(read).sum::<u64>();
        let threads: Vec<_> = (0..readers).map(|reader| scope.spawn(move || read_some(reader))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it says why")).sum()
    });
    Speed { bytes, time: started.elapsed() }
}

fn producers_alone(node: &Node, arguments: &Arguments) -> Histogram<u64> {
    let length = Duration::from_secs_f64(arguments.seconds);
    produce(node, arguments, |elapsed| elapsed < length)
}

fn produce(node: &Node, arguments: &Arguments, goes_on: impl FnMut(Duration) -> bool) -> Histogram<u64> {
    let mut load = Load::connect(&node.broker.address, LIVE_CONNECTIONS);
    let mut work = Produce::at_random(LIVE, LIVE_PARTITIONS, LIVE_RECORD_BYTES, 2);
    load.run(Pace::Open { per_second: arguments.rate }, &mut work, goes_on).times
}

impl Speed {
    fn add(&mut self, other: Speed) {
        self.bytes += other.bytes;
        self.time += other.time;
    }

    fn mb_per_second(self) -> f64 {
        self.bytes as f64 / 1e6 / self.time.as_secs_f64()
    }
}

fn report(alone: &Histogram<u64>, rows: &[Row], arguments: &Arguments) {
    let title = format!(
        "Cold reads of {} MiB in batches of {} KiB, {} KiB a fetch, in MB/s. The last column: beside producers of {} \
         requests a second.",
        arguments.mib, arguments.batch_kib, arguments.fetch_kib, arguments.rate
    );
    let cells = |row: &Row| {
        let (direct, fetch) = (row.direct.mb_per_second(), row.fetch.mb_per_second());
        let beside = row.fetch_beside.mb_per_second();
        let numbers = [format!("{direct:.0}"), format!("{fetch:.0}"), format!("{:.2}", fetch / direct)];
        [vec![row.readers.to_string()], numbers.to_vec(), vec![format!("{beside:.0}")]].concat()
    };
    let head = ["readers", "plain direct read", "fetch", "fetch / plain", "fetch beside producers"];
    table::print(&title, &head, &rows.iter().map(cells).collect::<Vec<_>>());

    let quantiles = |name: String, times: &Histogram<u64>| {
        let quantiles = [0.5, 0.99, 0.999].map(|quantile| format!("{:.2}", millis(times, quantile)));
        [vec![name], quantiles.to_vec()].concat()
    };
    let mut lines = vec![quantiles("0".to_owned(), alone)];
    lines.extend(rows.iter().map(|row| quantiles(row.readers.to_string(), &row.times)));
    let title = "Durable produce meanwhile, in ms.";
    table::print(title, &["cold consumers", "p50", "p99", "p99.9"], &lines);
}
