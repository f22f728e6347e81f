//! `sweep.html`.

use std::fmt::Write;

use serde::Serialize;

use super::axis::Scale;
use super::chart::{Chart, Series};
use super::html::{document, draw, escape};
use crate::settings::format_count;

/// One rate of a sweep.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct SweepStep {
    /// Records a second that were offered.
    pub offered_records_per_s: f64,
    /// Records a second that were acknowledged.
    pub achieved_records_per_s: f64,
    /// Median of the response time.
    pub p50_ms: f64,
    /// Its 99th percentile.
    pub p99_ms: f64,
    /// Its 99.9th percentile.
    pub p999_ms: f64,
    /// Whether the bound held.
    pub is_held: bool,
}

/// The page of a sweep.
pub fn sweep_page(
    command: &str,
    started_at: &str,
    partial: Option<&str>,
    p99_bound_ms: f64,
    steps: &[SweepStep],
) -> String {
    let mut steps = steps.to_vec();
    steps.sort_by(|one, other| one.offered_records_per_s.total_cmp(&other.offered_records_per_s));
    let mut body = format!(
        "<h1>Sweep</h1><p class=\"sub\">{} &middot; response p99 at most {p99_bound_ms} ms</p>",
        escape(started_at)
    );
    if let Some(reason) = partial {
        let _ = write!(body, "<p class=\"warning\"><b>Partial results:</b> {}</p>", escape(reason));
    }
    let line = |name: &'static str, value: fn(&SweepStep) -> f64| Series {
        name: name.into(),
        points: steps.iter().map(|step| (step.offered_records_per_s, value(step))).collect(),
    };
    let x_title = "offered, records/s";
    let (x_scale, y_scale) = (Scale::Linear, Scale::Linear);
    let series = vec![
        line("achieved", |it| it.achieved_records_per_s),
        line("offered", |it| it.offered_records_per_s),
    ];
    let chart = Chart { x_title, y_title: "records/s", x_scale, y_scale, series };
    draw(&mut body, "Offered against achieved", &chart);
    let series =
        vec![line("p50", |it| it.p50_ms), line("p99", |it| it.p99_ms), line("p99.9", |it| it.p999_ms)];
    let chart = Chart { x_title, y_title: "response time, ms", x_scale, y_scale: Scale::Log, series };
    draw(&mut body, "Response time by rate", &chart);
    body.push_str(
        "<h2>Steps</h2><table><tr><th>offered/s</th><th>achieved/s</th><th>p50 ms</th><th>p99 ms</th>\
         <th>p99.9 ms</th><th></th></tr>",
    );
    for step in &steps {
        let _ = write!(
            body,
            "<tr><td>{}</td><td>{}</td><td>{:.3}</td><td>{:.3}</td><td>{:.3}</td><td>{}</td></tr>",
            format_count(step.offered_records_per_s),
            format_count(step.achieved_records_per_s),
            step.p50_ms,
            step.p99_ms,
            step.p999_ms,
            if step.is_held { "held" } else { "broken" }
        );
    }
    let _ = write!(body, "</table><h2>How to repeat it</h2><pre>{}</pre>", escape(command));
    document(&format!("sweep {started_at}"), &body)
}
