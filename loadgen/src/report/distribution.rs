//! Latencies as percentiles: for people, for plots, and as HdrHistogram's plotter reads them.

use std::fmt::Write;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Steps for each halving of the distance to 100 %, which is HdrHistogram's default.
const TICKS_PER_HALF: u32 = 5;

/// A distribution of latencies, in ms. All 0 if there is none.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct LatencySummary {
    /// Values in it.
    pub count: u64,
    /// Smallest.
    pub min: f64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// 99.99th percentile.
    pub p9999: f64,
    /// Largest.
    pub max: f64,
    /// The whole curve: quantiles (0 to 1) and values, both ascending.
    pub curve: Vec<(f64, f64)>,
}

impl LatencySummary {
    /// Of a histogram of ns.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return LatencySummary::default();
        }
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
        LatencySummary {
            count: histogram.len(),
            min: histogram.min() as f64 / 1e6,
            mean: histogram.mean() / 1e6,
            deviation: histogram.stdev() / 1e6,
            p50: at(0.5),
            p90: at(0.9),
            p95: at(0.95),
            p99: at(0.99),
            p999: at(0.999),
            p9999: at(0.9999),
            max: histogram.max() as f64 / 1e6,
            curve: histogram
                .iter_quantiles(TICKS_PER_HALF)
                .map(|step| (step.quantile_iterated_to(), step.value_iterated_to() as f64 / 1e6))
                .collect(),
        }
    }
}

/// The text of a `.hgrm` file, in ms: what HistogramLogProcessor writes and HdrHistogram's plotter reads.
pub fn hgrm(histogram: &Histogram<u64>) -> String {
    let mut text =
        format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut seen = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF) {
        seen += step.count_since_last_iteration();
        let (value, quantile) = (step.value_iterated_to() as f64 / 1e6, step.quantile_iterated_to());
        let _ = match quantile < 1.0 {
            true => {
                writeln!(text, "{value:>12.6} {quantile:>14.12} {seen:>10} {:>14.2}", 1.0 / (1.0 - quantile))
            }
            false => writeln!(text, "{value:>12.6} {quantile:>14.12} {seen:>10}"),
        };
    }
    let (mean, deviation) = (histogram.mean() / 1e6, histogram.stdev() / 1e6);
    let max = if histogram.is_empty() { 0.0 } else { histogram.max() as f64 / 1e6 };
    let _ = writeln!(text, "#[Mean    = {mean:>12.6}, StdDeviation   = {deviation:>12.6}]");
    let _ = writeln!(text, "#[Max     = {max:>12.6}, Total count    = {:>12}]", histogram.len());
    let _ = writeln!(text, "#[Buckets = {:>12}, SubBuckets     = {:>12}]", histogram.buckets(), 2048);
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::histogram;

    #[test]
    fn a_distribution_is_told_with_its_curve() {
        let mut latencies = histogram();
        (1..=1000u64).for_each(|ms| latencies.record(ms * 1_000_000).unwrap());
        let summary = LatencySummary::of(&latencies);
        assert!((summary.p50 / 500.0 - 1.0).abs() < 0.002 && (summary.p99 / 990.0 - 1.0).abs() < 0.002);
        assert_eq!(summary.count, 1000);
        assert!(summary.curve.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1));
        assert_eq!(LatencySummary::of(&histogram()), LatencySummary::default());
    }

    #[test]
    fn hgrm_files_have_the_form_that_the_plotter_reads() {
        let mut latencies = histogram();
        (1..=1000u64).for_each(|ms| latencies.record(ms * 1_000_000).unwrap());
        let text = hgrm(&latencies);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].trim_start().starts_with("Value") && lines[1].is_empty());
        // The plotter splits lines by spaces and takes those of four numbers; the last value has three.
        let rows: Vec<Vec<f64>> = lines[2..]
            .iter()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().map(|number| number.parse().unwrap()).collect())
            .collect();
        assert!(rows[..rows.len() - 1].iter().all(|row| row.len() == 4));
        let last = rows.last().unwrap();
        assert_eq!((last.len(), last[1], last[2]), (3, 1.0, 1000.0));
        assert_eq!(lines.iter().filter(|line| line.starts_with("#[")).count(), 3);
        assert!(hgrm(&histogram()).contains("Total count"));
    }
}
