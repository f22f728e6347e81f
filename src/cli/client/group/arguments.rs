//! Arguments of `corelane group`.

use std::str::FromStr;

use clap::{Args, Subcommand};

use super::super::arguments::Connection;
use super::super::position::Position;

const EXAMPLES: &str = "\
Examples:
  corelane group list
  corelane group describe billing
  corelane group reset billing --topic orders --to earliest --dry-run
  corelane group reset billing --topic orders:0,3 --to 2026-01-31T12:00:00+01:00
  corelane group reset billing --all-topics --to -100 --yes
  corelane group delete billing --yes

docs/command-line.md says more, with the exit statuses and the JSON of --output json.";

const POSITIONS: &str = "\
POSITION is one of
  earliest | latest           the oldest record, or behind the newest
  17                          this offset
  -10 | +10                   so many records back or on from what is committed
  2026-01-31T12:00:00+01:00   the first record of this time or later; the zone may also be Z or [Europe/Berlin]
  -1h30m | '-2 days'          so long ago
An offset below the oldest record or behind the newest one becomes that.";

/// Arguments of `corelane group`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct GroupCommand {
    #[command(subcommand)]
    pub action: GroupAction,
    #[command(flatten)]
    pub connection: Connection,
}

/// What to do with groups.
#[derive(Subcommand, Debug)]
pub enum GroupAction {
    /// List consumer groups with their states
    List,
    /// Show a group's members, and how far it is behind in each partition
    Describe(Describe),
    /// Have a group go on from another place
    Reset(Reset),
    /// Delete groups with their committed offsets
    Delete(Delete),
}

/// Arguments of `corelane group describe`.
#[derive(Args, Debug)]
pub struct Describe {
    /// The group
    #[arg(value_name = "GROUP")]
    pub name: String,
}

/// Arguments of `corelane group reset`.
#[derive(Args, Debug)]
#[command(after_help = POSITIONS)]
pub struct Reset {
    /// The group; it must not have members, and is made if there is none
    #[arg(value_name = "GROUP")]
    pub name: String,
    /// Topic to reset, or some of its partitions; can be repeated
    #[arg(short, long = "topic", value_name = "TOPIC[:P,...]", required_unless_present = "all_topics")]
    pub topics: Vec<Selection>,
    /// Reset all partitions of which the group has committed offsets
    #[arg(long, conflicts_with = "topics")]
    pub all_topics: bool,
    /// Where to go on
    #[arg(long, value_name = "POSITION", allow_hyphen_values = true)]
    pub to: Position,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
}

/// Arguments of `corelane group delete`.
#[derive(Args, Debug)]
pub struct Delete {
    /// Groups to delete; they must not have members
    #[arg(value_name = "GROUP", required = true)]
    pub names: Vec<String>,
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
}

/// A topic, or some of its partitions: `orders`, `orders:3`, `orders:0,3`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selection {
    /// The topic.
    pub topic: String,
    /// The partitions; none means all.
    pub partitions: Vec<i32>,
}

impl FromStr for Selection {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (topic, numbers) = match text.split_once(':') {
            None => (text, None),
            Some((topic, numbers)) => (topic, Some(numbers)),
        };
        if topic.is_empty() {
            return Err("write TOPIC or TOPIC:P,...");
        }
        let number = |number: &str| {
            let parsed = number.parse().ok().filter(|partition: &i32| *partition >= 0);
            parsed.ok_or("partitions are numbers: TOPIC:0,3")
        };
        let partitions = numbers.map(|numbers| numbers.split(',').map(number).collect()).transpose()?;
        Ok(Self { topic: topic.to_owned(), partitions: partitions.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        group: GroupCommand,
    }

    fn parsed(line: &str) -> Result<GroupAction, clap::Error> {
        let words = ["group"].into_iter().chain(line.split(' '));
        Command::try_parse_from(words).map(|command| command.group.action)
    }

    #[test]
    fn selections() {
        let selection = |topic: &str, partitions: &[i32]| {
            Ok(Selection { topic: topic.to_owned(), partitions: partitions.to_vec() })
        };
        assert_eq!("t".parse(), selection("t", &[]));
        assert_eq!("t:3".parse(), selection("t", &[3]));
        assert_eq!("t:0,3".parse(), selection("t", &[0, 3]));
        for wrong in ["", ":3", "t:", "t:x", "t:-1", "t:1,"] {
            assert!(wrong.parse::<Selection>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_reset_says_of_what_and_where_to() {
        let GroupAction::Reset(reset) = parsed("reset g --topic t:1 --topic u --to -10 --dry-run").unwrap()
        else {
            panic!("reset")
        };
        assert_eq!((reset.topics.len(), reset.to, reset.dry_run), (2, Position::Relative(-10), true));
        assert!(matches!(parsed("reset g --all-topics --to -1h"), Ok(GroupAction::Reset(_))));
        for line in ["reset g --to 1", "reset g --topic t", "reset g --topic t --all-topics --to 1", "delete"]
        {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
