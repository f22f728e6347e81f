//! `loadgen sweep`: raises the rate until latency breaks its bound, then closes in on the knee.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Serialize;

use super::measure::measure;
use super::run::stop_on_signals;
use super::{CommandError, Invocation};
use crate::measure::Totals;
use crate::report::{Machine, Rates, ReportError, SweepStep, Tool, sweep_page, utc_now, write_json};
use crate::settings::{Offered, REQUESTS_PER_S_MAX, Workload, format_count};

/// A rate is held if at least this part of it is achieved, less what may still be outstanding at the window's end.
const ACHIEVED_MIN: f64 = 0.98;
/// Between two rates a broker finishes what the last one left behind.
const PAUSE: Duration = Duration::from_secs(1);
/// Steps at most.
const STEPS_MAX: usize = 40;

/// Looks for the largest rate that holds. Pure.
#[derive(Clone, Copy, Debug)]
struct Search {
    next: f64,
    held: Option<f64>,
    broken: Option<f64>,
    resolution: f64,
}

impl Search {
    fn new(first: f64, resolution: f64) -> Self {
        Search { next: first, held: None, broken: None, resolution }
    }

    /// The rate to try, or `None` when the knee is known well enough.
    fn rate(&self) -> Option<f64> {
        match (self.held, self.broken) {
            (Some(held), Some(broken)) if broken <= held * (1.0 + self.resolution) => None,
            _ if self.next > REQUESTS_PER_S_MAX || self.next < 0.1 => None,
            _ => Some(self.next),
        }
    }

    /// Takes the outcome of the last rate.
    fn learn(&mut self, is_held: bool) {
        if is_held {
            self.held = Some(self.next);
        } else {
            self.broken = Some(self.next);
        }
        self.next = match (self.held, self.broken) {
            (Some(held), Some(broken)) => (held * broken).sqrt(),
            (Some(held), None) => held * 2.0,
            (None, Some(broken)) => broken / 2.0,
            (None, None) => self.next,
        };
    }
}

/// `sweep.json`.
#[derive(Serialize)]
struct SweepReport<'a> {
    tool: Tool,
    command: &'a str,
    started_at: &'a str,
    /// Why the search was not finished.
    partial: Option<&'a str>,
    settings: &'a std::collections::BTreeMap<String, String>,
    machine: &'a Machine,
    p99_bound_ms: f64,
    /// The highest rate that held, in records a second.
    knee_records_per_s: Option<f64>,
    steps: &'a [SweepStep],
}

/// Runs the workload at one rate after the other.
pub fn sweep(
    workload: Workload,
    p99: Duration,
    resolution: f64,
    directory: Option<&Path>,
    invocation: &Invocation,
) -> Result<(), CommandError> {
    let (started_at, stop) = (utc_now(), stop_on_signals()?);
    let Offered::Open { requests_per_s: first, schedule, burst } = workload.offered else {
        unreachable!("a sweep is resolved to an open loop")
    };
    let p99_bound_ms = p99.as_secs_f64() * 1e3;
    let mut search = Search::new(first, resolution);
    let (mut steps, mut partial): (Vec<SweepStep>, _) = (Vec::new(), None);
    say!("{:>14} {:>14} {:>10} {:>10} {:>10}", "offered/s", "achieved/s", "p50 ms", "p99 ms", "p99.9 ms");
    while let Some(requests_per_s) = search.rate().filter(|_| steps.len() < STEPS_MAX) {
        let offered = Offered::Open { requests_per_s, schedule, burst };
        let measured = match measure(Workload { offered, ..workload.clone() }, stop.clone(), |_| ()) {
            Ok(measured) => measured,
            Err(error) if steps.is_empty() => return Err(error),
            Err(error) => {
                partial = Some(error.to_string());
                break;
            }
        };
        if measured.partial.is_some() {
            partial = measured.partial;
            break;
        }
        let step = step(requests_per_s * f64::from(workload.batch), &measured.totals, p99_bound_ms);
        say!(
            "{:>14} {:>14} {:>10.3} {:>10.3} {:>10.3}  {}",
            format_count(step.offered_records_per_s),
            format_count(step.achieved_records_per_s),
            step.p50_ms,
            step.p99_ms,
            step.p999_ms,
            if step.is_held { "held" } else { "broken" }
        );
        search.learn(step.is_held);
        steps.push(step);
        if stop.load(Ordering::Acquire) {
            partial = Some("interrupted".to_owned());
            break;
        }
        std::thread::sleep(PAUSE);
    }
    let knee = search.held.map(|requests| requests * f64::from(workload.batch));
    match knee {
        Some(knee) => say!("\nknee: {} records/s hold p99 under {p99_bound_ms} ms", format_count(knee)),
        None => {
            say!("\nno rate that was tried holds p99 under {p99_bound_ms} ms; lower --from or raise --p99")
        }
    }
    if let Some(directory) = directory {
        let report = SweepReport {
            tool: Tool::this(),
            command: &invocation.command,
            started_at: &started_at,
            partial: partial.as_deref(),
            settings: &invocation.settings,
            machine: &Machine::detect(),
            p99_bound_ms,
            knee_records_per_s: knee,
            steps: &steps,
        };
        write(directory, &report)?;
    }
    match (partial, knee) {
        (Some(reason), _) => Err(CommandError::Partial(reason)),
        (None, None) => Err(CommandError::NoKnee),
        (None, Some(_)) => Ok(()),
    }
}

fn step(offered_records_per_s: f64, totals: &Totals, p99_bound_ms: f64) -> SweepStep {
    let response = &totals.all.latencies.response;
    let at = |quantile| response.value_at_quantile(quantile) as f64 / 1e6;
    let Rates { achieved_records_per_s, window_s, .. } = Rates::of(totals);
    // Requests of the last moment may be answered behind the window without having been slow.
    let outstanding = p99_bound_ms / 1e3 / window_s.max(1e-3);
    let is_held = at(0.99) <= p99_bound_ms
        && achieved_records_per_s >= offered_records_per_s * (ACHIEVED_MIN - outstanding)
        && totals.all.counts.failed_requests == 0;
    let (p50_ms, p99_ms, p999_ms) = (at(0.5), at(0.99), at(0.999));
    SweepStep { offered_records_per_s, achieved_records_per_s, p50_ms, p99_ms, p999_ms, is_held }
}

fn write(directory: &Path, report: &SweepReport<'_>) -> Result<(), ReportError> {
    let page =
        sweep_page(report.command, report.started_at, report.partial, report.p99_bound_ms, report.steps);
    write_json(directory, "sweep.json", report)?;
    let path = directory.join("sweep.html");
    std::fs::write(&path, page).map_err(|source| ReportError::Write { path, source })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_knee_is_found_from_wherever_the_search_begins(first in 1f64..1e6, capacity in 10f64..1e6) {
            let mut search = Search::new(first, 0.05);
            let mut steps = 0;
            while let Some(rate) = search.rate() {
                search.learn(rate <= capacity);
                steps += 1;
            }
            prop_assert!(steps <= STEPS_MAX, "{}", steps);
            let knee = search.held.unwrap();
            prop_assert!(knee <= capacity && knee * 1.05 >= capacity * 0.999, "{} of {}", knee, capacity);
        }
    }

    #[test]
    fn a_search_without_an_end_ends() {
        for always in [true, false] {
            let mut search = Search::new(1000.0, 0.05);
            let steps = std::iter::from_fn(|| search.rate().map(|_| search.learn(always))).count();
            assert!(steps <= STEPS_MAX);
        }
    }
}
