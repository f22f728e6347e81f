//! The directories: made, locked against a second broker, on a file system that keeps what was written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, FlockOperation, access, flock, statfs};

use super::problem::{Problem, Warning};
use crate::base::buffer::AlignedBuf;
use crate::base::limits::BLOCK_BYTES;
use crate::control::create_dir;

const LOCK_FILE: &str = "lock";
const PROBE_FILE: &str = "direct-io-probe";

/// Holds a directory for this process until dropped, or until the process ends in whatever way.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

/// Makes a directory with its parents, durably, if it is absent, and locks it.
pub fn claim(key: &'static str, path: &Path) -> Result<DirectoryLock, Problem> {
    let unusable = |source| Problem::Directory { key, path: path.to_path_buf(), source };
    create_dir(path).map_err(unusable)?;
    let mut options = OpenOptions::new();
    let mut file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path.join(LOCK_FILE))
        .map_err(unusable)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            return Err(Problem::DirectoryInUse { key, path: path.to_path_buf(), holder: holder(&mut file) });
        }
        Err(error) => return Err(unusable(error.into())),
    }
    // The process id is for people who find the lock taken; nothing depends on it.
    file.set_len(0).map_err(unusable)?;
    writeln!(file, "{}", std::process::id()).map_err(unusable)?;
    Ok(DirectoryLock { _file: file })
}

/// Who has a directory.
#[derive(PartialEq, Eq, Debug)]
pub enum Occupancy {
    /// Nobody.
    Free,
    /// A broker that runs, with its process id if it can be told.
    InUse {
        /// The process id.
        holder: Option<String>,
    },
}

/// Who has the directory, found out without making anything. One that does not exist is free.
pub fn occupancy(key: &'static str, path: &Path) -> Result<Occupancy, Problem> {
    let unusable = |source| Problem::Directory { key, path: path.to_path_buf(), source };
    let mut file = match File::open(path.join(LOCK_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Occupancy::Free),
        Err(error) => return Err(unusable(error)),
    };
    // Shared, and let go at once: two that look do not hinder each other.
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Occupancy::Free),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(Occupancy::InUse { holder: holder(&mut file) }),
        Err(error) => Err(unusable(error.into())),
    }
}

/// Keeps brokers off a directory for this process, without making or changing anything; others may look at it too. A
/// directory that no broker has ever claimed, such as a copy, has nothing to be locked by.
pub fn hold(key: &'static str, path: &Path) -> Result<Option<DirectoryLock>, Problem> {
    let unusable = |source| Problem::Directory { key, path: path.to_path_buf(), source };
    let mut file = match File::open(path.join(LOCK_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(error)),
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(Some(DirectoryLock { _file: file })),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(Problem::DirectoryInUse { key, path: path.to_path_buf(), holder: holder(&mut file) })
        }
        Err(error) => Err(unusable(error.into())),
    }
}

/// Whether a broker could claim the directory and use it. Nothing is left behind: where the directory is absent, the
/// nearest one around it is tried out, in which it would be made.
pub fn try_out(key: &'static str, path: &Path) -> Result<(), Problem> {
    let unusable = |source| Problem::Directory { key, path: path.to_path_buf(), source };
    if let Occupancy::InUse { holder } = occupancy(key, path)? {
        return Err(Problem::DirectoryInUse { key, path: path.to_path_buf(), holder });
    }
    let existing = existing(path);
    if !fs::metadata(existing).map_err(unusable)?.is_dir() {
        return Err(unusable(io::ErrorKind::NotADirectory.into()));
    }
    access(existing, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| unusable(error.into()))?;
    // A name that nobody else has: the directory need not be ours.
    let probe = existing.join(format!(".{PROBE_FILE}-{}", std::process::id()));
    try_direct_io(key, existing, &probe)
}

