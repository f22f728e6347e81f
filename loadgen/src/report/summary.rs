//! The summary in the terminal.

use std::fmt::{self, Write};

use super::{LatencySummary, Report};
use crate::settings::{format_bytes, format_count};

/// Names of distributions, and what they are called.
pub const LATENCIES: [(&str, &str); 4] = [
    ("response", "response (from the intended send time)"),
    ("service", "service (from the send itself)"),
    ("send_delay", "send delay (intended to sent)"),
    ("end_to_end", "end to end (intended to consumed)"),
];

/// A run's figures, in lines.
pub fn summary(report: &Report) -> String {
    let mut text = String::new();
    figures(report, &mut text)
        .and_then(|()| all_remarks(report, &mut text))
        .expect("text takes what it is given");
    text.truncate(text.trim_end().len());
    text
}

fn figures(report: &Report, out: &mut String) -> fmt::Result {
    let rates = &report.rates;
    writeln!(out, "{}, {:.1} s measured", report.mode, rates.window_s)?;
    if let Some(reason) = &report.partial {
        writeln!(out, "PARTIAL RESULTS: {reason}")?;
    }
    writeln!(out)?;
    writeln!(out, "  offered    {:>14} records/s", format_count(rates.offered_records_per_s))?;
    writeln!(
        out,
        "  achieved   {:>14} records/s  {:>12}/s  {:>10} requests/s",
        format_count(rates.achieved_records_per_s),
        format_bytes(rates.achieved_bytes_per_s),
        format_count(rates.achieved_requests_per_s),
    )?;
    if report.total.consumed_records > 0 {
        let (records, bytes) = (rates.consumed_records_per_s, rates.consumed_bytes_per_s);
        writeln!(out, "  consumed   {:>14} records/s  {:>12}/s", format_count(records), format_bytes(bytes))?;
    }
    writeln!(out)?;
    let columns = ["p50", "p90", "p99", "p99.9", "p99.99", "max"];
    write!(out, "  {:<40}", "latency in ms")?;
    columns.iter().try_for_each(|column| write!(out, "{column:>11}"))?;
    writeln!(out)?;
    for (name, title) in LATENCIES {
        if let Some(latency) = report.latency(name) {
            latency_line(title, latency, out)?;
        }
    }
    Ok(())
}

fn latency_line(title: &str, latency: &LatencySummary, out: &mut String) -> fmt::Result {
    let LatencySummary { p50, p90, p99, p999, p9999, max, .. } = *latency;
    write!(out, "  {title:<40}")?;
    [p50, p90, p99, p999, p9999, max].iter().try_for_each(|value| write!(out, "{value:>11.3}"))?;
    writeln!(out)
}

fn all_remarks(report: &Report, out: &mut String) -> fmt::Result {
    let remarks = remarks(report);
    if !remarks.is_empty() {
        writeln!(out)?;
    }
    remarks.iter().try_for_each(|remark| writeln!(out, "  {remark}"))
}

/// What a reader must not overlook.
pub fn remarks(report: &Report) -> Vec<String> {
    let (total, mut remarks) = (&report.total, Vec::new());
    for (name, count) in &report.errors {
        remarks.push(format!("{count} requests were answered with {name}"));
    }
    if total.unsent_requests > 0 {
        remarks.push(format!(
            "{} requests were never sent, because those before them were not answered in time; they count with the \
             time that they waited, so the response times are lower bounds",
            total.unsent_requests
        ));
    }
    if total.unanswered_requests > 0 {
        remarks.push(format!(
            "{} requests were not answered before the end; they count with the time that they waited, so the \
             response times are lower bounds",
            total.unanswered_requests
        ));
    }
    if total.throttle_ms > 0 {
        remarks.push(format!("brokers asked to wait for {} ms in total (quotas)", total.throttle_ms));
    }
    if total.dropped_requests > 0 {
        remarks.push(format!(
            "{} requests were due in the overload and not sent when it ended; they were dropped, and have no latency",
            total.dropped_requests
        ));
    }
    if let Some(service) = report.latency("service") {
        remarks.extend(report.limits.distances(service.p50, report.rates.achieved_bytes_per_s));
    }
    if report.settings.get("acks").is_some_and(|acks| acks == "0") {
        remarks.push(
            "acks 0: nothing is answered; a request is done when the kernel has taken it, whatever becomes of it"
                .to_owned(),
        );
    }
    remarks
}
