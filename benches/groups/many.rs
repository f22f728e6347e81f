//! Many groups that have committed offsets: the memory that they take, and how soon a restart serves them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;
use corelane::base::limits::{
    GROUP_COST_BYTES, GROUP_OFFSET_COST_BYTES, GROUP_STATE_PERCENT, STATE_MEMORY_PERCENT,
};
use corelane::protocol::ErrorCode;

use crate::commit::{Commits, FETCH_OFFSETS_VERSION, TOPIC, fetch_request, group_id};
use crate::load::{Load, Outcome, Pace};
use crate::machine::{off_the_shard, settle};
use crate::member::await_coordinator;
use crate::process::resident_bytes;
use crate::settings::add_defaults;
use crate::setup::{Node, Setup};
use crate::{table, wire};

const CONNECTIONS: usize = 16;
const IN_FLIGHT: usize = 5;
/// Groups that are asked for after a restart, of all partitions of `__consumer_offsets`.
const ASKED_GROUPS: u64 = 1000;
/// All must be served by then.
const PATIENCE: Duration = Duration::from_secs(300);
/// How soon a group is asked for again that is not there yet.
const RETRY_PAUSE: Duration = Duration::from_millis(1);
/// It is killed after so much load.
const LOAD_BEFORE_KILL: Duration = Duration::from_millis(500);
const MIB: u64 = 1 << 20;

#[derive(Args)]
pub struct Arguments {
    /// Groups.
    #[arg(long, default_value_t = 100_000)]
    groups: u64,
    /// Offsets that each has committed.
    #[arg(long, default_value_t = 1)]
    offsets: i32,
}

impl Arguments {
    /// What the broker reckons that they take, and half as much again.
    fn memory_bytes(&self) -> u64 {
        let group_bytes =
            GROUP_COST_BYTES + group_id(0).len() + self.offsets as usize * GROUP_OFFSET_COST_BYTES;
        let state_bytes = self.groups * group_bytes as u64;
        state_bytes * 100 / STATE_MEMORY_PERCENT * 100 / GROUP_STATE_PERCENT * 3 / 2
    }
}

pub fn run(setup: &mut Setup, arguments: &Arguments) {
    let memory = format!("memory={}MiB", (arguments.memory_bytes() / MIB).max(1024));
    add_defaults(&mut setup.settings, &[&memory, "journal.bytes=256MiB"]);
    let mut node = setup.new_node();
    node.create_topic(TOPIC, arguments.offsets);
    await_coordinator(&node.broker.address);
    settle();
    let empty_bytes = resident_bytes(&node.broker.process);
    let committed = off_the_shard(|| commit_all(&node, arguments));
    settle();
    let mut rows = vec![row(&node, "committed just now", None)];
    node.stop();
    let started = restart(&mut node, arguments);
    rows.push(row(&node, "restarted after a stop", Some(started)));
    off_the_shard(|| kill_among_commits(&mut node, arguments));
    let started = restart(&mut node, arguments);
    rows.push(row(&node, "restarted after kill -9 among commits", Some(started)));
    node.stop();
    let title = format!(
        "{} groups with {} offset(s) each, committed at {:.0} commits a second. Before that the broker took {} MiB, much \
         of it left over from its start. Segments are made longer ahead of what is written, and cut by a stop. Times in \
         s from the start of the process.",
        arguments.groups,
        arguments.offsets,
        committed.per_second(),
        empty_bytes / MIB
    );
    let head = ["", "memory of the process, MiB", "their segments, MiB", "serves", "all groups served"];
    table::print(&title, &head, &rows);
}

fn commit_all(node: &Node, arguments: &Arguments) -> Outcome {
    let mut load = Load::connect(&node.broker.address, CONNECTIONS);
    let mut work = Commits::of_each(arguments.groups, arguments.offsets);
    load.run(Pace::Closed { in_flight: IN_FLIGHT }, &mut work, |_| true)
}

fn kill_among_commits(node: &mut Node, arguments: &Arguments) {
    let load = Load::connect(&node.broker.address, CONNECTIONS);
    let mut work = Commits::at_random(arguments.groups, arguments.offsets);
    load.run_unanswered(Pace::Closed { in_flight: IN_FLIGHT }, &mut work, |elapsed| {
        let goes_on = elapsed < LOAD_BEFORE_KILL;
        if !goes_on {
            node.kill();
        }
        goes_on
    });
}

/// How long until it served, and until it answered for groups of all partitions.
fn restart(node: &mut Node, arguments: &Arguments) -> (Duration, Duration) {
    let started = Instant::now();
    let serves = node.start();
    let mut stream = wire::connect(&node.broker.address);
    let step = (arguments.groups / ASKED_GROUPS).max(1);
    for group in (0..arguments.groups).step_by(step as usize) {
        let request = fetch_request(group);
        loop {
            let answer = wire::call(&mut stream, &request, FETCH_OFFSETS_VERSION);
            match answer.error_code {
                ErrorCode::None => {
                    let offset = answer.topics[0].partitions[0].committed_offset;
                    assert_eq!(offset, 1, "what was committed is there");
                    break;
                }
                ErrorCode::CoordinatorLoadInProgress | ErrorCode::NotCoordinator => {
                    assert!(started.elapsed() < PATIENCE, "{} is not served", group_id(group));
                    std::thread::sleep(RETRY_PAUSE);
                }
                other => panic!("no offsets: {other:?}"),
            }
        }
    }
    (serves, started.elapsed())
}

fn row(node: &Node, name: &str, started: Option<(Duration, Duration)>) -> Vec<String> {
    let seconds = |duration: Duration| format!("{:.2}", duration.as_secs_f64());
    let (serves, all) =
        started.map_or(("-".to_owned(), "-".to_owned()), |(serves, all)| (seconds(serves), seconds(all)));
    vec![
        name.to_owned(),
        (resident_bytes(&node.broker.process) / MIB).to_string(),
        format!("{:.1}", log_bytes(&node.data()) as f64 / MIB as f64),
        serves,
        all,
    ]
}

/// Lengths of all segments of `__consumer_offsets`. What is in the journal only is not among them.
fn log_bytes(data: &Path) -> u64 {
    let topics = fs::read_dir(data.join("topics")).expect("a data directory").flatten();
    let partitions =
        topics.filter(|entry| entry.file_name().to_string_lossy().starts_with("__consumer_offsets-"));
    let files =
        partitions.flat_map(|partition| fs::read_dir(partition.path()).expect("a partition").flatten());
    let segments = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "log"));
    segments.map(|segment| segment.metadata().map_or(0, |metadata| metadata.len())).sum()
}
