//! `loadgen compare DIR...`: reports side by side, with ratios to the first.

use std::io::{self, Write};
use std::path::PathBuf;

use super::CommandError;
use crate::report::{Report, read_report};
use crate::settings::format_count;

/// One line of the table: its name, and the value in a report.
type Row = (&'static str, fn(&Report) -> Option<f64>);

const ROWS: [Row; 14] = [
    ("offered, records/s", |it| Some(it.rates.offered_records_per_s)),
    ("achieved, records/s", |it| Some(it.rates.achieved_records_per_s)),
    ("achieved, MB/s", |it| Some(it.rates.achieved_bytes_per_s / 1e6)),
    ("consumed, records/s", |it| Some(it.rates.consumed_records_per_s).filter(|rate| *rate > 0.0)),
    ("response p50, ms", |it| it.latency("response").map(|latency| latency.p50)),
    ("response p99, ms", |it| it.latency("response").map(|latency| latency.p99)),
    ("response p99.9, ms", |it| it.latency("response").map(|latency| latency.p999)),
    ("response max, ms", |it| it.latency("response").map(|latency| latency.max)),
    ("service p50, ms", |it| it.latency("service").map(|latency| latency.p50)),
    ("service p99, ms", |it| it.latency("service").map(|latency| latency.p99)),
    ("service p99.9, ms", |it| it.latency("service").map(|latency| latency.p999)),
    ("end to end p50, ms", |it| it.latency("end_to_end").map(|latency| latency.p50)),
    ("end to end p99, ms", |it| it.latency("end_to_end").map(|latency| latency.p99)),
    ("end to end p99.9, ms", |it| it.latency("end_to_end").map(|latency| latency.p999)),
];

/// Reads the reports and prints the table.
pub fn compare(directories: &[PathBuf]) -> Result<(), CommandError> {
    let reports = directories.iter().map(|path| read_report(path)).collect::<Result<Vec<_>, _>>()?;
    print(directories, &reports, &mut io::stdout().lock())?;
    Ok(())
}

fn print(names: &[PathBuf], reports: &[Report], out: &mut impl Write) -> io::Result<()> {
    for (number, (name, report)) in names.iter().zip(reports).enumerate() {
        let partial =
            report.partial.as_ref().map(|reason| format!("  PARTIAL: {reason}")).unwrap_or_default();
        writeln!(
            out,
            "[{}] {}  {}{partial}\n    {}",
            number + 1,
            name.display(),
            report.mode,
            report.command
        )?;
    }
    for difference in differences(reports) {
        writeln!(out, "    differs: {difference}")?;
    }
    write!(out, "\n{:<22}", "")?;
    (1..=reports.len()).try_for_each(|number| write!(out, "{:>24}", format!("[{number}]")))?;
    writeln!(out)?;
    for (name, value) in ROWS {
        let values: Vec<Option<f64>> = reports.iter().map(value).collect();
        if values.iter().all(Option::is_none) {
            continue;
        }
        write!(out, "{name:<22}")?;
        for value in &values {
            write!(out, "{:>24}", cell(*value, values[0]))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// A value and its ratio to the first.
fn cell(value: Option<f64>, first: Option<f64>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let text = if value.abs() < 100.0 { format!("{value:.3}") } else { format_count(value) };
    match first {
        Some(first) if first > 0.0 => format!("{text}  x{:.2}", value / first),
        _ => text,
    }
}

/// Settings and machines that are not the same in all reports.
fn differences(reports: &[Report]) -> Vec<String> {
    let facts = |report: &Report| {
        let mut facts = report.settings.clone();
        let machine = &report.machine;
        facts.insert("machine".into(), format!("{} {} x{}", machine.host, machine.cpu, machine.cpus));
        facts.insert("kernel".into(), machine.kernel.clone());
        facts.remove("report");
        facts
    };
    let all: Vec<_> = reports.iter().map(facts).collect();
    let mut names: Vec<&String> = all.iter().flat_map(|facts| facts.keys()).collect();
    names.sort();
    names.dedup();
    let value = |facts: &std::collections::BTreeMap<String, String>, name: &String| {
        facts.get(name).cloned().unwrap_or_else(|| "-".to_owned())
    };
    names
        .into_iter()
        .map(|name| (name, all.iter().map(|facts| value(facts, name)).collect::<Vec<_>>()))
        .filter(|(_, values)| values.windows(2).any(|pair| pair[0] != pair[1]))
        .map(|(name, values)| format!("{name}: {}", values.join(" | ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::test_report;

    #[test]
    fn ratios_are_to_the_first_and_differences_are_named() {
        let (one, mut other) = (test_report(), test_report());
        other.rates.achieved_records_per_s *= 2.0;
        other.settings.insert("acks".into(), "1".into());
        other.latency_ms.clear();
        let mut out = Vec::new();
        print(&["a".into(), "b".into()], &[one, other], &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
        assert!(
            line("achieved, records/s").contains("x1.00") && line("achieved, records/s").ends_with("x2.00")
        );
        assert!(line("response p99, ms").ends_with('-'));
        assert!(text.contains("differs: acks: all | 1"));
        assert!(!text.contains("end to end"));
    }
}
