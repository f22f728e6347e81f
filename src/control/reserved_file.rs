//! The metadata store's file. It has all its blocks from the moment it is that long, so that the disk can be
//! full for it only when it grows, never while it writes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use redb::StorageBackend;

use super::files;

/// A file without holes. Not locked: the data directory is.
#[derive(Debug)]
pub struct ReservedFile {
    file: File,
}

impl ReservedFile {
    /// Opens an existing file and fills its holes (a copy of it may have some); `None` if there is none.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => ReservedFile { file: file? },
        };
        let length = file.len()?;
        if length > 0 {
            file.allocate(length)?;
        }
        Ok(Some(file))
    }

    /// Makes an empty file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(ReservedFile { file })
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        if files::allocate(&self.file, length)? { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }
}

impl StorageBackend for ReservedFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(out, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let before = self.len()?;
        if length <= before {
            return self.file.set_len(length);
        }
        self.allocate(length).inspect_err(|_| {
            // Part of it may have been had. The error that matters is the one that is returned.
            let _ = self.file.set_len(before);
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }
}
