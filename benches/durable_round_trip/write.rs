//! The floor of the disk half: `pwrite` into an extent that was written before.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use bytes::Bytes;
use corelane::base::buffer::AlignedBuf;
use corelane::base::limits::BLOCK_BYTES;

const BLOCKS: u64 = 4096;

pub struct Writer {
    file: File,
    block: Bytes,
    next: u64,
}

impl Writer {
    pub fn create(path: &Path) -> Self {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).custom_flags(libc::O_DIRECT | libc::O_DSYNC);
        let file = options.open(path).expect("a file system with direct I/O");
        let mut zeros = AlignedBuf::with_capacity(BLOCK_BYTES * BLOCKS as usize);
        zeros.append_zeros(BLOCK_BYTES * BLOCKS as usize);
        file.write_all_at(zeros.as_slice(), 0).expect("space");
        let block = AlignedBuf::copy_of(&[7; BLOCK_BYTES]).view(0..BLOCK_BYTES);
        Writer { file, block, next: 0 }
    }

    pub fn write(&mut self) {
        let position = self.next % BLOCKS * BLOCK_BYTES as u64;
        self.file.write_all_at(&self.block, position).expect("the disk works");
        self.next += 1;
    }
}
