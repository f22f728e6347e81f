//! Where in the ring of journal files the next group goes, and which files are free. Pure.
//!
//! Files are numbered for ever from 0; file `n` lives in slot `n % file_count`. A file stays live until a
//! checkpoint no longer needs it ([`Ring::recycle_before`]).

use std::collections::VecDeque;

use crate::base::limits::{BLOCK_BYTES, JOURNAL_FILE_PER_GROUP};
use crate::config::budgets;

/// The shape of a journal, fixed when it is created.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RingShape {
    /// Number of files.
    pub file_count: u64,
    /// Length of each, in bytes, a multiple of a block.
    pub file_bytes: u64,
    /// The longest group that may ever be written, in bytes.
    pub group_bytes_max: u64,
}

impl RingShape {
    /// The shape of a journal of `journal_bytes`, which are whole files.
    pub fn of_bytes(journal_bytes: u64) -> Self {
        let file_bytes = budgets::journal_file_bytes(journal_bytes);
        let file_count = journal_bytes / file_bytes;
        RingShape { file_count, file_bytes, group_bytes_max: file_bytes / JOURNAL_FILE_PER_GROUP }
    }

    /// Bytes of a file that groups can surely fill: what remains when the longest group just did not fit.
    fn usable_bytes(&self) -> u64 {
        self.file_bytes - BLOCK_BYTES as u64 - self.group_bytes_max
    }

    /// Whether the shape leaves room to work in: at least three files, each of several of the longest groups.
    pub fn is_workable(&self) -> bool {
        self.file_count >= 3
            && self.file_bytes.is_multiple_of(BLOCK_BYTES as u64)
            && self.file_bytes >= 4 * self.group_bytes_max
            && self.group_bytes_max >= 4 * BLOCK_BYTES as u64
    }
}

/// What the next group of the chain must follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Link {
    /// The next group's sequence.
    pub sequence: u64,
    /// The checksum of the group before it; 0 before the first.
    pub previous_checksum: u32,
    /// The recovery count of the group before it; 0 before the first.
    pub recovery_count: u64,
}

impl Link {
    /// Before the first group of a journal.
    pub const FIRST: Link = Link { sequence: 1, previous_checksum: 0, recovery_count: 0 };
}

/// Where replay may begin: a file, and what its first group must follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileStart {
    /// The file's number.
    pub file_number: u64,
    /// For the file's first group.
    pub link: Link,
}

impl FileStart {
    /// The start of a new journal.
    pub const FIRST: FileStart = FileStart { file_number: 0, link: Link::FIRST };
}

/// A place for a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Index of the file among the journal's files.
    pub slot: usize,
    /// The file's number.
    pub file_number: u64,
    /// Position in the file, in bytes.
    pub position: u64,
}

/// The ring's state: live files, oldest first, and the position in the newest.
#[derive(Debug)]
pub struct Ring {
    shape: RingShape,
    live: VecDeque<FileStart>,
    position: u64,
}

impl Ring {
    /// A ring whose newest live file is filled up to `position`. `live` must not be empty.
    pub fn new(shape: RingShape, live: VecDeque<FileStart>, position: u64) -> Self {
        assert!(shape.is_workable() && !live.is_empty() && live.len() as u64 <= shape.file_count);
        Ring { shape, live, position }
    }

    /// The shape.
    pub fn shape(&self) -> RingShape {
        self.shape
    }

    /// The number of the file that is being written.
    pub fn current_file(&self) -> u64 {
        self.live.back().expect("never empty").file_number
    }

    /// The number of the oldest file that is still needed.
    pub fn oldest_file(&self) -> u64 {
        self.live.front().expect("never empty").file_number
    }

    /// Files that may be written after the current one.
    pub fn free_files(&self) -> u64 {
        self.shape.file_count - self.live.len() as u64
    }

    /// Bytes that surely can still be written before the ring is full, keeping `reserved_files` free.
    pub fn room_bytes(&self, reserved_files: u64) -> u64 {
        let free = self.free_files().saturating_sub(reserved_files);
        let current = if self.free_files() < reserved_files {
            0
        } else {
            (self.shape.file_bytes - self.position).saturating_sub(self.shape.group_bytes_max)
        };
        current + free * self.shape.usable_bytes()
    }

    /// Takes a place for the group of `bytes` bytes that follows `link`; `None` if the ring is full.
    pub fn place(&mut self, bytes: u64, link: Link) -> Option<Place> {
        assert!(bytes.is_multiple_of(BLOCK_BYTES as u64) && bytes <= self.shape.group_bytes_max);
        if self.position + bytes > self.shape.file_bytes {
            if self.free_files() == 0 {
                return None;
            }
            let file_number = self.current_file() + 1;
            self.live.push_back(FileStart { file_number, link });
            self.position = BLOCK_BYTES as u64;
        }
        let file_number = self.current_file();
        let slot = (file_number % self.shape.file_count) as usize;
        let place = Place { slot, file_number, position: self.position };
        self.position += bytes;
        Some(place)
    }

    /// The start of the oldest file from `file_number` on: what a checkpoint that needs nothing older names.
    pub fn start_of(&self, file_number: u64) -> FileStart {
        *self.live.iter().find(|start| start.file_number == file_number).expect("a live file")
    }

    /// The live file that holds a group.
    pub fn file_of(&self, sequence: u64) -> u64 {
        let behind = self.live.partition_point(|start| start.link.sequence <= sequence);
        self.live[behind.saturating_sub(1)].file_number
    }

    /// Frees all files older than `file_number`, which a durable checkpoint no longer needs.
    pub fn recycle_before(&mut self, file_number: u64) {
        assert!(file_number <= self.current_file(), "the current file is never free");
        while self.oldest_file() < file_number {
            self.live.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: u64 = BLOCK_BYTES as u64;

    fn ring() -> Ring {
        let shape = RingShape { file_count: 3, file_bytes: 16 * BLOCK, group_bytes_max: 4 * BLOCK };
        Ring::new(shape, VecDeque::from([FileStart::FIRST]), BLOCK)
    }

    fn link(sequence: u64) -> Link {
        Link { sequence, previous_checksum: sequence as u32, recovery_count: 1 }
    }

    #[test]
    fn groups_fill_the_files_in_turn_and_stop_when_none_is_free() {
        let mut ring = ring();
        let mut places = Vec::new();
        let mut sequence = 1;
        while let Some(place) = ring.place(4 * BLOCK, link(sequence)) {
            places.push((place.file_number, place.slot, place.position / BLOCK));
            sequence += 1;
        }
        let expected: Vec<_> =
            (0..3).flat_map(|file| [1, 5, 9].map(|at| (file, file as usize, at))).collect();
        assert_eq!(places, expected);
        assert_eq!(ring.start_of(1), FileStart { file_number: 1, link: link(4) });
        ring.recycle_before(1);
        let place = ring.place(4 * BLOCK, link(sequence)).expect("a file was freed");
        assert_eq!((place.file_number, place.slot, place.position), (3, 0, BLOCK));
    }

    #[test]
    fn room_is_never_promised_beyond_what_can_be_placed() {
        let mut ring = ring();
        let mut sequence = 1;
        loop {
            let room = ring.room_bytes(0);
            let placed = ring.place(3 * BLOCK, link(sequence));
            if placed.is_none() {
                assert!(room < 3 * BLOCK);
                break;
            }
            sequence += 1;
        }
        assert_eq!(ring.room_bytes(1), 0);
    }
}
