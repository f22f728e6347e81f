//! What a journal counts.

use crate::base::meter::{Counter, Durations, Lengths};

/// Of the groups that were written.
#[derive(Default, Debug)]
pub struct JournalMeters {
    /// From a group's first entry to the submission of its write.
    pub queue: Durations,
    /// From the submission of a group's write to its completion.
    pub write: Durations,
    /// Length of the groups, in whole blocks.
    pub group_bytes: Lengths,
    /// Entries in them.
    pub entries: Counter,
}
