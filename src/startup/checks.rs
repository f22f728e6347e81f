//! All checks, in an order in which none disturbs another: the directories are locked before they are probed.

use std::path::Path;
use std::time::Duration;

use rustix::system::uname;

use super::directories::{self, DirectoryLock, Occupancy};
use super::problem::{Problem, Problems, Warning};
use super::resources::{self, ProcessLimits};
use super::{cpus, kernel, ports, uring};
use crate::base::limits::{PORT_RELEASE_PAUSE_MS, PORT_RELEASE_TRIES};
use crate::config::address::HostPort;
use crate::config::{Config, Machine, format_cpus};
use crate::runtime::glommio::pause;

/// What a machine that may start a broker has to say.
#[derive(Debug)]
pub struct Passed {
    /// To be logged.
    pub warnings: Vec<Warning>,
    /// To be held as long as the broker runs.
    pub locks: Vec<DirectoryLock>,
}

/// One thing that was looked at.
#[derive(Debug)]
pub struct Checked {
    /// What it is.
    pub subject: String,
    /// What there is of it, in a few words.
    pub seen: String,
    /// What is to be said of it, or why the broker cannot start.
    pub result: Result<Vec<Warning>, Vec<Problem>>,
}

impl Checked {
    fn new(subject: &str, seen: String, result: Result<Option<Warning>, Problem>) -> Self {
        let result = result.map(|warning| warning.into_iter().collect()).map_err(|problem| vec![problem]);
        Checked { subject: subject.to_owned(), seen, result }
    }
}

