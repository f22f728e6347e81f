//! What a durable acknowledgement costs beside what it cannot cost less than.
//!
//! In alternating rounds of one run, with one request in flight: (a) a blocking echo over loopback of frames as
//! long as a produce request and its response, (b) a bare 4 KiB O_DSYNC write into a written extent, (c) a
//! produce of one 1 KiB record with acks=all to a broker on the same disk. The broker's round trip should be at
//! most 1.5 times (a) + (b) at the median.
//!
//! `cargo bench --bench durable_round_trip [-- DIRECTORY]`: the directory (default: below target/) chooses the
//! disk. Machines are noisy: compare within a run only.

#[path = "../support/broker.rs"]
mod broker;
mod echo;
mod producer;
#[path = "../support/wire.rs"]
mod wire;
mod write;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

const ROUNDS: usize = 10;
const OPERATIONS_PER_ROUND: usize = 1_000;
const WARM_UP_OPERATIONS: usize = 500;
const RECORD_BYTES: usize = 1 << 10;
const TARGET_RATIO: f64 = 1.5;

/// A thing to be timed again and again.
struct Subject<'a> {
    name: &'static str,
    operation: Box<dyn FnMut() + 'a>,
    times: Histogram<u64>,
}

impl<'a> Subject<'a> {
    fn new(name: &'static str, operation: impl FnMut() + 'a) -> Self {
        let times = Histogram::new_with_max(10_000_000_000, 3).expect("3 digits are allowed");
        Subject { name, operation: Box::new(operation), times }
    }

    fn round(&mut self, operations: usize) {
        for _ in 0..operations {
            let started = Instant::now();
            (self.operation)();
            self.times.saturating_record(started.elapsed().as_nanos() as u64);
        }
    }

    fn micros(&self, quantile: f64) -> f64 {
        self.times.value_at_quantile(quantile) as f64 / 1000.0
    }
}

fn main() {
    // `cargo bench` adds `--bench`; `cargo test --benches` runs a bench without it, only to see that it works.
    let is_measuring = std::env::args().any(|argument| argument == "--bench");
    let directory = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let parent = directory.map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    std::fs::create_dir_all(&parent).expect("the directory can be made");
    let directory = tempfile::tempdir_in(&parent).expect("the directory can be written");
    let (rounds, operations, warm_up) =
        if is_measuring { (ROUNDS, OPERATIONS_PER_ROUND, WARM_UP_OPERATIONS) } else { (1, 10, 1) };

    let program = Path::new(env!("CARGO_BIN_EXE_corelane"));
    let mut broker = broker::Broker::start(program, directory.path(), &[] as &[&str]);
    let mut producer = producer::Producer::connect(&broker, RECORD_BYTES);
    let mut echo = echo::Echo::start(producer.request_bytes(), producer.response_bytes());
    let mut writer = write::Writer::create(&directory.path().join("bare-write"));
    let mut subjects = [
        Subject::new("blocking loopback echo", || echo.round_trip()),
        Subject::new("bare 4 KiB O_DSYNC write", || writer.write()),
        Subject::new("durable produce of 1 KiB", || producer.produce()),
    ];
    for round in 0..=rounds {
        for subject in &mut subjects {
            subject.round(if round == 0 { warm_up } else { operations });
            if round == 0 {
                subject.times.reset();
            }
        }
    }
    report(&subjects);
    drop(subjects);
    broker.stop(Duration::from_secs(10));
}

fn report(subjects: &[Subject<'_>; 3]) {
    println!("{:<28}{:>10}{:>10}{:>10}{:>10}  (us)", "one in flight", "p50", "p90", "p99", "p99.9");
    for subject in subjects {
        let [p50, p90, p99, p999] = [0.5, 0.9, 0.99, 0.999].map(|quantile| subject.micros(quantile));
        println!("{:<28}{p50:>10.1}{p90:>10.1}{p99:>10.1}{p999:>10.1}", subject.name);
    }
    let [echo, write, produce] = subjects;
    let floor = echo.micros(0.5) + write.micros(0.5);
    let ratio = produce.micros(0.5) / floor;
    let verdict = if ratio <= TARGET_RATIO { "within" } else { "beyond" };
    println!("produce / (echo + write) at p50: {ratio:.2}, {verdict} the target of {TARGET_RATIO}");
}
