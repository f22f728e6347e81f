//! What may stand on the command line. Values are passed on as text: the configuration reads and checks them
//! all in one place, wherever they come from.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::client::commands::ClientCommand;
use super::client::config::ConfigAction;
use super::completions::CompletionsCommand;
use super::log_arguments::LogCommand;
use crate::config::{Assignment, ConfigError, Inputs, Origin};

const EXAMPLES: &str = "\
Every setting can also stand in a TOML file (--config), in an environment variable (CORELANE_ and the key in \
capitals, with _ for dots: CORELANE_LOG_SEGMENT_BYTES) and in --set KEY=VALUE. Flags win over --set, which wins \
over the environment, which wins over the file. `corelane config` shows what holds and why.

Examples:
  corelane serve
  corelane serve --data-dir /var/lib/corelane --listen 0.0.0.0:9092 --advertise-host kafka.example.com
  corelane serve --config /etc/corelane.toml --set num.partitions=12
  corelane config --config /etc/corelane.toml
  corelane check --config /etc/corelane.toml

Exit status: 0 after a clean stop, 1 if the broker could not run or failed, 2 if the arguments or the \
configuration are wrong, 143 or 130 after a second SIGTERM or SIGINT, which ends it at once.";

const CHECK_STATUS: &str = "\
Exit status: 0 if a broker could serve, whatever could be better; 1 if something keeps it from serving; 2 if the \
arguments or the configuration are wrong.";

/// A Kafka-compatible broker that fsyncs before it acknowledges.
#[derive(Parser, Debug)]
#[command(name = "corelane", version, about, after_help = EXAMPLES)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the broker until SIGTERM or SIGINT
    ///
    /// Prints one line, `corelane ready ADDRESS ...`, to stdout when it serves; ADDRESS is what clients take as
    /// bootstrap.servers. DATA_DIR/endpoints.json says the same in more detail. Logs go to stderr.
    #[command(after_help = EXAMPLES)]
    Serve(Settings),
    /// Show the effective configuration and where each value comes from, or a cluster's with get and set
    ///
    /// Without a subcommand: what a broker with these arguments would run with. With one: the configs of topics and of
    /// running brokers, of this or any other cluster.
    Config(ConfigCommand),
    /// Look at this machine and say what to change for a broker with this configuration
    ///
    /// Takes the arguments of `serve` and changes nothing. Run it as the user that the broker runs as. While that
    /// broker runs, it is left alone, and its own limits are looked at. tuning.md says more about each point.
    #[command(after_help = CHECK_STATUS)]
    Check(CheckCommand),
    /// Look into a data directory while no broker runs on it, and repair it
    ///
    /// docs/log-tools.md says more, with examples.
    Log(LogCommand),
    /// Commands that talk to a cluster.
    #[command(flatten)]
    Client(ClientCommand),
    /// Print what makes a shell complete this command line
    Completions(CompletionsCommand),
}

/// Arguments of `corelane check`.
#[derive(Args, Debug)]
pub struct CheckCommand {
    #[command(flatten)]
    pub settings: Settings,
    /// How to print
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
}

/// Arguments of `corelane config`.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ConfigCommand {
    /// What to do with the configs of a cluster, if that is meant.
    #[command(subcommand)]
    pub action: Option<ConfigAction>,
    #[command(flatten)]
    pub settings: Settings,
    /// How to print
    #[arg(long, value_enum, default_value_t = Output::Human)]
    pub output: Output,
    /// Print the table of all keys for docs/configuration.md instead
    #[arg(long, hide = true)]
    pub markdown: bool,
}

/// How to print.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// For people
    #[value(name = "table", alias = "human")]
    Human,
    /// For programs
    Json,
}