/// Checks the machine for this configuration, raises the process's soft limits, makes and locks the
/// directories. Reports all that is wrong at once.
pub fn check(config: &Config, machine: &Machine) -> Result<Passed, Problems> {
    let mut checked = check_process(config, machine, ProcessLimits::raised());
    let mut locks = Vec::new();
    for (key, path) in directories_of(config) {
        let (result, lock) = claim(key, path);
        checked.push(Checked { subject: key.to_owned(), seen: path.display().to_string(), result });
        locks.extend(lock);
    }
    checked.extend(check_ports(config));
    let (mut warnings, mut problems) = (Vec::new(), Vec::new());
    for checked in checked {
        match checked.result {
            Ok(said) => warnings.extend(said),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(Passed { warnings, locks }) } else { Err(Problems(problems)) }
}

/// The same checks without a trace: no directory is made or kept locked. `running` is a broker that runs on the
/// directories, with the limits that it has: what it holds is then not looked at, and the limits are its own.
pub fn examine(config: &Config, machine: &Machine, running: Option<&RunningBroker>) -> Vec<Checked> {
    let limits = running.and_then(|broker| broker.limits).unwrap_or_else(ProcessLimits::raised);
    let mut checked = check_process(config, machine, limits);
    let Some(broker) = running else {
        let directories = directories_of(config);
        checked.extend(directories.into_iter().map(|(key, path)| {
            let result = directories::try_out(key, path)
                .map(|()| directories::check_file_system(key, directories::existing(path)));
            Checked::new(key, path.display().to_string(), result)
        }));
        checked.extend(check_ports(config));
        return checked;
    };
    for (key, path) in directories_of(config) {
        let seen = format!("{}, used by the broker that runs (process {})", path.display(), broker.name());
        checked.push(Checked::new(key, seen, Ok(directories::check_file_system(key, path))));
    }
    checked
}

/// A broker that runs on the configured directories.
#[derive(Debug)]
pub struct RunningBroker {
    /// Its process id, if it can be told.
    pub pid: Option<String>,
    /// Its limits, if they can be read.
    pub limits: Option<ProcessLimits>,
}

impl RunningBroker {
    /// The one that holds the configuration's data directory, if there is one. Its limits are looked up below `root`.
    pub fn find(config: &Config, root: &Path) -> Option<Self> {
        let Ok(Occupancy::InUse { holder: pid }) = directories::occupancy("data.dir", &config.data_dir)
        else {
            return None;
        };
        let limits = pid.as_ref().and_then(|pid| ProcessLimits::of(root, pid));
        Some(RunningBroker { pid, limits })
    }

    fn name(&self) -> &str {
        self.pid.as_deref().unwrap_or("unknown")
    }
}

/// The directories of a configuration, each once, with their keys.
pub fn directories_of(config: &Config) -> Vec<(&'static str, &Path)> {
    let mut directories: Vec<(&'static str, &Path)> = vec![("data.dir", &config.data_dir)];
    if config.journal_dir != config.data_dir {
        directories.push(("journal.dir", &config.journal_dir));
    }
    directories
}

fn check_process(config: &Config, machine: &Machine, limits: ProcessLimits) -> Vec<Checked> {
    let release = uname().release().to_string_lossy().into_owned();
    let ProcessLimits { locked_memory_bytes, open_files } = limits;
    let (shards, cpus) = (config.shards(), machine.allowed_cpus.len());
    let limit = |limit: u64, unit| match limit {
        u64::MAX => "unlimited".to_owned(),
        limit => format!("{limit}{unit}"),
    };
    let mut shard_cpus = Checked::new(
        "cpus",
        format_cpus(&config.shard_cpus),
        cpus::check(&config.shard_cpus, &machine.allowed_cpus),
    );
    if let (true, Ok(warnings)) = (config.shards_cut_by_memory, &mut shard_cpus.result) {
        warnings.push(Warning::ShardsCutByMemory { shards, cpus });
    }
    vec![
        Checked::new("kernel", format!("Linux {release}"), kernel::check(&release).map(|()| None)),
        Checked::new("io_uring", "works".to_owned(), uring::check().map(|()| None)),
        Checked::new(
            "locked memory",
            limit(locked_memory_bytes, " bytes"),
            resources::check_locked_memory(locked_memory_bytes).map(|()| None),
        ),
        Checked::new(
            "open files",
            limit(open_files, ""),
            resources::check_open_files(open_files, shards, config.max_connections),
        ),
        Checked::new(
            "memory",
            format!("{} of {} MiB", config.memory_bytes >> 20, machine.memory_bytes >> 20),
            resources::check_memory(config.memory_bytes, machine.memory_bytes).map(|()| None),
        ),
        shard_cpus,
    ]
}

type DirectoryResult = Result<Vec<Warning>, Vec<Problem>>;

/// Makes and locks a directory; the lock is there even if the file system is not fit, so that nothing else is said.
fn claim(key: &'static str, path: &Path) -> (DirectoryResult, Option<DirectoryLock>) {
    match directories::claim(key, path) {
        Ok(lock) => {
            let result = directories::check_direct_io(key, path)
                .map(|()| directories::check_file_system(key, path).into_iter().collect());
            (result.map_err(|problem| vec![problem]), Some(lock))
        }
        Err(problem) => (Err(vec![problem]), None),
    }
}

fn check_ports(config: &Config) -> Vec<Checked> {
    let checked = |subject: String, bind: &HostPort, result: PortResult| Checked {
        subject,
        seen: format!("{bind} can be listened on"),
        result: result.map(|warning| warning.into_iter().collect()),
    };
    let listeners = config.listeners.iter().map(|listener| {
        let result = patiently(|| ports::check(listener, config.advertised_shards()));
        checked(format!("listener {}", listener.name), &listener.bind, result)
    });
    let admin = config
        .admin
        .iter()
        .map(|admin| checked("admin port".to_owned(), admin, patiently(|| ports::check_admin(admin))));
    listeners.chain(admin).collect()
}

type PortResult = Result<Option<Warning>, Vec<Problem>>;

/// The kernel lets go of the ports of a process that used io_uring some time after the process is gone: a broker that
/// is started again at once after `kill -9` waits for its predecessor's.
fn patiently(check: impl Fn() -> PortResult) -> PortResult {
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
