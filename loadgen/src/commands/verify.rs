//! `loadgen verify`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::measure::run_number;
use super::{CommandError, Invocation};
use crate::client::prepare;
use crate::report::{Machine, Tool, utc_now, write_json};
use crate::settings::{Workload, format_count};
use crate::verify::{Finding, Ledger, Verdict, ends, produce, read_back};
use crate::workload::Supplies;

/// `verify.json`.
#[derive(Debug, Serialize)]
struct VerifyReport<'a> {
    tool: Tool,
    command: &'a str,
    started_at: &'a str,
    settings: &'a std::collections::BTreeMap<String, String>,
    machine: Machine,
    /// How often producers had to connect again, all together.
    reconnects: u64,
    /// Why not everything was sent or read; the counts are then those of a part.
    partial: Option<&'a str>,
    verdict: &'a Verdict,
}

/// Produces, reads everything back and judges. `patience`: how long brokers may be away.
pub fn verify(
    workload: Workload,
    patience: Duration,
    directory: Option<&Path>,
    invocation: &Invocation,
) -> Result<(), CommandError> {
    let started_at = utc_now();
    let (_, cluster) = prepare(&workload.brokers, &workload.topics)?;
    let starts = ends(&workload, patience)?;
    let workload = Arc::new(workload);
    let supplies = Supplies::new(Arc::clone(&workload), run_number(), cluster.partitions.len());
    let producers: Vec<_> = (0..workload.producers)
        .map(|number| {
            let (supplies, cluster) = (supplies.clone(), cluster.clone());
            std::thread::spawn(move || produce(number, &supplies, cluster, patience))
        })
        .collect();
    let (mut ledger, mut reconnects, mut partial) = (Ledger::default(), 0, None);
    for producer in producers {
        let produced = producer.join().map_err(|_| CommandError::Panicked)?;
        ledger.merge(produced.ledger);
        reconnects += produced.reconnects;
        partial = partial.or(produced.failure.map(|error| format!("a producer gave up: {error}")));
    }
    let read = ends(&workload, patience)
        .and_then(|ends| read_back(&workload, supplies.run, &starts, &ends, &mut ledger, patience));
    if let Err(error) = read {
        partial = partial.or(Some(format!("not everything could be read: {error}")));
    }
    let verdict = ledger.verdict();
    print(&verdict, reconnects, partial.as_deref());
    if let Some(directory) = directory {
        let report = VerifyReport {
            tool: Tool::this(),
            command: &invocation.command,
            started_at: &started_at,
            settings: &invocation.settings,
            machine: Machine::detect(),
            reconnects,
            partial: partial.as_deref(),
            verdict: &verdict,
        };
        write_json(directory, "verify.json", &report)?;
    }
    match partial {
        _ if !verdict.is_clean() => Err(CommandError::NotClean),
        Some(reason) => Err(CommandError::Partial(reason)),
        None => Ok(()),
    }
}

fn print(verdict: &Verdict, reconnects: u64, partial: Option<&str>) {
    if let Some(reason) = partial {
        say!("PARTIAL RESULTS: {reason}");
    }
    let lines = [
        ("sent", verdict.sent),
        ("acknowledged", verdict.acknowledged),
        ("read", verdict.read),
        ("lost (acknowledged, not there)", verdict.lost),
        ("not read, and so not known", verdict.unread),
        ("duplicated", verdict.duplicated),
        ("out of order", verdict.out_of_order),
        ("corrupted", verdict.corrupted),
        ("never sent", verdict.never_sent),
        ("there without acknowledgement (allowed)", verdict.unacknowledged_present),
        ("reconnects of producers", reconnects),
    ];
    for (name, count) in lines {
        say!("  {name:<42}{:>14}", format_count(count as f64));
    }
    for (finding, stream, sequence) in &verdict.examples {
        let what = match finding {
            Finding::Lost => "lost",
            Finding::Duplicated => "duplicated",
            Finding::OutOfOrder => "out of order",
            Finding::Corrupted => "corrupted",
            Finding::NeverSent => "never sent",
        };
        say!("    {what}: producer {}, partition {}, record {sequence}", stream.producer, stream.partition);
    }
    if verdict.is_clean() && partial.is_none() {
        say!("  everything acknowledged is there, in order, once");
    }
}
