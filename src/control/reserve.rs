//! Disk space of the metadata store: what a commit may need is looked for before it begins, as a commit that fails half
//! way takes the store out of service. What deletions need is held by the ballast.

use std::io;
use std::path::{Path, PathBuf};

use super::ballast::Ballast;
use super::files;
use super::store::{Space, StoreError};
use crate::base::limits::BALLAST_BYTES_MIN;

/// Pages that one byte of a record may cost in the worst case: copied with their neighbours, in a file that
/// grows by doubling.
const GROWTH_PER_BYTE: u64 = 8;

/// Tells the bytes that are free where a path is.
pub(super) type FreeBytes = Box<dyn Fn(&Path) -> io::Result<u64> + Send>;

/// The disk space of the store in a file.
pub(super) struct Reserve {
    path: PathBuf,
    ballast: Ballast,
    free_bytes: FreeBytes,
}

impl Reserve {
    /// That of a new store, in a directory that is there: the ballast is held first.
    pub fn create(path: &Path, free_bytes: FreeBytes) -> io::Result<Self> {
        let mut ballast = Ballast::open(dir_of(path))?;
        if !ballast.hold(BALLAST_BYTES_MIN)? {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(Reserve { path: path.to_owned(), ballast, free_bytes })
    }

    /// That of a store that is about to be opened and has `length` bytes.
    pub fn open(path: &Path, length: u64, free_bytes: FreeBytes) -> io::Result<Self> {
        let mut ballast = Ballast::open(dir_of(path))?;
        if free_bytes(path)? < length {
            // Opening after a crash repairs, and that takes space as a commit does.
            ballast.release()?;
        }
        Ok(Reserve { path: path.to_owned(), ballast, free_bytes })
    }

    /// Gives all of it to the file system. [`Reserve::restore`] takes it back.
    pub fn release(&mut self) -> Result<(), StoreError> {
        self.ballast.release().map_err(|source| self.io(source))
    }

    /// Makes sure that the file can grow as far as it may have to for `bytes` of changes.
    pub fn make_room(&mut self, bytes: u64, space: Space) -> Result<(), StoreError> {
        let needed_bytes = self.file_bytes()? + GROWTH_PER_BYTE * bytes + BALLAST_BYTES_MIN;
        let free_bytes = (self.free_bytes)(&self.path).map_err(|source| self.io(source))?;
        if free_bytes >= needed_bytes {
            return Ok(());
        }
        if space == Space::Spend {
            return Err(StoreError::DiskFull { path: self.path.clone(), free_bytes, needed_bytes });
        }
        tracing::warn!(free_bytes, "the disk is nearly full: the metadata store uses its reserve");
        self.release()
    }

    /// Holds as much as the file, which grows by doubling, may take at once. If that fails it is tried again
    /// after the next commit: what was committed stays committed.
    pub fn restore(&mut self) {
        let held = self.file_bytes().and_then(|bytes| {
            self.ballast.hold(bytes.max(BALLAST_BYTES_MIN)).map_err(|source| self.io(source))
        });
        let held_bytes = self.ballast.held_bytes();
        match held {
            Ok(true) => {}
            Ok(false) => {
                tracing::warn!(held_bytes, "the disk is full: the reserve for deletions is not whole")
            }
            Err(error) => tracing::warn!(held_bytes, %error, "the reserve for deletions is not whole"),
        }
    }

    fn file_bytes(&self) -> Result<u64, StoreError> {
        Ok(std::fs::metadata(&self.path).map_err(|source| self.io(source))?.len())
    }

    fn io(&self, source: io::Error) -> StoreError {
        StoreError::Io { path: self.path.clone(), source }
    }
}

/// The store's directory.
fn dir_of(path: &Path) -> &Path {
    path.parent().expect("a file in a directory")
}

/// What the file system says.
pub(super) fn free_bytes() -> FreeBytes {
    Box::new(files::free_bytes)
}
