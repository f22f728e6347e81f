//! Arguments of `corelane top`.

use std::time::Duration;

use clap::Args;

use super::super::arguments::Connection;
use crate::config::ValueError;
use crate::config::units::parse_duration;

const EXAMPLES: &str = "\
Keys: Tab goes to the next table, the arrows and Page keys move in it, s sorts by name or by what is most, q ends.

Examples:
  corelane top
  corelane top --admin 127.0.0.1:9644              # also latencies, shards and budgets of a Corelane node
  corelane top --once --interval 10s               # one look, as text
  corelane top --output json | jq .groups          # a line for each look, until Ctrl-C";

/// Arguments of `corelane top`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct TopCommand {
    #[command(flatten)]
    pub connection: Connection,
    /// Look so often; rates are of the time between two looks
    #[arg(short, long, value_name = "DURATION", value_parser = parse_interval, default_value = "2s")]
    pub interval: Duration,
    /// Admin port of a Corelane node: show its latencies, shards and budgets too
    #[arg(long, value_name = "HOST:PORT")]
    pub admin: Option<String>,
    /// Print what two looks show, and end
    #[arg(long)]
    pub once: bool,
    /// Also show topics that belong to the brokers: those that begin with __
    #[arg(long)]
    pub internal: bool,
}

/// Looks are not free to the brokers.
fn parse_interval(text: &str) -> Result<Duration, String> {
    let interval = parse_duration(text).map_err(|error: ValueError| error.to_string())?;
    let is_possible = (Duration::from_millis(100)..=Duration::from_secs(3600)).contains(&interval);
    if is_possible { Ok(interval) } else { Err("choose from 100ms to 1h".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_bounded() {
        assert_eq!(parse_interval("500ms"), Ok(Duration::from_millis(500)));
        assert!(["0s", "99ms", "2h", "5"].iter().all(|text| parse_interval(text).is_err()));
    }
}
