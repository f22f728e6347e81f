//! Metrics as text: OpenMetrics, which Prometheus and everything that reads its format understands.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::registry::{Registry, Unit};

use super::collector::{Answer, Answers};
use super::families::all_families;
use super::family::{Family, Kind, Measure, Sample, Source, Value};
use super::process::Process;
use crate::base::meter::Distribution;

/// The type of the text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The node besides its shards.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Whether it serves.
    pub(super) is_ready: bool,
    /// `memory`
    pub(super) memory_bytes: u64,
    /// When the process started, in ms since 1970.
    pub(super) started_ms: i64,
    pub(super) process: Process,
}

/// Everything that is told at one time.
#[derive(Debug)]
struct Moment {
    node: Node,
    answers: Answers,
}

/// The text of all metrics.
pub(super) fn text(node: Node, answers: Answers) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Moment { node, answers }));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// Labels of one sample.
type Labels = Vec<(&'static str, String)>;

impl Collector for Moment {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for family in all_families() {
            let samples = self.samples(family);
            if samples.is_empty() {
                continue;
            }
            let (unit, kind) = (unit(family.measure), metric_type(family.kind));
            let mut metric = encoder.encode_descriptor(family.stem, family.help, unit.as_ref(), kind)?;
            for (labels, value) in samples {
                encode_sample(&mut metric, family, labels, &value)?;
            }
        }
        Ok(())
    }
}

impl Moment {
    fn samples(&self, family: &Family) -> Vec<(Labels, Value)> {
        let labelled = |shard: Option<usize>, (label, value): Sample| {
            let shard = shard.map(|shard| ("shard", shard.to_string()));
            (shard.into_iter().chain(family.label.zip(label)).collect(), value)
        };
        let of_shard = |(shard, answer): (usize, &Answer)| {
            let samples = match (&family.source, answer) {
                (Source::Answer(values), answer) => values(answer),
                (Source::Shard(values), Answer::Report(report)) => values(report),
                _ => Vec::new(),
            };
            samples.into_iter().map(move |sample| labelled(Some(shard), sample)).collect::<Vec<_>>()
        };
        match &family.source {
            Source::Node(values) => {
                values(&self.node).into_iter().map(|sample| labelled(None, sample)).collect()
            }
            _ => self.answers.iter().enumerate().flat_map(of_shard).collect(),
        }
    }
}

fn encode_sample(
    metric: &mut MetricEncoder,
    family: &Family,
    labels: Labels,
    value: &Value,
) -> Result<(), fmt::Error> {
    if family.kind == Kind::Info {
        return metric.encode_info(&labels);
    }
    if labels.is_empty() {
        return encode_value(metric, family, value);
    }
    encode_value(&mut metric.encode_family(&labels)?, family, value)
}

fn encode_value(metric: &mut MetricEncoder, family: &Family, value: &Value) -> Result<(), fmt::Error> {
    let no_exemplar = None::<&Exemplar<Labels, f64>>;
    match (family.kind, value) {
        (Kind::Counter, Value::Whole(count)) => metric.encode_counter(count, no_exemplar),
        (Kind::Counter, Value::Seconds(seconds)) => metric.encode_counter(seconds, no_exemplar),
        // Prometheus' numbers are floating point anyway.
        (_, Value::Whole(count)) => metric.encode_gauge(&(*count as f64)),
        (_, Value::Seconds(seconds)) => metric.encode_gauge(seconds),
        (_, Value::Distribution(distribution)) => encode_histogram(metric, family.measure, distribution),
    }
}

fn encode_histogram(
    metric: &mut MetricEncoder,
    measure: Measure,
    distribution: &Distribution,
) -> Result<(), fmt::Error> {
    let scale = if measure == Measure::Seconds { 1e9 } else { 1.0 };
    let scaled = |value: u64| value as f64 / scale;
    let buckets: Vec<_> =
        distribution.buckets().map(|(bound, count)| (bound.map_or(f64::INFINITY, scaled), count)).collect();
    metric.encode_histogram::<Labels>(scaled(distribution.sum), distribution.count(), &buckets, None)
}

fn unit(measure: Measure) -> Option<Unit> {
    match measure {
        Measure::Things => None,
        Measure::Bytes => Some(Unit::Bytes),
        Measure::Seconds => Some(Unit::Seconds),
    }
}

fn metric_type(kind: Kind) -> MetricType {
    match kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Histogram => MetricType::Histogram,
        Kind::Info => MetricType::Info,
    }
}
