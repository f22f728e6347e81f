//! What members say to each other. Only what our use of Raft needs: proposals are not forwarded, and snapshots go in
//! chunks.

use rkyv::{Archive, Deserialize, Serialize};

use super::members::Members;

/// What a log entry is.
#[derive(Archive, Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntryKind {
    /// Changes of the records, or nothing, with which a leader begins its term.
    Command,
    /// A change of members.
    Members,
}

/// A log entry. Its index follows from its place.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The term of the leader that wrote it.
    pub term: u64,
    /// What it is.
    pub kind: EntryKind,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// A message. The sender and the receiver are in its frame.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The sender's term, or the one that it wants to lead; 0 where it does not count.
    pub term: u64,
    /// What it says.
    pub body: Body,
}

/// What a message says; Raft's messages, see "In Search of an Understandable Consensus Algorithm" (Ongaro, Ousterhout).
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// A leader's entries, which follow the one at `previous_index`.
    Append {
        /// The entry before the first one.
        previous_index: u64,
        /// Its term.
        previous_term: u64,
        /// All entries up to here are committed.
        commit: u64,
        /// The entries.
        entries: Vec<Entry>,
    },
    /// The answer: the log agrees with the leader's up to `index`.
    Appended {
        /// The last entry that is durable here and agrees.
        index: u64,
        /// What the sender knows to be committed.
        commit: u64,
    },
    /// The answer when the entry at `index` is not the leader's.
    Refused {
        /// The entry that the leader asked about.
        index: u64,
        /// An entry up to which the logs may agree.
        hint_index: u64,
        /// Its term.
        hint_term: u64,
        /// What the sender knows to be committed.
        commit: u64,
    },
    /// Somebody wants to lead.
    Vote {
        /// Whether it only asks if it would be elected.
        trial: bool,
        /// Whether the leader has asked it to take over.
        transfer: bool,
        /// Its last entry.
        last_index: u64,
        /// That entry's term.
        last_term: u64,
        /// What it knows to be committed.
        commit: u64,
        /// That entry's term.
        commit_term: u64,
    },
    /// The answer.
    Voted {
        /// Whether that was a trial.
        trial: bool,
        /// Whether the sender is for it.
        granted: bool,
        /// What the sender knows to be committed, where it is against it.
        commit: u64,
        /// That entry's term.
        commit_term: u64,
    },
    /// A leader is there.
    Heartbeat {
        /// What is committed of what the receiver has.
        commit: u64,
        /// The read that it is to confirm, or 0.
        read: u64,
    },
    /// The answer.
    HeartbeatReply {
        /// What the sender knows to be committed.
        commit: u64,
        /// The read that it confirms, or 0.
        read: u64,
    },
    /// Up to where must I have applied the log for a read that begins now?
    ReadIndex {
        /// The read.
        read: u64,
    },
    /// The answer.
    ReadIndexReply {
        /// The read.
        read: u64,
        /// Up to here.
        index: u64,
    },
    /// The leader wants the receiver to take over at once.
    TakeOver,
    /// A piece of a snapshot.
    Chunk(Chunk),
    /// The answer to a chunk: which one is wanted next.
    ChunkReply {
        /// The snapshot's last entry.
        index: u64,
        /// The number of the chunk that is wanted next.
        next: u64,
    },
}

/// A piece of a snapshot: the records as they were when an entry had been applied.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Chunk {
    /// The last entry that the snapshot holds.
    pub index: u64,
    /// That entry's term.
    pub entry_term: u64,
    /// The members at that entry.
    pub members: Members,
    /// The checksum of all records.
    pub checksum: u64,
    /// The number of this chunk, from 0.
    pub number: u64,
    /// Whether it is the last one.
    pub is_last: bool,
    /// Keys and values in order of the keys.
    pub records: Vec<(String, Vec<u8>)>,
}
