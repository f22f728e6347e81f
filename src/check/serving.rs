//! What `serve` would say at its start.

use super::finding::{Finding, Status};
use super::tree::Tree;
use crate::config::{Config, Machine};
use crate::startup::{Checked, RunningBroker, examine};

/// Why the start-up checks matter; what they say names the remedy itself.
const WHY: &str = "`serve` looks at this before it starts";

/// Asks the start-up checks, without leaving a trace.
pub fn check(config: &Config, machine: &Machine, tree: &Tree) -> Vec<Finding> {
    let running = RunningBroker::find(config, tree.root());
    examine(config, machine, running.as_ref()).into_iter().flat_map(findings).collect()
}

fn findings(checked: Checked) -> Vec<Finding> {
    let Checked { subject, seen, result } = checked;
    let finding =
        |status, found: String| Finding { subject: subject.clone(), status, found, why: WHY, change: None };
    match result {
        Ok(warnings) if warnings.is_empty() => vec![finding(Status::Ok, seen)],
        Ok(warnings) => warnings.iter().map(|warning| finding(Status::Advice, warning.to_string())).collect(),
        Err(problems) => {
            problems.iter().map(|problem| finding(Status::Problem, problem.to_string())).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::startup::{Problem, Warning};

    #[test]
    fn each_check_is_a_finding() {
        let checked = |result| Checked { subject: "memory".into(), seen: "1 of 2 MiB".into(), result };
        let only = |result| {
            let found = findings(checked(result));
            assert_eq!(found.len(), 1);
            (found[0].status, found[0].found.clone())
        };
        assert_eq!(only(Ok(vec![])), (Status::Ok, "1 of 2 MiB".into()));
        let (status, text) = only(Ok(vec![Warning::ShardsCutByMemory { shards: 1, cpus: 2 }]));
        assert!(status == Status::Advice && text.contains("--memory higher"), "{text}");
        let (status, text) = only(Err(vec![Problem::UringDisabled { level: 2 }]));
        assert!(status == Status::Problem && text.contains("sysctl kernel.io_uring_disabled=0"), "{text}");
    }
}
