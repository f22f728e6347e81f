//! Whether the node is well, in words.

use super::collector::Answer;
use super::thread::Phase;

/// Why the node is not well, if so. A node that starts or stops is well.
pub(super) fn ailments(answers: &[Answer]) -> Vec<String> {
    let ailment = |(shard, answer): (usize, &Answer)| match answer {
        Answer::Report(report) => report
            .writer_failure
            .as_ref()
            .map(|reason| format!("shard {shard}: its writer is out of service: {reason}")),
        Answer::Silent => Some(format!("shard {shard}: it does not answer")),
        Answer::Gone => None,
    };
    answers.iter().enumerate().filter_map(ailment).collect()
}

/// Why the node takes no clients, if so.
pub(super) fn obstacle(phase: Phase) -> Option<&'static str> {
    match phase {
        Phase::Starting => Some("starting: journals are replayed, nothing is served yet"),
        Phase::Serving => None,
        Phase::Stopping => Some("stopping"),
    }
}
