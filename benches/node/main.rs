//! What a whole node can do, measured from outside with the real binary. Each command prints a table for
//! benches/RESULTS.md.
//!
//! ```text
//! cargo bench --bench node -- scale       latency of durable produce over the number of partitions
//! cargo bench --bench node -- idle        memory and start with many idle partitions
//! cargo bench --bench node -- recovery    kill -9 with a full journal, until every partition serves
//! cargo bench --bench node -- cold-read   fetch from disk, and what it does to producers
//! cargo bench --bench node -- cpu         CPU time per request and per MB
//! ```
//!
//! `-- COMMAND --help` lists what can be set; the defaults are short runs. Machines are noisy: compare within a
//! run only. The load runs on other CPUs than the broker's shard, if there are any.

#[path = "../support/broker.rs"]
mod broker;
mod cold_read;
mod consumer;
mod cpu;
mod direct_read;
mod epoll;
mod idle;
mod journal;
mod load;
mod machine;
mod process;
mod produce;
mod random;
mod recovery;
mod scale;
mod setup;
mod table;
#[path = "../support/wire.rs"]
mod wire;

use clap::{Parser, Subcommand};

/// Sizes with which `cargo test --benches` sees that everything works.
const TINY: [&str; 5] = [
    "node scale --partitions 1,3 --seconds 0.2 --warm-up 0.1 --recycle 0 --rounds 1 --connections 2",
    "node idle --partitions 10",
    "node recovery --mib 2 --partitions 1,3 --load-seconds 0.2",
    "node cold-read --mib 4 --seconds 0.2",
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
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Latency of durable produce over the number of partitions, open loop at one total rate.
    Scale(scale::Arguments),
    /// Memory and time to start with many idle partitions.
    Idle(idle::Arguments),
    /// kill -9 when the journal is fullest: time until every partition has been produced to and fetched from.
    Recovery(recovery::Arguments),
    /// Fetch of a backlog that is on disk only, beside plain direct reads, and what it does to producers.
    ColdRead(cold_read::Arguments),
    /// CPU time of the broker per request and per MB.
    Cpu(cpu::Arguments),
}

fn main() {
    let arguments = CommandLine::parse();
    if let Some(command) = arguments.command {
        machine::describe();
        command.run(&arguments.setup.setup());
        return;
    }
    for line in TINY {
        if arguments.bench {
            // All of them with their defaults.
            let name = line.split(' ').nth(1).expect("a command");
            CommandLine::parse_from(["node", name]).run(&arguments.setup);
        } else {
            let tiny = line.split(' ').chain(["--set", "journal.bytes=48MiB", "--set", "memory=320MiB"]);
            CommandLine::parse_from(tiny).run(&arguments.setup);
        }
    }
}

impl CommandLine {
    fn run(self, setup: &setup::Options) {
        let mut setup = setup.setup();
        setup.settings.extend(self.setup.setup().settings);
        self.command.expect("it was named").run(&setup);
    }
}

impl Command {
    fn run(&self, setup: &setup::Setup) {
        match self {
            Command::Scale(arguments) => scale::run(setup, arguments),
            Command::Idle(arguments) => idle::run(setup, arguments),
            Command::Recovery(arguments) => recovery::run(setup, arguments),
            Command::ColdRead(arguments) => cold_read::run(setup, arguments),
            Command::Cpu(arguments) => cpu::run(setup, arguments),
        }
    }
}
