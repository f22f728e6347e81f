//! `report.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{LatencySummary, Limits, Machine, Overloaded};
use crate::measure::{Counts, Point, Totals};

/// The version of the format; a reader refuses others.
pub const FORMAT: u32 = 1;

/// Everything about one run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: u32,
    /// This program.
    pub tool: Tool,
    /// The command line that repeats the run.
    pub command: String,
    /// The start, in UTC.
    pub started_at: String,
    /// Why the figures are not those of a whole run; `null` if they are.
    pub partial: Option<String>,
    /// `open loop` or `closed loop`.
    pub mode: String,
    /// The workload, by flag.
    pub settings: BTreeMap<String, String>,
    /// The machine of the load.
    pub machine: Machine,
    /// The brokers.
    pub cluster: ClusterInfo,
    /// Rates over the window.
    pub rates: Rates,
    /// Distributions by name: `response`, `service`, `send_delay`, `end_to_end`.
    pub latency_ms: BTreeMap<String, LatencySummary>,
    /// Counts of the window.
    pub window: Counts,
    /// Counts of window and drain.
    pub total: Counts,
    /// Errors of requests, by Kafka's name.
    pub errors: BTreeMap<String, u64>,
    /// What an overload showed; `null` where there was none.
    pub overload: Option<Overloaded>,
    /// What the machine can do at most, where that was measured.
    pub limits: Limits,
    /// One point for each interval.
    pub points: Vec<Point>,
}

/// A program and its version.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Tool {
    /// This program.
    pub fn this() -> Tool {
        Tool { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// The brokers as they describe themselves.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct ClusterInfo {
    /// The cluster's id.
    pub id: Option<String>,
    /// Addresses by broker id.
    pub brokers: BTreeMap<i32, String>,
    /// Partitions that were used.
    pub partitions: usize,
    /// What one broker, and the first topic, say about their configuration.
    pub settings: BTreeMap<String, String>,
}

/// Rates over the window.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Rates {
    /// Length of the window that was measured, in seconds.
    pub window_s: f64,
    /// Records a second that the schedule asked for, or that a closed loop began.
    pub offered_records_per_s: f64,
    /// Records a second that were acknowledged.
    pub achieved_records_per_s: f64,
    /// Their bytes of keys and values.
    pub achieved_bytes_per_s: f64,
    /// Requests a second that were acknowledged.
    pub achieved_requests_per_s: f64,
    /// Records a second that consumers got.
    pub consumed_records_per_s: f64,
    /// Their bytes of keys and values.
    pub consumed_bytes_per_s: f64,
}

impl Rates {
    /// Over the part of the window that there are points of.
    pub fn of(totals: &Totals) -> Rates {
        let window_s: f64 =
            totals.points.iter().filter(|point| !point.is_drain).map(|point| point.length_s).sum();
        let per_s = |count: u64| if window_s > 0.0 { count as f64 / window_s } else { 0.0 };
        let window = &totals.window;
        Rates {
            window_s,
            offered_records_per_s: per_s(window.offered_records),
            achieved_records_per_s: per_s(window.acked_records),
            achieved_bytes_per_s: per_s(window.acked_bytes),
            achieved_requests_per_s: per_s(window.acked_requests),
            consumed_records_per_s: per_s(window.consumed_records),
            consumed_bytes_per_s: per_s(window.consumed_bytes),
        }
    }
}

impl Report {
    /// A distribution by name.
    pub fn latency(&self, name: &str) -> Option<&LatencySummary> {
        self.latency_ms.get(name).filter(|latency| latency.count > 0)
    }
}

/// The command line of this process, quoted for a shell.
pub fn repeat_command(arguments: impl Iterator<Item = String>) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "-_./:=,+@%".contains(it);
    let quote = |argument: String| match !argument.is_empty() && argument.chars().all(is_plain) {
        true => argument,
        false => format!("'{}'", argument.replace('\'', r"'\''")),
    };
    arguments.map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_survive_a_shell() {
        let arguments = ["loadgen", "--topic", "it's", "", "a b", "--rate", "50MB/s"];
        let command = repeat_command(arguments.iter().map(|text| text.to_string()));
        assert_eq!(command, r"loadgen --topic 'it'\''s' '' 'a b' --rate 50MB/s");
    }
}
