//! The log as the `raft` crate reads it: what is not trimmed, in memory, so that no step of Raft waits for a disk.

use std::collections::VecDeque;

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};

use super::convert::entry_to_raft;
use super::stored::Stored;

/// An entry's bytes besides its data, about.
const ENTRY_OVERHEAD_BYTES: usize = 64;

/// The log.
pub(super) struct MemoryLog {
    start: RaftState,
    entries: VecDeque<Entry>,
    bytes: usize,
    trimmed_index: u64,
    trimmed_term: u64,
    applied_index: u64,
    applied_term: u64,
    members: ConfState,
}

impl MemoryLog {
    pub fn new(stored: &Stored) -> Self {
        let head = &stored.head;
        let members = head.members.to_raft();
        let hard_state =
            HardState { term: head.term, vote: head.vote, commit: head.commit, ..Default::default() };
        let mut log = MemoryLog {
            start: RaftState::new(hard_state, members.clone()),
            entries: VecDeque::new(),
            bytes: 0,
            trimmed_index: head.trimmed_index,
            trimmed_term: head.trimmed_term,
            applied_index: head.applied_index,
            applied_term: head.applied_term,
            members,
        };
        let entries: Vec<Entry> =
            stored.entries.iter().map(|entry| entry_to_raft(entry.index, &entry.entry)).collect();
        log.append(&entries);
        log
    }

    /// Takes entries in, in the place of those from their first index on.
    pub fn append(&mut self, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        assert!(first.index > self.trimmed_index, "what is trimmed is committed");
        while self.entries.back().is_some_and(|last| last.index >= first.index) {
            self.bytes -= self.entries.pop_back().as_ref().map_or(0, bytes_of);
        }
        assert_eq!(self.last(), first.index - 1, "a log without a gap");
        self.bytes += entries.iter().map(bytes_of).sum::<usize>();
        self.entries.extend(entries.iter().cloned());
    }

    /// Notes what the records reflect.
    pub fn set_applied(&mut self, index: u64, term: u64, members: ConfState) {
        (self.applied_index, self.applied_term, self.members) = (index, term, members);
    }

    /// A snapshot has taken the log's place.
    pub fn replace(&mut self, index: u64, term: u64, members: ConfState) {
        self.entries.clear();
        self.bytes = 0;
        (self.trimmed_index, self.trimmed_term) = (index, term);
        self.set_applied(index, term, members);
    }

    /// If the log is beyond a bound, gives up the oldest entries that are applied until it is at half of it. Returns
    /// whether it did.
    pub fn trim(&mut self, entries_max: usize, bytes_max: usize) -> bool {
        if self.entries.len() <= entries_max && self.bytes <= bytes_max {
            return false;
        }
        let before = self.trimmed_index;
        while self.entries.len() > entries_max / 2 || self.bytes > bytes_max / 2 {
            let applied_index = self.applied_index;
            let Some(entry) = self.entries.pop_front_if(|entry| entry.index <= applied_index) else { break };
            self.bytes -= bytes_of(&entry);
            (self.trimmed_index, self.trimmed_term) = (entry.index, entry.term);
        }
        self.trimmed_index > before
    }

    /// The last entry that the log no longer has, and its term.
    pub fn trimmed(&self) -> (u64, u64) {
        (self.trimmed_index, self.trimmed_term)
    }

    /// Entries in memory.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    fn last(&self) -> u64 {
        self.trimmed_index + self.entries.len() as u64
    }
}

fn bytes_of(entry: &Entry) -> usize {
    entry.data.len() + entry.context.len() + ENTRY_OVERHEAD_BYTES
}

impl Storage for MemoryLog {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(self.start.clone())
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.trimmed_index {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        assert!(high <= self.last() + 1, "the crate asks for what it was told of");
        let max_size = max_size.into().unwrap_or(u64::MAX) as usize;
        let (mut found, mut bytes) = (Vec::new(), 0_usize);
        let from = (low - self.trimmed_index - 1) as usize;
        for entry in self.entries.range(from..(high - self.trimmed_index - 1) as usize) {
            bytes = bytes.saturating_add(bytes_of(entry));
            if bytes > max_size && !found.is_empty() {
                break;
            }
            found.push(entry.clone());
        }
        Ok(found)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index == self.trimmed_index {
            return Ok(self.trimmed_term);
        }
        if index < self.trimmed_index {
            return Err(raft::Error::Store(StorageError::Compacted));
        }
        let entry = self.entries.get((index - self.trimmed_index - 1) as usize);
        entry.map(|entry| entry.term).ok_or(raft::Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.trimmed_index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    /// Says only that there is one. What is sent is the records as they are then, in chunks.
    fn snapshot(&self, _: u64, _: u64) -> raft::Result<Snapshot> {
        let mut snapshot = Snapshot::default();
        let metadata = snapshot.mut_metadata();
        (metadata.index, metadata.term) = (self.applied_index, self.applied_term);
        metadata.set_conf_state(self.members.clone());
        Ok(snapshot)
    }
}
