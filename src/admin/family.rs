//! What a metric is: its name, its meaning, and where its values come from. `families` has all of them.

use super::collector::Answer;
use super::exposition::Node;
use crate::base::meter::Distribution;
use crate::shard::ShardReport;

/// What a metric is to Prometheus.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Only grows; its name ends with `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Numbers of values at most as large as each of some bounds.
    Histogram,
    /// A constant 1 with a label; its name ends with `_info`.
    Info,
}

/// In what a metric is measured; its name says so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Measure {
    /// Numbers of things.
    Things,
    /// Bytes.
    Bytes,
    /// Seconds. Histograms of them hold ns.
    Seconds,
}

/// One value.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    /// A number of things or bytes.
    Whole(u64),
    /// Seconds.
    Seconds(f64),
    /// A histogram.
    Distribution(Distribution),
}

/// A value with what stands for the family's label, where it has one.
pub(super) type Sample = (Option<String>, Value);

/// Where the values come from.
pub(super) enum Source {
    /// The node.
    Node(fn(&Node) -> Vec<Sample>),
    /// Whether a shard has answered, and what.
    Answer(fn(&Answer) -> Vec<Sample>),
    /// A shard's report.
    Shard(fn(&ShardReport) -> Vec<Sample>),
}

/// One metric.
pub(super) struct Family {
    /// The name without what measure and kind append.
    pub(super) stem: &'static str,
    pub(super) kind: Kind,
    pub(super) measure: Measure,
    /// Its label; those of shards have `shard` besides.
    pub(super) label: Option<&'static str>,
    /// What it tells, in a sentence or two.
    pub(super) help: &'static str,
    pub(super) source: Source,
}

/// A metric without a label of its own.
pub(super) const fn family(
    stem: &'static str,
    (kind, measure): (Kind, Measure),
    help: &'static str,
    source: Source,
) -> Family {
    Family { stem, kind, measure, label: None, help, source }
}

impl Family {
    /// Its values are told apart by this label.
    pub(super) const fn by(mut self, label: &'static str) -> Family {
        self.label = Some(label);
        self
    }
}

// What most metrics are.
pub(super) const COUNTER: (Kind, Measure) = (Kind::Counter, Measure::Things);
pub(super) const BYTES_COUNTER: (Kind, Measure) = (Kind::Counter, Measure::Bytes);
pub(super) const SECONDS_COUNTER: (Kind, Measure) = (Kind::Counter, Measure::Seconds);
pub(super) const GAUGE: (Kind, Measure) = (Kind::Gauge, Measure::Things);
pub(super) const BYTES_GAUGE: (Kind, Measure) = (Kind::Gauge, Measure::Bytes);
pub(super) const SECONDS_GAUGE: (Kind, Measure) = (Kind::Gauge, Measure::Seconds);
pub(super) const SECONDS: (Kind, Measure) = (Kind::Histogram, Measure::Seconds);
pub(super) const BYTES: (Kind, Measure) = (Kind::Histogram, Measure::Bytes);

/// One number.
pub(super) fn one(value: u64) -> Vec<Sample> {
    vec![(None, Value::Whole(value))]
}

/// 1 if it is so.
pub(super) fn one_if(is_so: bool) -> Vec<Sample> {
    one(u64::from(is_so))
}

/// One time.
pub(super) fn seconds(value: f64) -> Vec<Sample> {
    vec![(None, Value::Seconds(value))]
}

/// A value for each item, told apart by its name.
pub(super) fn each<T>(items: &[T], name: fn(&T) -> &str, value: fn(&T) -> Value) -> Vec<Sample> {
    items.iter().map(|item| (Some(name(item).to_owned()), value(item))).collect()
}
