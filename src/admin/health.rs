//! Whether the node is well, in words.

use super::collector::Answer;
use super::thread::Phase;
use crate::shard::ShardReport;

/// Why the node is not well, if so. A node that starts or stops is well.
pub(super) fn ailments(answers: &[Answer]) -> Vec<String> {
    let of_shard = |(shard, answer): (usize, &Answer)| -> Vec<String> {
        match answer {
            Answer::Report(report) => {
                let damage = report.damage.iter().map(|damage| format!("shard {shard}: {damage}"));
                let stall = report.stall.iter().map(|stall| format!("shard {shard}: {stall}"));
                writer_failure(shard, report).into_iter().chain(stall).chain(damage).collect()
            }
            Answer::Silent => vec![format!("shard {shard}: it does not answer")],
            Answer::Gone => Vec::new(),
        }
    };
    // All shards have one disk: the first says it for all.
    let disk_full = reports(answers).find_map(|(_, report)| report.disk_full.as_deref()).map(str::to_owned);
    answers.iter().enumerate().flat_map(of_shard).chain(disk_full).collect()
}

/// Why the node takes no clients, if so.
pub(super) fn obstacle(phase: Phase) -> Option<&'static str> {
    match phase {
        Phase::Starting => Some("starting: journals are replayed, nothing is served yet"),
        Phase::Serving => None,
        Phase::Stopping => Some("stopping"),
    }
}

/// Why a part of the partitions takes no records until the broker is started again, if so.
pub(super) fn writer_failures(answers: &[Answer]) -> Vec<String> {
    reports(answers).filter_map(|(shard, report)| writer_failure(shard, report)).collect()
}

fn writer_failure(shard: usize, report: &ShardReport) -> Option<String> {
    let reason = report.writer_failure.as_ref()?;
    Some(format!("shard {shard}: its writer is out of service: {reason}"))
}

fn reports(answers: &[Answer]) -> impl Iterator<Item = (usize, &ShardReport)> {
    answers.iter().enumerate().filter_map(|(shard, answer)| match answer {
        Answer::Report(report) => Some((shard, &**report)),
        Answer::Silent | Answer::Gone => None,
    })
}
