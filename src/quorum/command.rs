//! What a log entry says: changes of the replicated records.

use rkyv::{Archive, Deserialize, Serialize};

use super::archive;

/// Version of the bytes of a command.
const VERSION: u8 = 1;

/// A change of the replicated records.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A record is there from now on, instead of the one of that key.
    Put {
        /// Its key.
        key: String,
        /// Its bytes.
        value: Vec<u8>,
    },
    /// The records with keys from `from` up to but not including `to` are gone.
    Remove {
        /// The first key.
        from: String,
        /// The first key that stays.
        to: String,
    },
}

impl Change {
    /// What the change takes, in bytes.
    pub fn bytes(&self) -> usize {
        match self {
            Change::Put { key, value } => key.len() + value.len(),
            Change::Remove { from, to } => from.len() + to.len(),
        }
    }
}

/// Changes that happen together, with what their proposer had applied when it proposed them: by that all nodes see
/// whether they hold the same.
#[derive(Archive, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub(super) struct Command {
    pub base_index: u64,
    pub base_checksum: u64,
    pub changes: Vec<Change>,
}

impl Command {
    pub fn encode(&self) -> Vec<u8> {
        archive::seal(VERSION, self)
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        archive::open(VERSION, bytes)
    }
}
