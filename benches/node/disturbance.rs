//! What a broker does besides serving producers, and how a benchmark has it do that or not.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use clap::ValueEnum;

use crate::consumer::{Consumer, fetch_request};
use crate::direct_read::segments;
use crate::disturb::{Arguments, LIVE, LIVE_PARTITIONS};
use crate::keyed::Keyed;
use crate::load::{Load, Pace};
use crate::machine::off_the_shard;
use crate::metrics::{self, ADMIN_LISTEN};
use crate::produce::Produce;
use crate::setup::Node;

const SIDE: &str = "side";
const SIDE_PARTITIONS: i32 = 4;
const SIDE_BATCH_BYTES: usize = 64 << 10;
const SIDE_CONNECTIONS: usize = 8;
const FETCH_BYTES: usize = 1 << 20;
const MIB: u64 = 1 << 20;
/// As short as segments may be: the longest batch must fit.
const SHORT_SEGMENT_BYTES: u64 = MIB + (4 << 10);
/// What a broker with default settings has for one shard on a machine of 2 GiB: the backlog must not fit into its caches.
const MEMORY: &str = "1GiB";

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Disturbance {
    /// The producers' segments are sealed at a MiB, so there is a new one every moment.
    Roll,
    /// The same, and all but the last MiB of each partition is deleted at once.
    Retention,
    /// A compacted topic beside has passes all the time.
    Compaction,
    /// The sealed segments of a topic beside are read and checked.
    Scrub,
    /// A consumer reads a topic beside from disk.
    Backlog,
}

impl Disturbance {
    pub fn name(self) -> &'static str {
        match self {
            Disturbance::Roll => "roll",
            Disturbance::Retention => "retention",
            Disturbance::Compaction => "compaction",
            Disturbance::Scrub => "scrub",
            Disturbance::Backlog => "backlog drain",
        }
    }

    /// The broker's settings, with or without it.
    pub fn settings(self, is_on: bool, arguments: &Arguments) -> Vec<(&'static str, String)> {
        let bytes = |mib: u64| (mib * MIB).to_string();
        let mut settings = vec![
            (ADMIN_LISTEN.0, ADMIN_LISTEN.1.to_owned()),
            ("memory", MEMORY.to_owned()),
            // The records' timestamps are of 1970.
            ("log.retention.ms", "-1".to_owned()),
            ("scrub.bytes.per.second", "0".to_owned()),
        ];
        let short_segments = ("log.segment.bytes", SHORT_SEGMENT_BYTES.to_string());
        match self {
            Disturbance::Roll if is_on => settings.push(short_segments),
            Disturbance::Retention if is_on => settings.extend([
                short_segments,
                ("log.retention.bytes", bytes(1)),
                ("log.retention.check.interval.ms", "500".to_owned()),
            ]),
            Disturbance::Compaction if is_on => settings.extend([
                ("log.cleaner.backoff.ms", "100".to_owned()),
                ("log.cleaner.io.max.bytes.per.second", bytes(arguments.compaction_mib)),
            ]),
            // It looks at the first bytes, and has then done its share for long.
            Disturbance::Compaction => settings.push(("log.cleaner.io.max.bytes.per.second", "1".to_owned())),
            Disturbance::Scrub if is_on => {
                settings.push(("scrub.bytes.per.second", bytes(arguments.scrub_mib)));
            }
            Disturbance::Roll | Disturbance::Retention | Disturbance::Scrub | Disturbance::Backlog => {}
        }
        settings
    }

    /// Makes what all pairs need.
    pub fn prepare(self, node: &Node, arguments: &Arguments) {
        let length = (arguments.segment_mib * MIB).to_string();
        let length = ("segment.bytes", &*length);
        match self {
            Disturbance::Roll | Disturbance::Retention => {}
            Disturbance::Compaction => {
                let configs = [length, ("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0")];
                node.create_topic_with(SIDE, SIDE_PARTITIONS, &configs);
            }
            Disturbance::Scrub | Disturbance::Backlog => {
                node.create_topic_with(SIDE, SIDE_PARTITIONS, &[length]);
                let batches = arguments.backlog_mib * MIB / SIDE_BATCH_BYTES as u64;
                let work = Produce::at_random(SIDE, SIDE_PARTITIONS, SIDE_BATCH_BYTES, 1).limit(batches);
                fill(node, work);
            }
        }
    }

    /// Makes what is used up by each pair.
    pub fn prepare_pair(self, node: &Node, arguments: &Arguments, pair: usize) {
        if self == Disturbance::Compaction {
            // What is written is read twice, and what stays of it is written again.
            let seconds = arguments.warm_up + arguments.seconds;
            let mib = (seconds * arguments.compaction_mib as f64 / 2.0).ceil() as u64;
            fill(node, Keyed::new(SIDE, SIDE_PARTITIONS, mib, pair as u64));
        }
    }

    /// How much of it there was so far, to be told with [`Disturbance::rate_in_words`].
    pub fn done(self, node: &Node, arguments: &Arguments, drained_bytes: &AtomicU64) -> f64 {
        match self {
            Disturbance::Roll => {
                segments(&node.data(), LIVE, LIVE_PARTITIONS).iter().map(Vec::len).sum::<usize>() as f64
            }
            Disturbance::Retention => {
                let partitions = segments(&node.data(), LIVE, LIVE_PARTITIONS);
                let records: u64 = partitions.iter().filter_map(|files| base_offset(files.first()?)).sum();
                records as f64 * arguments.record_bytes as f64
            }
            Disturbance::Compaction => metrics::sum(node, "corelane_compaction_bytes_total"),
            Disturbance::Scrub => metrics::sum(node, "corelane_scrub_bytes_total"),
            Disturbance::Backlog => drained_bytes.load(Ordering::Relaxed) as f64,
        }
    }

    /// So much was done in each second.
    pub fn rate_in_words(self, per_second: f64) -> String {
        let mib = per_second / MIB as f64;
        match self {
            Disturbance::Roll => format!("{per_second:.1} segments/s"),
            Disturbance::Retention => format!("{mib:.1} MiB/s deleted"),
            Disturbance::Compaction => format!("{mib:.1} MiB/s read and written"),
            Disturbance::Scrub | Disturbance::Backlog => format!("{mib:.1} MiB/s read"),
        }
    }
}

