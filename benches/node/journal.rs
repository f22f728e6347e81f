//! Looks at a running broker's journal from outside, by the formats of docs/journal-format.md.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use corelane::base::limits::BLOCK_BYTES;

/// Bytes of a checkpoint's header before their checksum.
const CHECKPOINT_CHECKED_BYTES: usize = 88;

pub struct Journal {
    /// By slot.
    files: Vec<File>,
    /// Their names.
    paths: Vec<PathBuf>,
    file_bytes: u64,
    checkpoints: [PathBuf; 2],
    /// A group of the current file, from which the next ones are looked for: the file's number, the position and the
    /// sequence.
    cursor: (u64, u64, u64),
}

impl Journal {
    /// That of the only shard of a data directory.
    pub fn open(data: &Path) -> Self {
        let layouts = fs::read_dir(data).expect("the data directory").flatten();
        let layout =
            layouts.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("layout-"));
        let shard = layout.expect("a broker has started there").join("shard-0");
        let mut paths: Vec<_> =
            fs::read_dir(shard.join("journal")).expect("a journal").flatten().map(|it| it.path()).collect();
        paths.sort();
        let files: Vec<_> = paths.iter().map(|path| File::open(path).expect("a journal file")).collect();
        for file in &files {
            // Read ahead would be read in vain.
            // SAFETY: a plain call on an open descriptor.
            unsafe {
                libc::posix_fadvise(std::os::fd::AsRawFd::as_raw_fd(file), 0, 0, libc::POSIX_FADV_RANDOM)
            };
        }
        let file_bytes = files[0].metadata().expect("an open file").len();
        let checkpoints = [shard.join("checkpoint.0"), shard.join("checkpoint.1")];
        Journal { files, paths, file_bytes, checkpoints, cursor: (0, 0, 0) }
    }

    /// Length of all files.
    pub fn bytes(&self) -> u64 {
        self.file_bytes * self.files.len() as u64
    }

    /// How many files have been begun since the journal was made, and as a number of rounds.
    pub fn rounds(&self) -> f64 {
        self.current_file() as f64 / self.files.len() as f64
    }

    /// Bytes that a start would replay.
    pub fn live_bytes(&mut self) -> u64 {
        let (current, oldest) = (self.current_file(), self.oldest_file());
        (current - oldest) * self.file_bytes + self.position(current)
    }

    /// What a start reads: files, and up to where.
    pub fn live_parts(&mut self) -> Vec<(PathBuf, u64)> {
        let (current, oldest) = (self.current_file(), self.oldest_file());
        let end = self.position(current);
        let path = |number: u64| self.paths[(number % self.paths.len() as u64) as usize].clone();
        let mut parts: Vec<_> = (oldest..current).map(|number| (path(number), self.file_bytes)).collect();
        parts.push((path(current), end));
        parts.push((self.checkpoints[self.newest_checkpoint().2].clone(), u64::MAX));
        parts
    }

    /// Length of the newest checkpoint's file.
    pub fn checkpoint_bytes(&self) -> u64 {
        fs::metadata(&self.checkpoints[self.newest_checkpoint().2]).expect("a checkpoint").len()
    }

    /// The oldest file that the newest checkpoint needs.
    fn oldest_file(&self) -> u64 {
        self.newest_checkpoint().1
    }

    /// Its generation, the oldest file that it needs, and which of the two it is.
    fn newest_checkpoint(&self) -> (u64, u64, usize) {
        let header = |(slot, path): (usize, &PathBuf)| {
            let mut bytes = [0; CHECKPOINT_CHECKED_BYTES + 4];
            File::open(path).and_then(|file| file.read_exact_at(&mut bytes, 0)).ok()?;
            let is_whole = crc32fast::hash(&bytes[..CHECKPOINT_CHECKED_BYTES])
                == u32_at(&bytes, CHECKPOINT_CHECKED_BYTES);
            // Generation and file number.
            is_whole.then(|| (u64_at(&bytes, 8), u64_at(&bytes, 48), slot))
        };
        self.checkpoints.iter().enumerate().filter_map(header).max().expect("a checkpoint")
    }

    /// The file that is being written: that of which the first group is the youngest.
    fn current_file(&self) -> u64 {
        let oldest = self.oldest_file();
        let count = self.files.len() as u64;
        let first_sequence =
            |number: &u64| self.group(*number, BLOCK_BYTES as u64).map_or(0, |group| group.0);
        (oldest..oldest + count).max_by_key(first_sequence).expect("there are files")
    }

    /// Sequence and length of the group at a position.
    fn group(&self, file_number: u64, position: u64) -> Option<(u64, u64)> {
        let mut bytes = [0; 64];
        let file = &self.files[(file_number % self.files.len() as u64) as usize];
        file.read_exact_at(&mut bytes, position).ok()?;
        let is_group = bytes[..4] == *b"CLJ1" && u32_at(&bytes, 60) > 0;
        is_group.then(|| (u64_at(&bytes, 32), u64::from(u32_at(&bytes, 60))))
    }

    /// The position behind the last group of the current file.
    fn position(&mut self, file_number: u64) -> u64 {
        let start = BLOCK_BYTES as u64;
        let (known_file, mut position, mut sequence) = self.cursor;
        if known_file != file_number || position == 0 {
            (position, sequence) = (start, self.group(file_number, start).map_or(0, |group| group.0));
        }
        while let Some((found, length)) =
            self.group(file_number, position).filter(|group| group.0 == sequence)
        {
            self.cursor = (file_number, position, found);
            (position, sequence) = (position + length, sequence + 1);
            if position >= self.file_bytes {
                break;
            }
        }
        position
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}
