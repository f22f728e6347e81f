//! Producers that keep a rate while something else goes on, and what they notice of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;

use crate::load::{Load, Outcome, Pace, millis};
use crate::process::CpuTime;
use crate::produce::Produce;
use crate::setup::Node;

const TOPIC: &str = "produced";
const PARTITIONS: i32 = 16;
const CONNECTIONS: usize = 16;
const WARM_UP_REQUESTS: u64 = 2_000;

#[derive(Args)]
pub struct Producers {
    /// Requests a second that producers send, in an open loop.
    #[arg(long, default_value_t = 5_000.0)]
    rate: f64,
    /// Length of each record; a request holds one.
    #[arg(long, default_value_t = 1024)]
    record_bytes: usize,
}

impl Producers {
    /// Makes their topic, and has each partition begun.
    pub fn prepare(&self, node: &Node) {
        node.create_topic(TOPIC, PARTITIONS);
        let mut load = Load::connect(&node.broker.address, CONNECTIONS);
        let pace = Pace::Closed { in_flight: 1 };
        load.run(pace, &mut Produce::to_each(TOPIC, PARTITIONS, self.record_bytes), |_| true);
        load.run(pace, &mut self.work().limit(WARM_UP_REQUESTS), |_| true);
    }

    /// Does something while they produce; what came of it, and of them.
    pub fn beside<T>(&self, address: &str, something: impl FnOnce() -> T) -> (T, Outcome) {
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let producing = scope.spawn(|| {
                let mut load = Load::connect(address, CONNECTIONS);
                let pace = Pace::Open { per_second: self.rate };
                load.run(pace, &mut self.work(), |_| !is_over.load(Ordering::Relaxed))
            });
            let over = Over(&is_over);
            let result = something();
            drop(over);
            (result, producing.join().expect("producing goes on"))
        })
    }

    fn work(&self) -> Produce {
        Produce::at_random(TOPIC, PARTITIONS, self.record_bytes, 1)
    }

    /// In words.
    pub fn describe(&self) -> String {
        let work = self.work();
        format!("{:.0} batches of {} bytes a second, open loop", self.rate, work.batch_bytes)
    }
}

/// What producers notice, and who used the CPUs meanwhile: what waits for a CPU that the load itself takes is not the
/// broker's doing.
pub struct Beside {
    outcome: Outcome,
    /// CPU time of the broker and of the load, in seconds, and the time that passed.
    broker: f64,
    load: f64,
    passed: Duration,
}

impl Producers {
    /// The same as [`Producers::beside`], with CPU times.
    pub fn watched_beside<T>(&self, node: &Node, something: impl FnOnce() -> T) -> (T, Beside) {
        let times =
            || (CpuTime::of(&node.broker.process), CpuTime::of_id(std::process::id()), Instant::now());
        let (broker, load, began) = times();
        let (result, outcome) = self.beside(&node.broker.address, something);
        let (broker_now, load_now, now) = times();
        let (broker, load) = (broker_now.since(broker).total(), load_now.since(load).total());
        (result, Beside { outcome, broker, load, passed: now - began })
    }
}

/// The head of tables of [`Beside::row`].
pub const BESIDE_HEAD: [&str; 9] = [
    "",
    "p50, ms",
    "p99, ms",
    "p99.9, ms",
    "longest, ms",
    "answered/s",
    "sent late: p99.9, ms",
    "CPU of the broker, %",
    "of the load, %",
];

impl Beside {
    /// A row under [`BESIDE_HEAD`].
    pub fn row(&self, name: &str) -> Vec<String> {
        let percent = |seconds: f64| format!("{:.0}", 100.0 * seconds / self.passed.as_secs_f64());
        let mut cells = times_row(name, &self.outcome);
        cells.push(format!("{:.2}", millis(&self.outcome.late, 0.999)));
        cells.extend([percent(self.broker), percent(self.load)]);
        cells
    }
}

/// Ends the producers, also when what they run beside fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The head of tables of times: what was measured, quantiles, and requests a second.
pub const TIMES_HEAD: [&str; 6] = ["", "p50, ms", "p99, ms", "p99.9, ms", "longest, ms", "answered/s"];

/// A row under [`TIMES_HEAD`].
pub fn times_row(name: &str, outcome: &Outcome) -> Vec<String> {
    let times = [0.5, 0.99, 0.999, 1.0].map(|quantile| format!("{:.2}", millis(&outcome.times, quantile)));
    [vec![name.to_owned()], times.to_vec(), vec![format!("{:.0}", outcome.per_second())]].concat()
}
