//! Load for brokers that speak Kafka's protocol, at the times that were asked for: docs/loadgen.md says how to use it.
//!
//! `settings` is what is asked for, `schedule` when requests are due, `workload` what they carry. `worker` has the
//! threads that send and read, `group` has the members of
//! consumer groups, `broker` watches the other side, `measure` counts, `report` tells. `verify` sends and
//! reads back for the sake of what is there, not of time. `commands` puts them together.

#[macro_use]
mod say;

mod broker;
mod cli;
mod client;
mod commands;
mod group;
mod measure;
mod random;
mod report;
mod schedule;
mod settings;
mod verify;
mod worker;
mod workload;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
