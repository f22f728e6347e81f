//! Limits of the process: locked memory, open files, memory. Soft limits are raised to the hard ones first.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::problem::{Problem, Warning};
use crate::base::limits::{
    CHECK_FILE_BYTES_MAX, LOCKED_MEMORY_BYTES_MIN, OPEN_SEGMENTS_MAX, OPEN_SEGMENTS_MIN, PROCESS_OPEN_FILES,
    SHARD_OPEN_FILES,
};

/// The limits of a process that a broker needs room in; `u64::MAX` is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProcessLimits {
    /// RLIMIT_MEMLOCK
    pub locked_memory_bytes: u64,
    /// RLIMIT_NOFILE
    pub open_files: u64,
}

impl ProcessLimits {
    /// This process's, after the soft limits were raised to the hard ones.
    pub fn raised() -> Self {
        ProcessLimits { locked_memory_bytes: raise(Resource::Memlock), open_files: raise(Resource::Nofile) }
    }

    /// Those of another process, by proc_pid_limits(5) below `root`; a broker has raised its soft limits.
    pub fn of(root: &Path, pid: &str) -> Option<Self> {
        let file = File::open(root.join("proc").join(pid).join("limits")).ok()?;
        let mut text = String::new();
        file.take(CHECK_FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
        let soft = |name| {
            let value = text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?;
            if value == "unlimited" { Some(u64::MAX) } else { value.parse().ok() }
        };
        Some(ProcessLimits {
            locked_memory_bytes: soft("Max locked memory ")?,
            open_files: soft("Max open files ")?,
        })
    }
}

/// Raises the soft limit to the hard one and returns what holds then; `u64::MAX` is no limit.
pub fn raise(resource: Resource) -> u64 {
    let limit = getrlimit(resource);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum && setrlimit(resource, raised).is_err() {
        return limit.current.unwrap_or(u64::MAX);
    }
    limit.maximum.unwrap_or(u64::MAX)
}

/// Whether glommio can start an executor under this limit.
pub fn check_locked_memory(limit_bytes: u64) -> Result<(), Problem> {
    if limit_bytes >= LOCKED_MEMORY_BYTES_MIN {
        return Ok(());
    }
    Err(Problem::LockedMemory { limit_bytes, needed_bytes: LOCKED_MEMORY_BYTES_MIN })
}

/// Refuses a limit under which the shards' own files do not fit; says so if not all connections would.
pub fn check_open_files(limit: u64, shards: u16, max_connections: usize) -> Result<Option<Warning>, Problem> {
    let shards = u64::from(shards);
    let base = shards * SHARD_OPEN_FILES + PROCESS_OPEN_FILES;
    if limit < base {
        return Err(Problem::OpenFiles { limit, needed: base });
    }
    let needed = base + shards * max_connections as u64;
    Ok((limit < needed).then_some(Warning::OpenFiles { limit, needed }))
}

/// Segment files that each shard may keep open under this limit, when all connections are there.
pub fn open_segments_that_fit(limit: u64, shards: u16, max_connections: usize) -> usize {
    let shards = u64::from(shards);
    let others = shards * (SHARD_OPEN_FILES + max_connections as u64) + PROCESS_OPEN_FILES;
    let spare = usize::try_from(limit.saturating_sub(others) / shards).unwrap_or(usize::MAX);
    OPEN_SEGMENTS_MIN.saturating_add(spare).min(OPEN_SEGMENTS_MAX)
}

/// Refuses a `memory` that the machine does not have, of which the kernel would only tell by killing.
pub fn check_memory(memory_bytes: u64, available_bytes: u64) -> Result<(), Problem> {
    if memory_bytes <= available_bytes {
        return Ok(());
    }
    Err(Problem::MemoryBeyondMachine { memory_bytes, available_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_memory() {
        assert!(check_locked_memory(u64::MAX).is_ok());
        assert!(check_locked_memory(512 << 10).is_ok());
        let problem = check_locked_memory(64 << 10).unwrap_err().to_string();
        assert!(problem.contains("ulimit -l 512") && problem.contains("LimitMEMLOCK="), "{problem}");
    }

    #[test]
    fn open_files() {
        assert_eq!(check_open_files(u64::MAX, 4, 8192).unwrap(), None);
        let warning = check_open_files(5000, 4, 1000).unwrap().unwrap();
        assert_eq!(warning, Warning::OpenFiles { limit: 5000, needed: 4 * 2024 + 64 });
        let problem = check_open_files(1024, 4, 1).unwrap_err().to_string();
        assert!(problem.contains("nofile=4160"), "{problem}");
    }

    #[test]
    fn another_processs_limits_are_read() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("proc/7");
        std::fs::create_dir_all(&directory).unwrap();
        let table = "Limit                     Soft Limit           Hard Limit           Units     \n\
            Max open files            4096                 524288               files     \n\
            Max locked memory         unlimited            unlimited            bytes     \n";
        std::fs::write(directory.join("limits"), table).unwrap();
        let expected = ProcessLimits { locked_memory_bytes: u64::MAX, open_files: 4096 };
        assert_eq!(ProcessLimits::of(root.path(), "7"), Some(expected));
        assert_eq!(ProcessLimits::of(root.path(), "8"), None);
        let ours = ProcessLimits::of(Path::new("/"), "self").unwrap();
        assert!(ours.open_files > 0 && ours.locked_memory_bytes > 0);
    }

    #[test]
    fn segments_take_what_others_leave() {
        assert_eq!(open_segments_that_fit(u64::MAX, 4, 8192), OPEN_SEGMENTS_MAX);
        assert_eq!(open_segments_that_fit(4 * 2024 + 64, 4, 1000), OPEN_SEGMENTS_MIN);
        assert_eq!(open_segments_that_fit(4 * 2024 + 64 + 4 * 100, 4, 1000), OPEN_SEGMENTS_MIN + 100);
        assert_eq!(open_segments_that_fit(0, 1, 8192), OPEN_SEGMENTS_MIN);
    }

    #[test]
    fn memory() {
        assert!(check_memory(1 << 30, 1 << 30).is_ok());
        assert!(check_memory(2 << 30, 1 << 30).unwrap_err().to_string().contains("2048 MiB"));
    }

    #[test]
    fn a_raised_limit_is_the_hard_one() {
        let hard = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        assert_eq!(raise(Resource::Nofile), hard);
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), hard);
    }
}
