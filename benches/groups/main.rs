//! What consumer groups cost, measured from outside with the real binary, but for `turn`. Each command prints a table for
//! benches/RESULTS.md.
//!
//! ```text
//! cargo bench --bench groups -- rebalance     time until many members have their shares, and what producers notice
//! cargo bench --bench groups -- many-groups   memory and restart with many groups that have committed
//! cargo bench --bench groups -- commits       commits of offsets a second, alone and while producers run
//! cargo bench --bench groups -- heartbeat     CPU time of a heartbeat
//! cargo bench --bench groups -- turn          how long the coordinator is at one thing in a large group
//! ```
//!
//! `-- COMMAND --help` lists what can be set, `-- COMMAND --quick` shows with small numbers that it works. Machines are
//! noisy: compare within a run only. The load runs on other CPUs than the broker's shard, if there are any.

mod beside;
#[path = "../support/broker.rs"]
mod broker;
mod commit;
mod commits;
mod crowd;
#[path = "../node/epoll.rs"]
mod epoll;
mod heartbeat;
#[path = "../node/load.rs"]
mod load;
#[path = "../node/machine.rs"]
mod machine;
mod many;
mod member;
#[path = "../node/process.rs"]
mod process;
#[path = "../node/produce.rs"]
mod produce;
#[path = "../node/random.rs"]
mod random;
mod rebalance;
mod settings;
#[path = "../node/setup.rs"]
mod setup;
#[path = "../node/table.rs"]
mod table;
mod turn;
#[path = "../support/wire.rs"]
mod wire;

use clap::{Parser, Subcommand};

/// Sizes with which `--quick`, and `cargo test --benches`, see that everything works.
const QUICK: [&str; 5] = [
    "groups rebalance --members 5 --topic-partitions 10 --rounds 1 --heartbeat-ms 20 --seconds 0.2 --rate 200",
    "groups many-groups --groups 200 --offsets 2",
    "groups commits --groups 10 --seconds 0.2 --rate 200",
    "groups heartbeat --members 5 --seconds 0.1",
    "groups turn --members 10,100 --rounds 2",
];
/// A small broker suffices for them.
const QUICK_SETTINGS: [&str; 4] = ["--set", "journal.bytes=48MiB", "--set", "memory=320MiB"];

#[derive(Parser)]
#[command(about = "Measures consumer groups on a whole node from outside.")]
struct CommandLine {
    #[command(flatten)]
    setup: setup::Options,
    /// Given by `cargo bench`.
    #[arg(long, hide = true, global = true)]
    bench: bool,
    /// Small numbers instead of those that are given, to see that it works.
    #[arg(long, global = true)]
    quick: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Time until all members of a large group have their shares, and what producers notice of it.
    Rebalance(rebalance::Arguments),
    /// Memory, and time to start, with many groups that have committed offsets.
    ManyGroups(many::Arguments),
    /// Commits of offsets a second, alone and while producers run.
    Commits(commits::Arguments),
    /// CPU time of the broker per heartbeat.
    Heartbeat(heartbeat::Arguments),
    /// How long the coordinator is at one thing in a large group, in memory.
    Turn(turn::Arguments),
}

fn main() {
    let arguments = CommandLine::parse();
    machine::describe();
    if let (Some(command), false) = (&arguments.command, arguments.quick) {
        return command.run(&mut arguments.setup.setup());
    }
    let is_meant = |line: &str| arguments.command.as_ref().is_none_or(|named| named.name() == name_in(line));
    for line in QUICK.into_iter().filter(|line| is_meant(line)) {
        run_line(line, arguments.quick || !arguments.bench, &arguments.setup);
    }
}

/// Runs a line of [`QUICK`], or its command with the defaults.
fn run_line(line: &str, is_quick: bool, options: &setup::Options) {
    let parsed = match is_quick {
        true => CommandLine::parse_from(line.split(' ').chain(QUICK_SETTINGS)),
        false => CommandLine::parse_from(["groups", name_in(line)]),
    };
    let mut setup = options.setup();
    setup.settings.splice(0..0, parsed.setup.setup().settings);
    parsed.command.expect("it was named").run(&mut setup);
}

fn name_in(line: &str) -> &str {
    line.split(' ').nth(1).expect("a command")
}

impl Command {
    fn name(&self) -> &'static str {
        match self {
            Command::Rebalance(_) => "rebalance",
            Command::ManyGroups(_) => "many-groups",
            Command::Commits(_) => "commits",
            Command::Heartbeat(_) => "heartbeat",
            Command::Turn(_) => "turn",
        }
    }

    fn run(&self, setup: &mut setup::Setup) {
        match self {
            Command::Rebalance(arguments) => rebalance::run(setup, arguments),
            Command::ManyGroups(arguments) => many::run(setup, arguments),
            Command::Commits(arguments) => commits::run(setup, arguments),
            Command::Heartbeat(arguments) => heartbeat::run(setup, arguments),
            Command::Turn(arguments) => turn::run(arguments),
        }
    }
}
