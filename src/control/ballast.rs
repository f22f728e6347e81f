//! The ballast: disk space that is held so that it can be let go. On a full disk topics could not be deleted,
//! as the metadata store needs room to write down that they are.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use super::files;

const BALLAST_FILE: &str = "ballast";

/// A file of blocks that hold nothing.
#[derive(Debug)]
pub struct Ballast {
    file: File,
    held_bytes: u64,
}

impl Ballast {
    /// The ballast of `dir`, as large as it was left.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join(BALLAST_FILE);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let held_bytes = file.metadata()?.len();
        // A copy of the directory may have the length and not the blocks.
        if held_bytes > 0 && !files::allocate(&file, held_bytes)? {
            file.set_len(0)?;
            return Ok(Ballast { file, held_bytes: 0 });
        }
        Ok(Ballast { file, held_bytes })
    }

    /// Bytes held.
    pub fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// Gives all of it to the file system.
    pub fn release(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.held_bytes = 0;
        // The blocks of a truncated file may become free only with the file system's next commit.
        self.file.sync_all()
    }

    /// Holds at least `bytes`; `false`, and no change, if the disk has no room.
    pub fn hold(&mut self, bytes: u64) -> io::Result<bool> {
        if self.held_bytes >= bytes {
            return Ok(true);
        }
        if !files::allocate(&self.file, bytes)? {
            // Part of it may have been had.
            self.file.set_len(self.held_bytes)?;
            return Ok(false);
        }
        self.held_bytes = bytes;
        Ok(true)
    }
}