/// The directory itself, or the nearest one around it that exists.
pub fn existing(path: &Path) -> &Path {
    let around = path.ancestors().find(|path| path.as_os_str().is_empty() || path.exists());
    around.filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn holder(file: &mut File) -> Option<String> {
    const PID_DIGITS_MAX: u64 = 10;
    let mut text = String::new();
    file.take(PID_DIGITS_MAX).read_to_string(&mut text).ok()?;
    let pid = text.trim();
    (!pid.is_empty()).then(|| pid.to_string())
}

/// Writes one block directly and durably, as the journal will.
pub fn check_direct_io(key: &'static str, path: &Path) -> Result<(), Problem> {
    try_direct_io(key, path, &path.join(PROBE_FILE))
}

fn try_direct_io(key: &'static str, path: &Path, probe: &Path) -> Result<(), Problem> {
    let written = write_directly(probe);
    let removed = match fs::remove_file(probe) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    // A full disk took the file, opened as it is to be, and has no room to try more. A start needs none.
    let written = match written {
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Ok(()),
        written => written,
    };
    written.and(removed).map_err(|source| {
        let file_system = statfs(path).map_or("unknown", |stat| kind(stat.f_type as u64).0).to_string();
        Problem::NoDirectIo { key, path: path.to_path_buf(), file_system, source }
    })
}

fn write_directly(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let flags = libc::O_DIRECT | libc::O_DSYNC;
    let file = options.write(true).create(true).truncate(false).custom_flags(flags).open(path)?;
    let mut block = AlignedBuf::with_capacity(BLOCK_BYTES);
    block.append_zeros(BLOCK_BYTES);
    file.write_all_at(block.as_slice(), 0)
}

/// What the file system does with durable writes, if that needs to be said.
pub fn check_file_system(key: &'static str, path: &Path) -> Option<Warning> {
    let magic = statfs(path).ok()?.f_type as u64;
    warn(kind(magic), key, path.to_path_buf())
}

#[derive(Clone, Copy)]
enum Nature {
    Disk,
    CopyOnWrite,
    Memory,
    Overlay,
    Network,
}

/// Name and nature by the magic number of statfs(2).
fn kind(magic: u64) -> (&'static str, Nature) {
    match magic & 0xFFFF_FFFF {
        0xEF53 => ("ext4", Nature::Disk),
        0x5846_5342 => ("XFS", Nature::Disk),
        0x9123_683E => ("btrfs", Nature::CopyOnWrite),
        0x2FC1_2FC1 => ("ZFS", Nature::CopyOnWrite),
        0xCA45_1A4E => ("bcachefs", Nature::CopyOnWrite),
        0xF2F5_2010 => ("F2FS", Nature::CopyOnWrite),
        0x0102_1994 => ("tmpfs", Nature::Memory),
        0x8584_58F6 => ("ramfs", Nature::Memory),
        0x794C_7630 => ("overlayfs", Nature::Overlay),
        0x6969 => ("NFS", Nature::Network),
        0xFF53_4D42 | 0xFE53_4D42 => ("SMB", Nature::Network),
        0x00C3_6400 => ("CephFS", Nature::Network),
        0x6573_5546 => ("FUSE", Nature::Network),
        _ => ("unknown", Nature::Disk),
    }
}

fn warn((file_system, nature): (&'static str, Nature), key: &'static str, path: PathBuf) -> Option<Warning> {
    match nature {
        Nature::Disk => None,
        Nature::CopyOnWrite => Some(Warning::CopyOnWrite { key, path, file_system }),
        // A container's writable layer goes with the container.
        Nature::Memory | Nature::Overlay => Some(Warning::NotDurable { key, path, file_system }),
        Nature::Network => Some(Warning::Remote { key, path, file_system }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_claimed_once() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        let lock = claim("data.dir", &path).unwrap();
        let problem = claim("data.dir", &path).unwrap_err().to_string();
        assert!(problem.contains(&format!("(process {})", std::process::id())), "{problem}");
        drop(lock);
        claim("data.dir", &path).unwrap();
    }

    #[test]
    fn looking_leaves_nothing_behind_and_tells_who_has_it() {
        // Beside the build, which is on a disk where /tmp may be in memory.
        let root = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let path = root.path().join("a/b");
        assert_eq!(occupancy("data.dir", &path).unwrap(), Occupancy::Free);
        try_out("data.dir", &path).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);

        let lock = claim("data.dir", &path).unwrap();
        let us = Some(std::process::id().to_string());
        assert_eq!(occupancy("data.dir", &path).unwrap(), Occupancy::InUse { holder: us });
        assert!(matches!(try_out("data.dir", &path), Err(Problem::DirectoryInUse { .. })));
        assert!(matches!(hold("data.dir", &path), Err(Problem::DirectoryInUse { .. })));
        drop(lock);
        let (held, too) = (hold("data.dir", &path).unwrap(), hold("data.dir", &path).unwrap());
        assert!(held.is_some() && too.is_some(), "two may look at a time");
        assert!(matches!(claim("data.dir", &path), Err(Problem::DirectoryInUse { .. })));
        drop((held, too));
        try_out("data.dir", &path).unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1, "the lock's file");

        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(try_out("data.dir", &file), Err(Problem::Directory { .. })));
        assert_eq!(existing(Path::new("nowhere/at/all")), Path::new("."));
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("file"), "").unwrap();
        let problem = claim("journal.dir", &root.path().join("file/b")).unwrap_err().to_string();
        assert!(problem.contains("as `journal.dir`"), "{problem}");
    }

    #[test]
    fn direct_io_is_tried_and_leaves_nothing_behind() {
        // Beside the build, which is on a disk where /tmp may be in memory.
        let root = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        check_direct_io("data.dir", root.path()).unwrap();
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        let problem = check_direct_io("data.dir", Path::new("/proc/self")).unwrap_err().to_string();
        assert!(problem.contains("put `data.dir` on ext4 or XFS"), "{problem}");
    }

    #[test]
    fn file_systems() {
        let text = |magic| warn(kind(magic), "data.dir", "/d".into()).map(|warning| warning.to_string());
        assert_eq!(text(0xEF53), None);
        assert_eq!(text(12345), None);
        assert!(text(0x9123_683E).unwrap().contains("btrfs, which copies on write"));
        // A signed statfs field extends the sign.
        assert!(text(0xFFFF_FFFF_9123_683E).unwrap().contains("btrfs"));
        assert!(text(0x0102_1994).unwrap().contains("will not survive"));
        assert!(text(0x6969).unwrap().contains("NFS"));
    }
}
