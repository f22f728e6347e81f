//! The broker's CPU time for each request and each MB, kernel and user, closed loop.

use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use corelane::protocol::messages::fetch::FetchResponse;
use corelane::protocol::{ErrorCode, decode_response};

use crate::consumer::{FETCH_VERSION, fetch_request};
use crate::load::{Load, Pace, Work};
use crate::machine::off_the_shard;
use crate::process::CpuTime;
use crate::produce::Produce;
use crate::random::Random;
use crate::setup::{Node, Setup};
use crate::table;
use crate::wire;

const SMALL: &str = "small";
const LARGE: &str = "large";
const SMALL_RECORD_BYTES: usize = 1 << 10;
/// With the batch and record headers, within the default `message.max.bytes`.
const LARGE_RECORD_BYTES: usize = (1 << 20) - 128;
/// The newest batches, which are in memory.
const RECENT_SMALL: u64 = 1000;
const RECENT_LARGE: u64 = 4;

#[derive(Args)]
pub struct Arguments {
    /// Each row is measured for this long.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Connections of the load.
    #[arg(long, default_value_t = 16)]
    connections: usize,
}

struct Fetch {
    topic: &'static str,
    /// The first of the offsets that are asked for, and how many there are.
    offsets: (u64, u64),
    max_bytes: usize,
    random: Random,
    bytes: u64,
}

struct Row {
    name: &'static str,
    in_flight: usize,
    seconds: f64,
    requests: u64,
    bytes: u64,
    cpu: CpuTime,
}

pub fn run(setup: &Setup, arguments: &Arguments) {
    let mut node = setup.new_node();
    node.create_topic(SMALL, 1);
    node.create_topic(LARGE, 1);
    let bench = Bench { arguments, length: Duration::from_secs_f64(arguments.seconds) };
    let mut rows = vec![bench.idle(&node)];
    let (mut small, mut large) = (0, 0);
    for in_flight in [1, 5] {
        rows.push(bench.produce(&node, "produce 1 KiB", SMALL, SMALL_RECORD_BYTES, in_flight));
        small += rows.last().expect("just pushed").requests;
    }
    rows.push(bench.produce(&node, "produce 1 MiB", LARGE, LARGE_RECORD_BYTES, 1));
    large += rows.last().expect("just pushed").requests;
    let recent = |count: u64, most: u64| (count - most.min(count), most.min(count));
    for in_flight in [1, 5] {
        rows.push(bench.fetch(
            &node,
            "fetch 1 KiB, in memory",
            SMALL,
            recent(small, RECENT_SMALL),
            1,
            in_flight,
        ));
    }
    let whole = LARGE_RECORD_BYTES + 128;
    rows.push(bench.fetch(&node, "fetch 1 MiB, in memory", LARGE, recent(large, RECENT_LARGE), whole, 1));
    node.stop();
    node.start();
    rows.push(bench.fetch(&node, "fetch 1 KiB, on disk", SMALL, (0, small), 1, 1));
    rows.push(bench.fetch(&node, "fetch 1 MiB, on disk", LARGE, (0, large), whole, 1));
    node.stop();
    report(&rows, arguments);
}

struct Bench<'a> {
    arguments: &'a Arguments,
    length: Duration,
}

impl Bench<'_> {
    fn idle(&self, node: &Node) -> Row {
        let before = CpuTime::of(&node.broker.process);
        std::thread::sleep(self.length);
        let cpu = CpuTime::of(&node.broker.process).since(before);
        Row { name: "nothing", in_flight: 0, seconds: self.arguments.seconds, requests: 0, bytes: 0, cpu }
    }

    fn produce(
        &self,
        node: &Node,
        name: &'static str,
        topic: &str,
        record_bytes: usize,
        in_flight: usize,
    ) -> Row {
        let mut work = Produce::at_random(topic, 1, record_bytes, 1);
        let mut row = self.measure(node, name, in_flight, &mut work);
        row.bytes = row.requests * work.batch_bytes as u64;
        row
    }

    fn fetch(
        &self,
        node: &Node,
        name: &'static str,
        topic: &'static str,
        offsets: (u64, u64),
        max_bytes: usize,
        in_flight: usize,
    ) -> Row {
        let mut work = Fetch { topic, offsets, max_bytes, random: Random::new(1), bytes: 0 };
        let mut row = self.measure(node, name, in_flight, &mut work);
        row.bytes = work.bytes;
        row
    }

    fn measure(
        &self,
        node: &Node,
        name: &'static str,
        in_flight: usize,
        work: &mut (dyn Work + Send),
    ) -> Row {
        off_the_shard(|| {
            let mut load = Load::connect(&node.broker.address, self.arguments.connections);
            let before = CpuTime::of(&node.broker.process);
            let outcome = load.run(Pace::Closed { in_flight }, work, |elapsed| elapsed < self.length);
            let cpu = CpuTime::of(&node.broker.process).since(before);
            Row {
                name,
                in_flight,
                seconds: outcome.sending.as_secs_f64(),
                requests: outcome.times.len(),
                bytes: 0,
                cpu,
            }
        })
    }
}

impl Work for Fetch {
    fn request(&mut self, frame: &mut Vec<u8>) -> bool {
        let offset = self.offsets.0 + self.random.below(self.offsets.1);
        let request = fetch_request(self.topic, 0, offset as i64, self.max_bytes);
        frame.extend_from_slice(&wire::frame(&request, FETCH_VERSION));
        true
    }

    fn response(&mut self, frame: Bytes) {
        let (_, response) = decode_response::<FetchResponse>(frame, FETCH_VERSION).expect("a fetch response");
        let found = &response.responses[0].partitions[0];
        assert_eq!(found.error_code, ErrorCode::None, "fetch was refused");
        let bytes = found.records.as_ref().map_or(0, |pieces| pieces.len());
        assert!(bytes > 0, "the offset exists");
        self.bytes += bytes as u64;
    }
}

fn report(rows: &[Row], arguments: &Arguments) {
    let cells = |row: &Row| {
        let (requests, mb) = (row.requests as f64, row.bytes as f64 / 1e6);
        let per = |seconds: f64, count: f64, unit: f64| match count {
            0.0 => "-".to_owned(),
            count => format!("{:.1}", seconds / count * unit),
        };
        vec![
            row.name.to_owned(),
            row.in_flight.to_string(),
            format!("{:.0}", requests / row.seconds),
            format!("{:.0}", mb / row.seconds),
            per(row.cpu.total(), requests, 1e6),
            per(row.cpu.system, requests, 1e6),
            per(row.cpu.total(), mb, 1e3),
            format!("{:.0}", row.cpu.total() / row.seconds * 100.0),
        ]
    };
    let title = format!(
        "CPU time of the broker, closed loop on {} connections. \"in flight\" is for each connection.",
        arguments.connections
    );
    let head = ["", "in flight", "requests/s", "MB/s", "us/request", "of it system", "ms/MB", "% of a CPU"];
    table::print(&title, &head, &rows.iter().map(cells).collect::<Vec<_>>());
}
