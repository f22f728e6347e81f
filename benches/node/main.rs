//! What a whole node can do, measured from outside with the real binary. Each command prints a table for
//! benches/RESULTS.md.
//!
//! ```text
//! cargo bench --bench node -- scale       latency of durable produce over the number of partitions
//! cargo bench --bench node -- idle        memory and start with many idle partitions
//! cargo bench --bench node -- partitions  memory of an idle, an active and a dirty partition
//! cargo bench --bench node -- recovery    kill -9 by fill of the journal, until every partition serves
//! cargo bench --bench node -- cold-read   fetch from disk, and what it does to producers
//! cargo bench --bench node -- disturb     latency of durable produce, quiet against each work in the background
//! cargo bench --bench node -- cpu         CPU time per request and per MB
//! ```
//!
//! `-- COMMAND --help` lists what can be set; the defaults are short runs. `-- COMMAND --quick` only shows that the command
//! works: the sizes with which the tests run it. Machines are noisy: compare within a
//! run only. The load runs on other CPUs than the broker's shard, if there are any.

#[path = "../support/broker.rs"]
mod broker;
mod cold_read;
mod consumer;
mod cpu;
mod direct_read;
mod disturb;
mod disturbance;
mod epoll;
mod idle;
mod journal;
mod keyed;
mod load;
mod machine;
mod metrics;
mod partitions;
mod process;
mod produce;
mod random;
mod recovery;
mod restart;
mod scale;
mod setup;
mod table;
#[path = "../support/wire.rs"]
mod wire;

use clap::{Parser, Subcommand};

/// Sizes with which `cargo test --benches` sees that everything works.
const TINY: [&str; 7] = [
    "node scale --partitions 1,3 --seconds 0.2 --warm-up 0.1 --recycle 0 --rounds 1 --connections 2",
    "node idle --partitions 10",
    "node partitions --partitions 10",
    "node recovery --mib 2 --partitions 1,3 --fills 100,50 --load-seconds 0.2",
    "node cold-read --mib 4 --seconds 0.2",
    "node disturb --pairs 1 --rate 500 --seconds 0.3 --warm-up 0.1 --backlog-mib 16 --segment-mib 1",
    "node cpu --seconds 0.1 --connections 2",
];

#[derive(Parser)]
#[command(about = "Measures a whole node from outside.")]
struct CommandLine {
    #[command(flatten)]
    setup: setup::Options,
    /// Given by `cargo bench`.
    #[arg(long, hide = true, global = true)]
    bench: bool,
    /// Only show that the command works: tiny sizes instead of those given.
    #[arg(long, global = true)]
    quick: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Latency of durable produce over the number of partitions, open loop at one total rate.
    Scale(scale::Arguments),
    /// Memory and time to start with many idle partitions.
    Idle(idle::Arguments),
    /// Memory of an idle, an active and a dirty partition.
    Partitions(partitions::Arguments),
    /// kill -9 under load: time until every partition has been produced to and fetched from, by fill of the journal.
    Recovery(recovery::Arguments),
    /// Fetch of a backlog that is on disk only, beside plain direct reads, and what it does to producers.
    ColdRead(cold_read::Arguments),
    /// Latency of durable produce, quiet against each work in the background, in pairs by turns.
    Disturb(disturb::Arguments),
    /// CPU time of the broker per request and per MB.
    Cpu(cpu::Arguments),
}

fn main() {
    let arguments = CommandLine::parse();
    if let Some(command) = &arguments.command {
        machine::describe();
        match TINY.iter().find(|line| name_of(line) == command.name()) {
            Some(line) if arguments.quick => run_tiny(line, &arguments.setup),
            _ => command.run(&arguments.setup.setup()),
        }
        return;
    }
    for line in TINY {
        if arguments.bench && !arguments.quick {
            // All of them with their defaults.
            CommandLine::parse_from(["node", name_of(line)]).run(&arguments.setup);
        } else {
            run_tiny(line, &arguments.setup);
        }
    }
}

fn name_of(line: &str) -> &str {
    line.split(' ').nth(1).expect("a command")
}

fn run_tiny(line: &str, setup: &setup::Options) {
    let tiny = line.split(' ').chain(["--set", "journal.bytes=48MiB", "--set", "memory=320MiB"]);
    CommandLine::parse_from(tiny).run(setup);
}

impl CommandLine {
    fn run(self, setup: &setup::Options) {
        let mut setup = setup.setup();
        setup.settings.extend(self.setup.setup().settings);
        self.command.expect("it was named").run(&setup);
    }
}

impl Command {
    /// As it is given.
    fn name(&self) -> &'static str {
        match self {
            Command::Scale(_) => "scale",
            Command::Idle(_) => "idle",
            Command::Partitions(_) => "partitions",
            Command::Recovery(_) => "recovery",
            Command::ColdRead(_) => "cold-read",
            Command::Disturb(_) => "disturb",
            Command::Cpu(_) => "cpu",
        }
    }

    fn run(&self, setup: &setup::Setup) {
        match self {
            Command::Scale(arguments) => scale::run(setup, arguments),
            Command::Idle(arguments) => idle::run(setup, arguments),
            Command::Partitions(arguments) => partitions::run(setup, arguments),
            Command::Recovery(arguments) => recovery::run(setup, arguments),
            Command::ColdRead(arguments) => cold_read::run(setup, arguments),
            Command::Disturb(arguments) => disturb::run(setup, arguments),
            Command::Cpu(arguments) => cpu::run(setup, arguments),
        }
    }
}
