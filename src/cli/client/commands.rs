//! The client commands, and from a command to its exit code.

use std::process::ExitCode;

use clap::Subcommand;

use super::error::ClientError;
use super::output::tell;
use super::{cluster_status, consume, group, produce, top, topic};

/// Commands that talk to a cluster.
#[derive(Subcommand, Debug)]
pub enum ClientCommand {
    /// Create, list, describe, alter and delete topics
    Topic(topic::TopicCommand),
    /// Write lines of stdin to a topic
    Produce(produce::ProduceCommand),
    /// Print a topic's records
    Consume(consume::ConsumeCommand),
    /// List, describe, reset and delete consumer groups
    Group(group::GroupCommand),
    /// Show the cluster's brokers and the health of its partitions
    Cluster(cluster_status::ClusterCommand),
    /// Show what goes on: rates of topics, lag of groups, and latencies of a Corelane node
    Top(top::TopCommand),
}

/// Carries out a client command.
pub fn run(command: ClientCommand) -> ExitCode {
    exit_code(match command {
        ClientCommand::Topic(command) => topic::run(command),
        ClientCommand::Produce(command) => produce::run(command),
        ClientCommand::Consume(command) => consume::run(command),
        ClientCommand::Group(command) => group::run(command),
        ClientCommand::Cluster(command) => cluster_status::run(command),
        ClientCommand::Top(command) => top::run(command),
    })
}

/// Tells why it failed on stderr, and which status that is.
pub fn exit_code(result: Result<(), ClientError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(format_args!("corelane: {error}"));
            error.status().into()
        }
    }
}
