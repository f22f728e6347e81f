//! `report.html`: one page that needs nothing else, neither files nor network.

use std::fmt::Write;

use super::axis::Scale;
use super::chart::{Chart, SERIES_MAX, Series};
use super::summary::{LATENCIES, remarks};
use super::{BrokerSide, LatencySummary, Overloaded, Report};
use crate::measure::Point;
use crate::settings::{format_bytes, format_count};

const STYLE: &str = include_str!("report.css");

/// The page of a report.
pub fn page(report: &Report) -> String {
    let mut body = String::new();
    header(&mut body, report);
    figures(&mut body, report);
    latency_table(&mut body, report);
    charts(&mut body, report);
    facts(&mut body, report);
    document(&report.started_at, &body)
}

/// A whole page around a body.
pub fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>loadgen {}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n",
        escape(title)
    )
}

/// Text that is safe inside of an element or attribute.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn header(body: &mut String, report: &Report) {
    let schedule = report.settings.get("schedule").filter(|_| report.mode == "open loop");
    let _ = write!(
        body,
        "<h1>Load report</h1><p class=\"sub\">{}{} &middot; {} &middot; {:.1} s measured &middot; {} {}</p>",
        escape(&report.mode),
        escape(&schedule.map(|schedule| format!(", {schedule}")).unwrap_or_default()),
        escape(&report.started_at),
        report.rates.window_s,
        escape(&report.tool.name),
        escape(&report.tool.version)
    );
    if let Some(reason) = &report.partial {
        let _ = write!(body, "<p class=\"warning\"><b>Partial results:</b> {}</p>", escape(reason));
    }
    for remark in remarks(report) {
        let _ = write!(body, "<p class=\"note\">{}</p>", escape(&remark));
    }
}

fn figures(body: &mut String, report: &Report) {
    let rates = &report.rates;
    let mut all = vec![
        ("offered", format_count(rates.offered_records_per_s), "records/s"),
        ("achieved", format_count(rates.achieved_records_per_s), "records/s"),
        ("throughput", format_bytes(rates.achieved_bytes_per_s), "per second"),
    ];
    if report.total.consumed_records > 0 {
        all.push(("consumed", format_count(rates.consumed_records_per_s), "records/s"));
    }
    if let Some(latency) = report.latency("response") {
        all.push(("response p99", format!("{:.2}", latency.p99), "ms"));
        all.push(("response p99.9", format!("{:.2}", latency.p999), "ms"));
    }
    body.push_str("<section class=\"figures\">");
    for (name, value, unit) in all {
        let _ = write!(body, "<div><span>{name}</span><b>{value}</b><i>{unit}</i></div>");
    }
    body.push_str("</section>");
}

fn latency_table(body: &mut String, report: &Report) {
    body.push_str(
        "<h2>Latency in ms</h2><div class=\"scroll\"><table><tr><th></th><th>count</th><th>mean</th><th>p50</th>\
         <th>p90</th><th>p95</th><th>p99</th><th>p99.9</th><th>p99.99</th><th>max</th></tr>",
    );
    for (name, title) in LATENCIES {
        let Some(latency) = report.latency(name) else { continue };
        let LatencySummary { mean, p50, p90, p95, p99, p999, p9999, max, .. } = *latency;
        let _ = write!(body, "<tr><th>{title}</th><td>{}</td>", format_count(latency.count as f64));
        for value in [mean, p50, p90, p95, p99, p999, p9999, max] {
            let _ = write!(body, "<td>{value:.3}</td>");
        }
        body.push_str("</tr>");
    }
    body.push_str("</table></div>");
}