/// Where the configuration comes from.
#[derive(Args, Clone, Default, Debug)]
pub struct Settings {
    /// Read settings from a TOML file; nested tables are dotted keys [env: CORELANE_CONFIG]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Keep everything in this directory, created if absent [default: ./corelane-data]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<String>,
    /// Keep the journals here, on a device of their own [default: the data directory]
    #[arg(long, value_name = "DIR")]
    journal_dir: Option<String>,
    /// Listen for clients here; port 0 picks free ports [default: 127.0.0.1:9092]
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Give shard s the port FIRST + s [default: the port of --listen + 100]
    #[arg(long, value_name = "FIRST")]
    shard_ports: Option<String>,
    /// Tell clients to connect to this host; required if --listen is a wildcard [default: the host of --listen]
    #[arg(long, value_name = "HOST")]
    advertise_host: Option<String>,
    /// Serve metrics and health by HTTP here; port 0 picks a free one, `none` opens none [default: 127.0.0.1:9644]
    #[arg(long, value_name = "HOST:PORT")]
    admin: Option<String>,
    /// Let the other nodes of a cluster reach this one here; with --voters
    #[arg(long, value_name = "HOST:PORT")]
    cluster_listen: Option<String>,
    /// The nodes that keep the cluster's metadata, the same on all nodes, such as
    /// 1@10.0.0.1:9191,2@10.0.0.2:9191,3@10.0.0.3:9191
    #[arg(long, value_name = "ID@HOST:PORT,...")]
    voters: Option<String>,
    /// Number of this node; its shard s is broker N * 1000 + s to clients [default: 1]
    #[arg(long, value_name = "N")]
    node_id: Option<String>,
    /// Run this many shards, each pinned to a CPU [default: one per allowed CPU]
    #[arg(long, value_name = "N", conflicts_with = "cpus")]
    shards: Option<String>,
    /// Run a shard on each of these CPUs, such as 0-3,8
    #[arg(long, value_name = "LIST")]
    cpus: Option<String>,
    /// Use at most this much memory, such as 8GiB; every budget derives from it [default: half of RAM or of
    /// the cgroup's limit]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// Set any key; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Settings {
    /// The configuration's inputs: these arguments and the process's environment. Variables that are not UTF-8
    /// are not ours.
    pub fn inputs(self) -> Result<Inputs, ConfigError> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(Inputs { environment, command_line: self.assignments()?, file: self.config })
    }

    fn assignments(&self) -> Result<Vec<Assignment>, ConfigError> {
        let mut assignments = self.set.iter().map(|text| parse_set(text)).collect::<Result<Vec<_>, _>>()?;
        for (flag, key, value) in self.flags() {
            let assign = |value: &String| Assignment {
                key: key.to_string(),
                value: value.clone(),
                origin: Origin::Flag(flag),
            };
            assignments.extend(value.as_ref().map(assign));
        }
        Ok(assignments)
    }

    /// Each flag with the key that it sets.
    fn flags(&self) -> [(&'static str, &'static str, &Option<String>); 12] {
        [
            ("data-dir", "data.dir", &self.data_dir),
            ("journal-dir", "journal.dir", &self.journal_dir),
            ("listen", "listen", &self.listen),
            ("shard-ports", "shard.ports", &self.shard_ports),
            ("advertise-host", "advertised.host", &self.advertise_host),
            ("admin", "admin.listen", &self.admin),
            ("cluster-listen", "cluster.listen", &self.cluster_listen),
            ("voters", "voters", &self.voters),
            ("node-id", "node.id", &self.node_id),
            ("shards", "shards", &self.shards),
            ("cpus", "cpus", &self.cpus),
            ("memory", "memory", &self.memory),
        ]
    }
}

fn parse_set(text: &str) -> Result<Assignment, ConfigError> {
    let (key, value) = text.split_once('=').ok_or_else(|| ConfigError::NotAnAssignment(text.to_string()))?;
    Ok(Assignment { key: key.trim().to_string(), value: value.to_string(), origin: Origin::Flag("set") })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::config::keys::KEYS;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_flags_are_those_of_the_table_of_keys() {
        let mut ours: Vec<_> = Settings::default().flags().map(|(flag, key, _)| (flag, key)).to_vec();
        let mut table: Vec<_> = KEYS.iter().filter_map(|key| Some((key.flag?, key.name))).collect();
        ours.sort_unstable();
        table.sort_unstable();
        assert_eq!(ours, table);
        let command = Arguments::command();
        let serve = command.find_subcommand("serve").unwrap();
        for (flag, _) in ours {
            assert!(serve.get_arguments().any(|argument| argument.get_long() == Some(flag)), "{flag}");
        }
    }

    #[test]
    fn flags_come_after_set() {
        let arguments = Arguments::parse_from([
            "corelane",
            "serve",
            "--node-id",
            "3",
            "--set",
            "node.id=2",
            "--set",
            "a = b=c",
        ]);
        let Command::Serve(settings) = arguments.command else { panic!("serve") };
        let pairs: Vec<_> = settings
            .assignments()
            .unwrap()
            .into_iter()
            .map(|assignment| (assignment.key, assignment.value))
            .collect();
        let expected = [("node.id", "2"), ("a", " b=c"), ("node.id", "3")];
        assert_eq!(pairs, expected.map(|(key, value)| (key.to_string(), value.to_string())));
        let bad = Settings { set: vec!["novalue".into()], ..Settings::default() };
        assert!(bad.assignments().unwrap_err().to_string().contains("KEY=VALUE"));
    }
}
