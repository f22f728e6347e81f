//! Arguments of `corelane consume`.

use clap::Args;

use super::super::arguments::Connection;
use super::super::error::ClientError;
use super::super::position::Position;
use super::super::produce::{Separator, separator};

const EXAMPLES: &str = "\
POSITION is one of
  earliest | latest           the oldest record, or behind the newest
  17                          this offset
  -10 | +10                   so many records before the end, or behind the oldest, of each partition
  2026-01-31T12:00:00+01:00   the first record of this time or later; the zone may also be Z or [Europe/Berlin]
  -1h30m | '-2 days'          so long ago
  committed                   where the group of --group goes on

Examples:
  corelane consume orders                              # everything that is there, then stop
  corelane consume orders --from latest --follow       # what comes from now on
  corelane consume orders --from -1h --keys | sort
  corelane consume orders --partition 0 --from 17 --count 1 --output json
  corelane consume orders --group billing              # where the group goes on; commits what was printed";

/// Arguments of `corelane consume`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ConsumeCommand {
    #[command(flatten)]
    pub connection: Connection,
    /// Topic to read
    pub topic: String,
    /// Where to begin; with --group, where partitions begin of which the group has committed nothing [default:
    /// earliest]
    #[arg(short = 'o', long, visible_alias = "offset", value_name = "POSITION", allow_hyphen_values = true)]
    pub from: Option<Position>,
    /// Read only these partitions
    #[arg(short, long, value_name = "P,...", value_delimiter = ',', conflicts_with = "group",
        value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Vec<i32>,
    /// Stop after so many records
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Go on with what comes, until Ctrl-C, instead of stopping at what was the end at the start
    #[arg(short, long)]
    pub follow: bool,
    /// Join this group: share the partitions with its other members, go on where it stopped, commit what was printed
    #[arg(short, long)]
    pub group: Option<String>,
    /// Print keys before values
    #[arg(long)]
    pub keys: bool,
    /// What stands between key and value; \t is a tab
    #[arg(long, value_name = "TEXT", default_value = "\\t", value_parser = separator)]
    pub key_separator: Separator,
}

impl ConsumeCommand {
    /// Where to begin, if that goes together with the rest.
    pub fn position(&self) -> Result<Position, ClientError> {
        let usage = |text: String| Err(ClientError::Usage(text));
        match (self.from, &self.group) {
            (Some(Position::Committed), None) => usage("--from committed needs --group".to_owned()),
            (None, _) => Ok(Position::Earliest),
            (Some(Position::Committed), Some(_)) => Ok(Position::Earliest),
            (Some(position @ (Position::Earliest | Position::Latest)), _) => Ok(position),
            (Some(_), Some(group)) => usage(format!(
                "a group goes on where it has stopped; `corelane group reset {group}` moves it to an offset or a time"
            )),
            (Some(position), None) => Ok(position),
        }
    }
}