fn charts(body: &mut String, report: &Report) {
    let curve = |name: &str, title: &'static str| {
        report.latency(name).map(|latency| Series { name: title.into(), points: latency.curve.clone() })
    };
    let by_percentile = [("response", "response"), ("service", "service"), ("end_to_end", "end to end")];
    let series: Vec<Series> =
        by_percentile.into_iter().filter_map(|(name, title)| curve(name, title)).collect();
    let (x_scale, y_scale) = (Scale::Percentile, Scale::Log);
    let chart = Chart { x_title: "percentile", y_title: "latency, ms", x_scale, y_scale, series };
    draw(body, "Latency by percentile", &chart);

    let over_time = |name: &'static str, value: fn(&Point) -> f64| Series {
        name: name.into(),
        points: report.points.iter().map(|point| (point.start_s, value(point))).collect(),
    };
    let (x_title, x_scale) = ("seconds from the start of the window", Scale::Linear);
    let series = vec![
        over_time("p50", |point| point.response_ms.p50),
        over_time("p99", |point| point.response_ms.p99),
        over_time("p99.9", |point| point.response_ms.p999),
        over_time("largest", |point| point.response_ms.max),
    ];
    let chart = Chart { x_title, y_title: "response time, ms", x_scale, y_scale: Scale::Log, series };
    draw(body, "Response time over time, by the interval of the answer", &chart);

    let mut series = vec![
        over_time("offered", |point| point.counts.offered_records as f64 / point.length_s),
        over_time("achieved", |point| point.counts.acked_records as f64 / point.length_s),
    ];
    if report.total.consumed_records > 0 {
        series.push(over_time("consumed", |point| point.counts.consumed_records as f64 / point.length_s));
    }
    let chart = Chart { x_title, y_title: "records/s", x_scale, y_scale: Scale::Linear, series };
    draw(body, "Offered and achieved throughput over time", &chart);

    let series = vec![
        over_time("waiting to be sent", |point| point.counts.waiting_requests as f64),
        over_time("in flight", |point| point.counts.in_flight_requests as f64),
    ];
    let chart = Chart { x_title, y_title: "requests", x_scale, y_scale: Scale::Linear, series };
    draw(body, "Requests outstanding at the end of each interval", &chart);
    if let Some(overload) = &report.overload {
        overload_charts(body, report, overload);
    }
}

fn overload_charts(body: &mut String, report: &Report, overload: &Overloaded) {
    let over_time = |name: &'static str, value: fn(&Point) -> f64| Series {
        name: name.into(),
        points: report.points.iter().map(|point| (point.start_s, value(point))).collect(),
    };
    let (x_title, x_scale, y_scale) = ("seconds from the start of the window", Scale::Linear, Scale::Linear);
    let series = vec![over_time("in flight", |point| point.counts.in_flight_bytes as f64 / 1e6)];
    let chart = Chart { x_title, y_title: "MB", x_scale, y_scale, series };
    draw(body, "Keys and values without an answer", &chart);
    let series = vec![
        over_time("blocked by TCP", |point| point.counts.blocked_ns as f64 / 1e9 / point.length_s),
        over_time("throttle time", |point| point.counts.throttle_ms as f64 / 1e3 / point.length_s),
    ];
    let chart = Chart { x_title, y_title: "seconds a second, all connections", x_scale, y_scale, series };
    draw(body, "How the broker held producers back", &chart);
    let series = vec![over_time("any one connection", |point| point.counts.answer_gap_ns_max as f64 / 1e6)];
    let chart = Chart { x_title, y_title: "ms, at most", x_scale, y_scale, series };
    draw(body, "Without an answer while requests were outstanding", &chart);
    broker_charts(body, &overload.broker);
}

