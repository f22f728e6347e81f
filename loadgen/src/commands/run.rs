//! `loadgen run`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};

use super::CommandError;
use super::measure::{Measured, measure};
use crate::measure::Totals;
use crate::report::{LatencySummary, Limits, Machine, Rates, Report, Tool, summary, utc_now, write_report};
use crate::settings::{Offered, Workload};

/// How the program was called.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The command line.
    pub command: String,
    /// All flags with their values.
    pub settings: BTreeMap<String, String>,
}

/// Runs a workload, prints the summary and writes the report.
pub fn run(
    workload: Workload,
    directory: Option<&Path>,
    invocation: &Invocation,
) -> Result<(), CommandError> {
    let started_at = utc_now();
    let mode = mode(&workload);
    let measured = measure(workload, stop_on_signals()?, |_| ())?;
    let report = report(&measured, mode, started_at, directory, invocation);
    conclude(report, &measured, directory, |_| ())
}

/// Writes the report and prints its summary and what `more` has to say; an error if not everything was done.
pub fn conclude(
    report: Report,
    measured: &Measured,
    directory: Option<&Path>,
    more: impl FnOnce(&Report),
) -> Result<(), CommandError> {
    if let Some(directory) = directory {
        write_report(directory, &report, &measured.totals.all.latencies)?;
    }
    say!("{}", summary(&report));
    more(&report);
    if let Some(directory) = directory {
        say!("\n  report: {}", directory.join("report.html").display());
    }
    match report.partial {
        Some(reason) => Err(CommandError::Partial(reason)),
        None if report.total.failed_requests > 0 => {
            Err(CommandError::RequestsFailed(report.total.failed_requests))
        }
        None => Ok(()),
    }
}

/// Set by the first SIGINT or SIGTERM; the second ends the process at once.
pub fn stop_on_signals() -> Result<Arc<AtomicBool>, CommandError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal finds the flag unset.
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&stop))?;
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

fn mode(workload: &Workload) -> &'static str {
    match workload.offered {
        _ if workload.producers == 0 => "consumers only",
        Offered::Open { .. } => "open loop",
        Offered::Overload(_) => "overload (open loop)",
        Offered::Closed | Offered::Saturated => "closed loop (latency leaves out what would have waited)",
    }
}

/// What a run gave, with everything that belongs to it. `directory`: where limits of the machine may be found.
pub fn report(
    measured: &Measured,
    mode: &str,
    started_at: String,
    directory: Option<&Path>,
    invocation: &Invocation,
) -> Report {
    let Measured { totals, partial, cluster, .. } = measured;
    Report {
        format: crate::report::FORMAT,
        tool: Tool::this(),
        command: invocation.command.clone(),
        started_at,
        partial: partial.clone(),
        mode: mode.to_owned(),
        settings: invocation.settings.clone(),
        machine: Machine::detect(),
        cluster: cluster.clone(),
        rates: Rates::of(totals),
        latency_ms: latencies(totals),
        window: totals.window,
        total: totals.all.counts,
        errors: totals.all.errors.clone(),
        overload: None,
        limits: directory.map(Limits::read).unwrap_or_default(),
        points: totals.points.clone(),
    }
}

fn latencies(totals: &Totals) -> BTreeMap<String, LatencySummary> {
    let all = &totals.all.latencies;
    [
        ("response", &all.response),
        ("service", &all.service),
        ("send_delay", &all.send_delay),
        ("end_to_end", &all.end_to_end),
    ]
    .into_iter()
    .filter(|(_, histogram)| !histogram.is_empty())
    .map(|(name, histogram)| (name.to_owned(), LatencySummary::of(histogram)))
    .collect()
}
