//! Merges the threads' intervals into points over time and into totals.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::{Counts, Tally, Timeline};

/// Some percentiles of one interval, in ms; all 0 if nothing happened.
#[derive(Clone, Copy, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct Percentiles {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Largest.
    pub max: f64,
}

impl Percentiles {
    fn of(histogram: &Histogram<u64>) -> Self {
        if histogram.is_empty() {
            return Percentiles::default();
        }
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
        Percentiles { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: histogram.max() as f64 / 1e6 }
    }
}

/// One interval of all threads.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Point {
    /// Start, in seconds from the start of the window.
    pub start_s: f64,
    /// Length, in seconds.
    pub length_s: f64,
    /// Whether it lies behind the window: what was outstanding at its end is still being answered.
    pub is_drain: bool,
    /// What was counted.
    pub counts: Counts,
    /// Response times of the requests that were answered in the interval.
    pub response_ms: Percentiles,
    /// Their service times.
    pub service_ms: Percentiles,
    /// End-to-end latencies of the records that consumers got in the interval.
    pub end_to_end_ms: Percentiles,
}

/// A whole run.
#[derive(Clone, Default, Debug)]
pub struct Totals {
    /// Everything, the drain included.
    pub all: Tally,
    /// Counts of the window alone.
    pub window: Counts,
    /// Points over time.
    pub points: Vec<Point>,
}

/// Collects the intervals of so many threads.
#[derive(Debug)]
pub struct Merger {
    timeline: Timeline,
    threads: usize,
    open: BTreeMap<u32, (usize, Tally)>,
    totals: Totals,
}

impl Merger {
    /// For a run of so many threads.
    pub fn new(timeline: Timeline, threads: usize) -> Self {
        Merger { timeline, threads, open: BTreeMap::new(), totals: Totals::default() }
    }

    /// Takes one thread's interval, and returns the point if it was the last thread's.
    pub fn add(&mut self, interval: u32, tally: &Tally) -> Option<&Point> {
        let (reported, merged) = self.open.entry(interval).or_default();
        merged.add(tally, true);
        *reported += 1;
        (*reported == self.threads).then(|| self.close(interval))
    }

    /// Takes what no more threads will report on, and gives everything.
    pub fn finish(mut self) -> Totals {
        while let Some(interval) = self.open.first_key_value().map(|(interval, _)| *interval) {
            self.close(interval);
        }
        self.totals.points.sort_by(|one, other| one.start_s.total_cmp(&other.start_s));
        self.totals
    }

    fn close(&mut self, interval: u32) -> &Point {
        let (_, tally) = self.open.remove(&interval).expect("the caller has seen it");
        let is_drain = interval >= self.timeline.window_intervals();
        let (start_s, whole_s) = self.timeline.span_s(interval);
        let length_s = tally.cut_to_ns.map_or(whole_s, |ns| (ns as f64 / 1e9).clamp(1e-3, whole_s));
        let point = Point {
            start_s,
            length_s,
            is_drain,
            counts: tally.counts,
            response_ms: Percentiles::of(&tally.latencies.response),
            service_ms: Percentiles::of(&tally.latencies.service),
            end_to_end_ms: Percentiles::of(&tally.latencies.end_to_end),
        };
        if !is_drain {
            self.totals.window.add(&tally.counts, false);
        }
        self.totals.all.add(&tally, false);
        self.totals.points.push(point);
        self.totals.points.last().expect("just pushed")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn timeline() -> Timeline {
        Timeline::new(Duration::ZERO, Duration::from_secs(3))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn merged_percentiles_are_those_of_all_values_together(
            values in proptest::collection::vec((0u32..5, 0usize..3, 1u64..10_000_000_000), 1..300),
        ) {
            let mut tallies: BTreeMap<(u32, usize), Tally> = BTreeMap::new();
            for thread in 0..3 {
                for interval in 0..5 {
                    tallies.insert((interval, thread), Tally::default());
                }
            }
            let mut expected = super::super::histogram();
            for (interval, thread, value) in &values {
                let tally = tallies.get_mut(&(*interval, *thread)).unwrap();
                tally.latencies.response.record(*value).unwrap();
                tally.counts.acked_records += 1;
                expected.record(*value).unwrap();
            }
            let mut merger = Merger::new(timeline(), 3);
            for ((interval, _), tally) in &tallies {
                merger.add(*interval, tally);
            }
            let totals = merger.finish();
            for quantile in [0.5, 0.9, 0.99, 0.999, 1.0] {
                prop_assert_eq!(
                    totals.all.latencies.response.value_at_quantile(quantile),
                    expected.value_at_quantile(quantile)
                );
            }
            prop_assert_eq!(totals.all.counts.acked_records, values.len() as u64);
            let in_window = values.iter().filter(|(interval, ..)| *interval < 3).count() as u64;
            prop_assert_eq!(totals.window.acked_records, in_window);
            prop_assert_eq!(totals.points.len(), 5);
            prop_assert_eq!(totals.points.iter().map(|point| point.counts.acked_records).sum::<u64>(), values.len() as u64);
        }
    }

    #[test]
    fn an_interval_closes_with_its_last_thread_or_at_the_end() {
        let mut merger = Merger::new(timeline(), 2);
        let mut tally = Tally::default();
        tally.counts.in_flight_requests = 3;
        assert!(merger.add(0, &tally).is_none());
        assert_eq!(merger.add(0, &tally).unwrap().counts.in_flight_requests, 6);
        assert!(merger.add(1, &tally).is_none());
        let totals = merger.finish();
        assert_eq!(totals.points.len(), 2);
        // A state, not a sum over time.
        assert_eq!(totals.window.in_flight_requests, 3);
    }
}
