//! A report to change in tests.

use std::time::Duration;

use super::model::FORMAT;
use super::{ClusterInfo, LatencySummary, Limits, Machine, Rates, Report, Tool};
use crate::measure::{Merger, Tally, Timeline};

/// Three seconds of a thousand records a second, with latencies of 1 to 1,000 us.
pub fn report() -> Report {
    let mut merger = Merger::new(Timeline::new(Duration::ZERO, Duration::from_secs(3)), 1);
    for interval in 0..3 {
        let mut tally = Tally::default();
        tally.counts.offered_records = 1000;
        tally.counts.acked_records = 1000;
        (1..=1000u64).for_each(|us| tally.latencies.response.record(us * 1000).unwrap());
        merger.add(interval, &tally);
    }
    let totals = merger.finish();
    Report {
        format: FORMAT,
        tool: Tool { name: "loadgen".into(), version: "0".into() },
        command: "loadgen run".into(),
        started_at: "2026-01-01T00:00:00Z".into(),
        partial: None,
        mode: "open loop".into(),
        settings: [("acks".to_owned(), "all".to_owned())].into(),
        machine: Machine::default(),
        cluster: ClusterInfo { settings: [("a".to_owned(), "b".to_owned())].into(), ..Default::default() },
        rates: Rates::of(&totals),
        latency_ms: [("response".to_owned(), LatencySummary::of(&totals.all.latencies.response))].into(),
        window: totals.window,
        total: totals.all.counts,
        errors: totals.all.errors.clone(),
        overload: None,
        limits: Limits::default(),
        points: totals.points,
    }
}