/// Reads the topic beside again and again until it is time to end; counts the bytes. What the load needs of the CPUs
/// comes first.
pub fn drain(address: &str, is_over: &AtomicBool, bytes: &AtomicU64) {
    step_aside();
    let mut consumer = Consumer::connect(address);
    let mut partition = 0;
    while !is_over.load(Ordering::Relaxed) {
        let mut offset = 0;
        while !is_over.load(Ordering::Relaxed) {
            let request = fetch_request(SIDE, partition, offset, FETCH_BYTES);
            let (read, next) = consumer.fetch(&request, offset);
            bytes.fetch_add(read as u64, Ordering::Relaxed);
            if next == offset {
                break;
            }
            offset = next;
        }
        partition = (partition + 1) % SIDE_PARTITIONS;
    }
}

fn fill(node: &Node, mut work: impl crate::load::Work + Send) {
    off_the_shard(|| {
        let mut load = Load::connect(&node.broker.address, SIDE_CONNECTIONS);
        load.run(Pace::Closed { in_flight: 2 }, &mut work, |_| true);
    });
}

/// The first offset of a segment, by its file's name.
fn base_offset(file: &Path) -> Option<u64> {
    file.file_name()?.to_str()?.split('.').next()?.parse().ok()
}

/// Has the calling thread run behind the others of the process, where they share CPUs.
fn step_aside() {
    const LAST: libc::c_int = 19;
    // SAFETY: a plain call; on Linux 0 is the calling thread (setpriority(2)).
    let set = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, LAST) };
    assert_eq!(set, 0, "everybody may do less");
}