fn broker_charts(body: &mut String, broker: &BrokerSide) {
    let (x_title, x_scale, y_scale) = ("seconds from the start of the window", Scale::Linear, Scale::Linear);
    let mut draw_if_any = |title, y_title, series: Vec<Series>| {
        if !series.is_empty() {
            draw(body, title, &Chart { x_title, y_title, x_scale, y_scale, series });
        }
    };
    if !broker.memory_bytes.is_empty() {
        let points = broker.memory_bytes.iter().map(|(at, bytes)| (*at, *bytes as f64 / 1e6)).collect();
        draw_if_any("The broker's memory", "MB", vec![Series { name: "resident".into(), points }]);
    }
    let fullest = broker.fullest_budgets().into_iter().take(SERIES_MAX).map(|(name, _)| Series {
        name: name.to_owned().into(),
        points: broker.budgets[name].parts().map(|(at, part)| (at, part * 100.0)).collect(),
    });
    draw_if_any("The broker's fullest budgets", "% used", fullest.collect());
    let longest = broker.longest_pauses().into_iter().take(SERIES_MAX).map(|(reason, _)| Series {
        name: reason.to_owned().into(),
        points: broker.paused_s_per_s[reason].clone(),
    });
    draw_if_any(
        "Connections that the broker paused, by reason",
        "seconds a second, all connections",
        longest.collect(),
    );
}

/// A chart with its title and legend.
pub fn draw(body: &mut String, title: &str, chart: &Chart) {
    let (svg, Chart { x_title, y_title, .. }) = (chart.svg(), chart);
    let _ = write!(body, "<h2>{title}</h2><figure aria-label=\"{y_title} by {x_title}\">{svg}<figcaption>");
    for (number, series) in chart.series.iter().enumerate() {
        let _ = write!(body, "<span class=\"key s{number}\">{}</span>", escape(&series.name));
    }
    body.push_str("</figcaption></figure>");
}

fn facts(body: &mut String, report: &Report) {
    let _ = write!(body, "<h2>How to repeat it</h2><pre>{}</pre>", escape(&report.command));
    let machine = &report.machine;
    let rows = [
        ("host", machine.host.clone()),
        ("CPU", format!("{} ({} usable)", machine.cpu, machine.cpus)),
        ("memory", format_bytes(machine.memory_bytes as f64)),
        ("kernel", format!("{} {}", machine.kernel, machine.architecture)),
        ("system", machine.system.clone()),
        ("CPU governor", machine.governor.clone()),
    ];
    table(body, "The machine of the load", rows.into_iter().filter(|(_, value)| !value.is_empty()));
    table(body, "The workload", report.settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let cluster = &report.cluster;
    let mut rows = vec![("cluster id".to_owned(), cluster.id.clone().unwrap_or_default())];
    rows.push(("partitions".to_owned(), cluster.partitions.to_string()));
    let version = report.overload.as_ref().and_then(|overload| overload.broker.version.clone());
    rows.extend(version.map(|version| ("version".to_owned(), version)));
    rows.extend(cluster.brokers.iter().map(|(id, address)| (format!("broker {id}"), address.clone())));
    table(body, "The brokers", rows.iter().map(|(name, value)| (name.as_str(), value.clone())));
    if !cluster.settings.is_empty() {
        let _ = write!(body, "<details><summary>What the brokers say about their settings</summary>");
        table(body, "", cluster.settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
        body.push_str("</details>");
    }
}

fn table<'a>(body: &mut String, title: &str, rows: impl Iterator<Item = (&'a str, String)>) {
    if !title.is_empty() {
        let _ = write!(body, "<h2>{title}</h2>");
    }
    body.push_str("<table class=\"facts\">");
    for (name, value) in rows {
        let _ = write!(body, "<tr><th>{}</th><td>{}</td></tr>", escape(name), escape(&value));
    }
    body.push_str("</table>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::test_support::report;

    #[test]
    fn a_page_needs_nothing_else_and_is_safe() {
        let mut report = report();
        report.command = "loadgen run --topic '<script>'".to_owned();
        report.partial = Some("a & b".to_owned());
        let page = page(&report);
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;") && page.contains("a &amp; b"));
        // The name of SVG's elements is an address that nobody visits.
        let page = page.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http://", "https://", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(page.matches("<svg").count(), 4);
        for tag in ["table", "section", "figure", "div", "details", "main"] {
            assert_eq!(
                page.matches(&format!("<{tag}")).count(),
                page.matches(&format!("</{tag}>")).count(),
                "{tag}"
            );
        }
    }
}
