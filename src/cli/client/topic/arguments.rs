//! What may stand behind `corelane topic`.

use clap::{ArgGroup, Args, Subcommand};

use super::super::arguments::{Assignment, Connection};
use super::super::settings::parse_config;

const EXAMPLES: &str = "\
Examples:
  corelane topic create orders --partitions 12 --config retention.ms=604800000
  corelane topic list --brokers kafka.example.com:9092
  corelane topic describe orders
  corelane topic alter orders --partitions 24 --set cleanup.policy=compact --unset retention.ms
  corelane topic delete orders --yes

docs/command-line.md says more, with the exit statuses and the JSON of --output json.";

/// Arguments of `corelane topic`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct TopicCommand {
    #[command(subcommand)]
    pub(super) action: TopicAction,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Subcommand, Debug)]
pub(super) enum TopicAction {
    /// Create topics
    Create(Create),
    /// List topics
    List(List),
    /// Show topics' partitions, offsets and configs that are not the default
    Describe(Describe),
    /// Add partitions, set and unset configs
    Alter(Alter),
    /// Delete topics with all their records
    Delete(Delete),
}

#[derive(Args, Debug)]
pub(super) struct Create {
    /// Topics to create, all alike
    #[arg(value_name = "TOPIC", required = true)]
    pub(super) names: Vec<String>,
    /// Number of partitions [default: the broker's num.partitions]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(super) partitions: Option<i32>,
    /// Number of replicas of each partition [default: the broker's default.replication.factor]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    pub(super) replication_factor: Option<i32>,
    /// Set a config of the topic; can be repeated
    #[arg(short, long = "config", value_name = "KEY=VALUE", value_parser = parse_config)]
    pub(super) configs: Vec<Assignment>,
    /// Succeed if the topic exists already, whatever it looks like
    #[arg(long)]
    pub(super) if_not_exists: bool,
    /// Have the broker check it, and create nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// Also list topics that belong to the brokers, such as __consumer_offsets
    #[arg(long)]
    pub(super) internal: bool,
}

#[derive(Args, Debug)]
pub(super) struct Describe {
    /// Topics to show
    #[arg(value_name = "TOPIC", required = true)]
    pub(super) names: Vec<String>,
}

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args(["partitions", "set", "unset"]))]
pub(super) struct Alter {
    /// Topics to change, all alike
    #[arg(value_name = "TOPIC", required = true)]
    pub(super) names: Vec<String>,
    /// Have so many partitions in all; they can only become more, and keyed records may then go to other partitions
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) partitions: Option<u32>,
    /// Set a config; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_config)]
    pub(super) set: Vec<Assignment>,
    /// Unset a config, so that what the broker is set to holds; can be repeated
    #[arg(long, value_name = "KEY")]
    pub(super) unset: Vec<String>,
}

#[derive(Args, Debug)]
pub(super) struct Delete {
    /// Topics to delete
    #[arg(value_name = "TOPIC", required = true)]
    pub(super) names: Vec<String>,
    /// Succeed if a topic does not exist
    #[arg(long)]
    pub(super) if_exists: bool,
    /// Do it without asking
    #[arg(long)]
    pub(super) yes: bool,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        topic: TopicCommand,
    }

    fn parsed(line: &str) -> Result<TopicCommand, clap::Error> {
        Command::try_parse_from(["topic"].into_iter().chain(line.split(' '))).map(|command| command.topic)
    }

    #[test]
    fn connection_arguments_stand_anywhere() {
        for line in ["--brokers b:1 --output json list --internal", "list --internal -b b:1 --output json"] {
            let command = parsed(line).unwrap();
            assert_eq!(command.connection.brokers, "b:1", "{line}");
            assert_eq!(command.connection.output, crate::cli::arguments::Output::Json, "{line}");
            assert!(matches!(command.action, TopicAction::List(List { internal: true })));
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in [
            "create",
            "create a --partitions 0",
            "create a --config x",
            "alter a",
            "alter a --set x",
            "delete",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
        let TopicAction::Create(create) = parsed("create a b -p 3 -r 1 -c x=y -c z=").unwrap().action else {
            panic!("create")
        };
        assert_eq!((create.names.len(), create.partitions, create.configs.len()), (2, Some(3), 2));
        assert!(parsed("alter a --partitions 4 --set a=b --unset c").is_ok());
    }
}
