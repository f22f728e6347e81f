//! A large group shares anew: how long until all members have their shares, and what producers on the same shard notice
//! of it.

use std::time::{Duration, Instant};

use clap::Args;

use crate::beside::{BESIDE_HEAD, Beside, Producers};
use crate::crowd::Crowd;
use crate::machine::off_the_shard;
use crate::member::{Entry, Member, Subscription, await_coordinator};
use crate::settings::add_defaults;
use crate::setup::{Node, Setup};
use crate::table;

const TOPIC: &str = "consumed";
const GROUP: &str = "crowd";

#[derive(Args)]
pub struct Arguments {
    /// Members of the group.
    #[arg(long, default_value_t = 500)]
    members: usize,
    /// Partitions that they share.
    #[arg(long, default_value_t = 1000)]
    topic_partitions: i32,
    /// How often each member heartbeats, and so how soon it notices that it is to join again.
    #[arg(long, default_value_t = 500)]
    heartbeat_ms: u64,
    /// How often a member joins and leaves again.
    #[arg(long, default_value_t = 30)]
    rounds: usize,
    /// How long producers are measured without a rebalance: so long that one stall of the machine does not make p99.9.
    #[arg(long, default_value_t = 30.0)]
    seconds: f64,
    #[command(flatten)]
    producers: Producers,
}

/// How long it took until all had their shares: from what set it off, and from when the last had sent its join.
#[derive(Clone, Copy)]
struct Took {
    whole: Duration,
    since_joins: Duration,
}

#[derive(Default)]
struct Rounds {
    first: Vec<Took>,
    joins: Vec<Took>,
    leaves: Vec<Took>,
}

pub fn run(setup: &mut Setup, arguments: &Arguments) {
    add_defaults(&mut setup.settings, &["group.initial.rebalance.delay.ms=1000"]);
    let mut node = setup.new_node();
    node.create_topic(TOPIC, arguments.topic_partitions);
    await_coordinator(&node.broker.address);
    arguments.producers.prepare(&node);
    let (rounds, producing) = off_the_shard(|| measure(&node, arguments));
    node.stop();
    report(arguments, &rounds, &producing);
}

fn measure(node: &Node, arguments: &Arguments) -> (Rounds, Vec<(&'static str, Beside)>) {
    let address = &node.broker.address;
    let subscription = Subscription { topic: TOPIC, partitions: arguments.topic_partitions };
    let rest = Duration::from_secs_f64(arguments.seconds);
    let producers = &arguments.producers;

    let ((), without) = producers.watched_beside(node, || std::thread::sleep(rest));
    let interval = Duration::from_millis(arguments.heartbeat_ms);
    let started = Instant::now();
    let crowd = Crowd::start(address, GROUP, &subscription, arguments.members, interval);
    let mut rounds = Rounds { first: vec![took(started, &crowd.settled())], ..Default::default() };
    let ((), settled) = producers.watched_beside(node, || std::thread::sleep(rest));
    let ((), rebalancing) = producers.watched_beside(node, || {
        for _ in 0..arguments.rounds {
            let mut newcomer = Member::connect(address, GROUP, &subscription);
            let started = Instant::now();
            newcomer.enter();
            rounds.joins.push(took(started, &crowd.settled()));
            let started = Instant::now();
            newcomer.leave();
            rounds.leaves.push(took(started, &crowd.settled()));
        }
    });
    crowd.stop();
    let producing = vec![
        ("without the group", without),
        ("the group is settled and heartbeats", settled),
        ("one rebalance after the other", rebalancing),
    ];
    (rounds, producing)
}

fn took(started: Instant, entries: &[Entry]) -> Took {
    let settled = entries.iter().map(|entry| entry.settled_at).max().expect("there are members");
    let joining = entries.iter().map(|entry| entry.joining_at).max().expect("there are members");
    Took { whole: settled - started, since_joins: settled - joining }
}

fn report(arguments: &Arguments, rounds: &Rounds, producing: &[(&str, Beside)]) {
    let title = format!(
        "{} members share {} partitions, each heartbeating every {} ms. Time until the last has its share, in ms. An \
         empty group waits 1000 ms and more for further members.",
        arguments.members, arguments.topic_partitions, arguments.heartbeat_ms
    );
    let head = ["", "times", "median", "longest", "since the last join: median", "longest"];
    let rows = [
        ("all join an empty group", &rounds.first),
        ("one more joins", &rounds.joins),
        ("one leaves", &rounds.leaves),
    ];
    table::print(&title, &head, &rows.map(|(name, all)| row(name, all)));
    let title = format!(
        "What producers on the same shard notice, how late the load sent their requests, which is in these times, and CPU \
         time in percent of one CPU. Producers: {}.",
        arguments.producers.describe()
    );
    let rows: Vec<_> = producing.iter().map(|(name, beside)| beside.row(name)).collect();
    table::print(&title, &BESIDE_HEAD, &rows);
}

fn row(name: &str, all: &[Took]) -> Vec<String> {
    let both = |time: fn(&Took) -> Duration| {
        let mut sorted: Vec<Duration> = all.iter().map(time).collect();
        sorted.sort();
        let ms = |duration: Duration| format!("{:.1}", duration.as_secs_f64() * 1e3);
        [ms(sorted[sorted.len() / 2]), ms(sorted[sorted.len() - 1])]
    };
    let mut cells = vec![name.to_owned(), all.len().to_string()];
    cells.extend(both(|took| took.whole));
    cells.extend(both(|took| took.since_joins));
    cells
}
