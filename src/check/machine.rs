//! All findings, in the order in which a data path meets them.

use std::path::{Path, PathBuf};

use super::finding::Finding;
use super::tree::Tree;
use super::{cpu, disk, host, interrupts, memory, network, numa, serving};
use crate::config::{Config, Machine};
use crate::startup::{directories_of, existing};

/// What a broker would use of the machine.
#[derive(Debug)]
pub struct Use {
    /// The shards' CPUs, each once, ascending.
    pub cpus: Vec<usize>,
    /// Its directories.
    pub places: Vec<Place>,
    /// Whether it listens beyond loopback.
    pub is_exposed: bool,
}

/// A directory of the broker.
#[derive(Debug)]
pub struct Place {
    /// Its configuration key.
    pub key: &'static str,
    /// Its real path, or that of the nearest directory around it that exists.
    pub path: PathBuf,
}

impl Use {
    fn of(config: &Config) -> Self {
        let mut cpus = config.shard_cpus.clone();
        cpus.sort_unstable();
        cpus.dedup();
        let place = |(key, path)| {
            let path = existing(path);
            Place { key, path: path.canonicalize().unwrap_or_else(|_| path.to_path_buf()) }
        };
        let is_loopback = |host: &str| host == "localhost" || host == "::1" || host.starts_with("127.");
        Use {
            cpus,
            places: directories_of(config).into_iter().map(place).collect(),
            is_exposed: config.listeners.iter().any(|listener| !is_loopback(&listener.bind.host)),
        }
    }
}

/// Looks at the machine below `root` for a broker with this configuration.
pub fn check(config: &Config, machine: &Machine, root: &Path) -> Vec<Finding> {
    let tree = Tree::new(root);
    let mut findings = serving::check(config, machine, &tree);
    findings.extend(tune(&tree, &Use::of(config)));
    findings
}

/// What could be set up better.
fn tune(tree: &Tree, used: &Use) -> Vec<Finding> {
    let parts =
        [cpu::check, host::check, interrupts::check, numa::check, memory::check, disk::check, network::check];
    parts.iter().flat_map(|part| part(tree, used)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Status;
    use crate::check::testing::{machine, using};

    #[test]
    fn a_machine_that_tells_nothing_is_unknown_and_not_wrong() {
        let (_kept, tree) = machine(&[]);
        let findings = tune(&tree, &using(&[0, 1]));
        assert!(findings.len() > 10);
        for finding in findings {
            assert_eq!(finding.status, Status::Unknown, "{finding:?}");
            assert!(finding.change.is_none() && !finding.found.is_empty() && !finding.why.is_empty());
        }
    }

    #[test]
    fn this_machine_is_looked_at() {
        let findings = tune(&Tree::new(Path::new("/")), &using(&[0]));
        assert!(findings.iter().any(|finding| finding.status != Status::Unknown));
    }
}
