//! Whether the shards' CPUs exist for this process.

use std::collections::BTreeSet;

use super::problem::{Problem, Warning};

/// Refuses CPUs outside the process's affinity or cpuset, since pinning to them would fail; says so where
/// shards share CPUs.
pub fn check(shard_cpus: &[usize], allowed: &[usize]) -> Result<Option<Warning>, Problem> {
    let distinct: BTreeSet<usize> = shard_cpus.iter().copied().collect();
    let denied: Vec<usize> = distinct.iter().copied().filter(|cpu| !allowed.contains(cpu)).collect();
    if !denied.is_empty() {
        return Err(Problem::CpusNotAllowed { wanted: list(&denied), allowed: list(allowed) });
    }
    let shards = u16::try_from(shard_cpus.len()).expect("the configuration bounds the shards");
    let shared = distinct.len() < shard_cpus.len();
    Ok(shared.then_some(Warning::ShardsShareCpus { shards, cpus: distinct.len() }))
}

fn list(cpus: &[usize]) -> String {
    crate::config::format_cpus(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus() {
        assert_eq!(check(&[0, 2], &[0, 1, 2]).unwrap(), None);
        let shared = check(&[0, 1, 0], &[0, 1]).unwrap();
        assert_eq!(shared, Some(Warning::ShardsShareCpus { shards: 3, cpus: 2 }));
        let problem = check(&[1, 4, 5], &[0, 1]).unwrap_err().to_string();
        assert!(problem.contains("names 4-5") && problem.contains("allowed: 0-1"), "{problem}");
    }
}
