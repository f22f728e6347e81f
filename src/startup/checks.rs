//! All checks, in an order in which none disturbs another: the directories are locked before they are probed.

use std::path::Path;
use std::time::Duration;

use rustix::process::Resource;
use rustix::system::uname;

use super::directories::{self, DirectoryLock};
use super::problem::{Problem, Problems, Warning};
use super::{cpus, kernel, ports, resources, uring};
use crate::base::limits::{PORT_RELEASE_PAUSE_MS, PORT_RELEASE_TRIES};
use crate::config::{Config, Machine};
use crate::runtime::glommio::pause;

/// What a machine that may start a broker has to say.
#[derive(Debug)]
pub struct Passed {
    /// To be logged.
    pub warnings: Vec<Warning>,
    /// To be held as long as the broker runs.
    pub locks: Vec<DirectoryLock>,
}

/// What a check of ports found.
type Checked = Result<Option<Warning>, Vec<Problem>>;

#[derive(Default)]
struct Findings {
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl Findings {
    /// Keeps what a check found; true if it passed.
    fn note(&mut self, result: Result<Option<Warning>, Problem>) {
        match result {
            Ok(warning) => self.warnings.extend(warning),
            Err(problem) => self.problems.push(problem),
        }
    }

    fn note_ports(&mut self, checked: Checked) {
        match checked {
            Ok(warning) => self.warnings.extend(warning),
            Err(problems) => self.problems.extend(problems),
        }
    }
}

/// Checks the machine for this configuration, raises the process's soft limits, makes and locks the
/// directories. Reports all that is wrong at once.
pub fn check(config: &Config, machine: &Machine) -> Result<Passed, Problems> {
    let mut found = Findings::default();
    check_process(config, machine, &mut found);
    let locks = check_directories(config, &mut found);
    for listener in &config.listeners {
        found.note_ports(patiently(|| ports::check(listener, config.advertised_shards())));
    }
    if let Some(admin) = &config.admin {
        found.note_ports(patiently(|| ports::check_admin(admin)));
    }
    if found.problems.is_empty() {
        Ok(Passed { warnings: found.warnings, locks })
    } else {
        Err(Problems(found.problems))
    }
}

/// The kernel lets go of the ports of a process that used io_uring some time after the process is gone: a broker that
/// is started again at once after `kill -9` waits for its predecessor's.
fn patiently(check: impl Fn() -> Checked) -> Checked {
    let is_in_use = |problem: &Problem| matches!(problem, Problem::PortInUse { .. });
    for _ in 0..PORT_RELEASE_TRIES {
        match check() {
            Err(problems) if problems.iter().all(is_in_use) => {
                pause(Duration::from_millis(PORT_RELEASE_PAUSE_MS))
            }
            checked => return checked,
        }
    }
    check()
}

fn check_process(config: &Config, machine: &Machine, found: &mut Findings) {
    found.note(kernel::check(&uname().release().to_string_lossy()).map(|()| None));
    found.note(uring::check().map(|()| None));
    found.note(resources::check_locked_memory(resources::raise(Resource::Memlock)).map(|()| None));
    let open_files = resources::raise(Resource::Nofile);
    found.note(resources::check_open_files(open_files, config.shards(), config.max_connections));
    found.note(resources::check_memory(config.memory_bytes, machine.memory_bytes).map(|()| None));
    found.note(cpus::check(&config.shard_cpus, &machine.allowed_cpus));
    if config.shards_cut_by_memory {
        let cpus = machine.allowed_cpus.len();
        found.warnings.push(Warning::ShardsCutByMemory { shards: config.shards(), cpus });
    }
}

fn check_directories(config: &Config, found: &mut Findings) -> Vec<DirectoryLock> {
    let mut directories: Vec<(&'static str, &Path)> = vec![("data.dir", &config.data_dir)];
    if config.journal_dir != config.data_dir {
        directories.push(("journal.dir", &config.journal_dir));
    }
    let mut locks = Vec::new();
    for (key, path) in directories {
        match directories::claim(key, path) {
            Ok(lock) => {
                locks.push(lock);
                found.note(directories::check_direct_io(key, path).map(|()| None));
                found.warnings.extend(directories::check_file_system(key, path));
            }
            Err(problem) => found.problems.push(problem),
        }
    }
    locks
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::config::{Assignment, Inputs, Origin, load};

    fn config(set: &[(&str, &str)], machine: &Machine) -> Config {
        let assign = |(key, value): &(&str, &str)| Assignment {
            key: key.to_string(),
            value: value.to_string(),
            origin: Origin::Flag("set"),
        };
        let command_line = set.iter().map(assign).collect();
        load(&Inputs { command_line, ..Inputs::default() }, machine).unwrap().config
    }

    #[test]
    fn a_fit_machine_passes_and_everything_wrong_is_reported_together() {
        let root = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let (data, journal) = (root.path().join("data"), root.path().join("journal"));
        let directories = [("data.dir", data.to_str().unwrap()), ("journal.dir", journal.to_str().unwrap())];
        let machine = Machine::detect().unwrap();
        let small = [
            ("shards", "1"),
            ("memory", "320MiB"),
            ("listen", "127.0.0.1:0"),
            ("admin.listen", "127.0.0.1:0"),
        ];
        let passed = check(&config(&[&directories[..], &small[..]].concat(), &machine), &machine).unwrap();
        assert_eq!(passed.locks.len(), 2);

        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = taken.local_addr().unwrap().to_string();
        let taken_too = TcpListener::bind("127.0.0.1:0").unwrap();
        let admin = taken_too.local_addr().unwrap().to_string();
        let unfit = [
            ("cpus", "8000"),
            ("memory", "16TiB"),
            ("listen", listen.as_str()),
            ("shard.ports", "0"),
            ("admin.listen", admin.as_str()),
        ];
        let problems =
            check(&config(&[&directories[..], &unfit[..]].concat(), &machine), &machine).unwrap_err();
        let text = problems.to_string();
        assert_eq!(problems.0.len(), 6, "{text}");
        for part in [
            "`memory` is",
            "`cpus` names 8000",
            "set `data.dir` to another",
            "`journal.dir`",
            &listen,
            &admin,
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
