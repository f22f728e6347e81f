//! What a member has on its disk, and what is to be added to it.

use std::sync::Arc;

use rkyv::{Archive, Deserialize, Serialize};

use super::command::Change;
use super::members::{Members, RaftId};
use super::message::Entry;
use super::state::State;

/// Everything but the log's entries and the records.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// The member whose disk it is.
    pub id: RaftId,
    /// The newest term that it has seen.
    pub term: u64,
    /// For whom it voted in that term, or 0.
    pub vote: RaftId,
    /// The last entry that it knows to be committed.
    pub commit: u64,
    /// The last entry that the records reflect.
    pub applied_index: u64,
    /// That entry's term.
    pub applied_term: u64,
    /// The members at that entry.
    pub members: Members,
    /// Checksum of the records.
    pub checksum: u64,
    /// The last entry that the log no longer has.
    pub trimmed_index: u64,
    /// That entry's term.
    pub trimmed_term: u64,
}

/// An entry with its index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IndexedEntry {
    /// Its place in the log.
    pub index: u64,
    /// The entry.
    pub entry: Entry,
}

/// All that a member has on its disk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stored {
    /// Everything but the following.
    pub head: Head,
    /// The log's entries, without a gap.
    pub entries: Vec<IndexedEntry>,
    /// The records.
    pub records: State,
}

/// What is to be made durable in one transaction: all of it, or nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Persist {
    /// Which one it is; [`super::Node::persisted`] is told.
    pub number: u64,
    /// A snapshot's records. They take the place of all records, and the log is empty then.
    pub replacement: Option<Arc<State>>,
    /// Changes of the records.
    pub changes: Vec<Change>,
    /// Entries without a gap. The log's entries from the first one's index on go before they come.
    pub entries: Vec<IndexedEntry>,
    /// Takes the place of the former one. Entries up to its `trimmed_index` go.
    pub head: Head,
}

impl Stored {
    /// What each founding member of a quorum begins with: all the same but for their ids.
    pub fn founding(id: RaftId, voters: Vec<RaftId>, records: State) -> Self {
        let head = Head {
            id,
            term: 1,
            commit: 1,
            applied_index: 1,
            applied_term: 1,
            members: Members::of_voters(voters),
            checksum: records.checksum(),
            trimmed_index: 1,
            trimmed_term: 1,
            ..Head::default()
        };
        Stored { head, entries: Vec::new(), records }
    }

    /// What a member begins with that the others are to take in: nothing.
    pub fn blank(id: RaftId) -> Self {
        Stored { head: Head { id, ..Head::default() }, ..Stored::default() }
    }

    /// What is there once something was made durable; what every store has to do.
    #[cfg(any(test, feature = "test-support"))]
    pub fn take(&mut self, persist: &Persist) {
        if let Some(records) = &persist.replacement {
            self.records = State::clone(records);
            self.entries.clear();
        }
        persist.changes.iter().for_each(|change| self.records.apply(change));
        if let Some(first) = persist.entries.first() {
            self.entries.retain(|entry| entry.index < first.index);
            self.entries.extend(persist.entries.iter().cloned());
        }
        self.entries.retain(|entry| entry.index > persist.head.trimmed_index);
        self.head = persist.head.clone();
    }

    /// Whether it fits together.
    pub fn fault(&self) -> Option<&'static str> {
        let Head { applied_index, trimmed_index, commit, .. } = self.head;
        let follows = |at: usize, index: u64| trimmed_index.checked_add(1 + at as u64) == Some(index);
        if self.head.id == 0 {
            Some("no id")
        } else if !self.entries.iter().enumerate().all(|(at, entry)| follows(at, entry.index)) {
            Some("a gap in the log")
        } else if trimmed_index > applied_index || applied_index > commit {
            Some("a log that was trimmed too far")
        } else if commit > self.entries.last().map_or(trimmed_index, |entry| entry.index) {
            Some("a log that ends too early")
        } else if self.records.checksum() != self.head.checksum {
            Some("records with another checksum")
        } else {
            None
        }
    }
}
