//! One process per data directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::files;

const LOCK_FILE: &str = "lock";
const LOCK_BYTES_MAX: u64 = 64;

/// Why the data directory cannot be had.
#[derive(Error, Debug)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "the data directory {} is in use by {}: stop that process, or start with another --data-dir",
        dir.display(), holder(*pid)
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The process, if it has written down its id.
        pid: Option<u32>,
    },
    /// The lock file cannot be used.
    #[error("cannot lock the data directory {}: {source}", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("pid {pid}"))
}

/// The exclusive right to a data directory, for as long as it lives (flock(2): the system takes it back from a
/// process that dies).
#[derive(Debug)]
pub struct DirectoryLock {
    /// Open, and so locked.
    _file: File,
}

impl DirectoryLock {
    /// Locks `dir`, or says who has it.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { dir: dir.to_owned(), source };
        let path = dir.join(LOCK_FILE);
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::InUse { dir: dir.to_owned(), pid: pid(&path) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // Only for the message above: nothing is decided by it.
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(DirectoryLock { _file: file })
    }
}

fn pid(path: &Path) -> Option<u32> {
    let content = files::read(path, LOCK_BYTES_MAX).ok()??;
    std::str::from_utf8(&content).ok()?.trim().parse().ok()
}
