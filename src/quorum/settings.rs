//! How a member is set up.

use super::members::RaftId;
use crate::base::limits::{QUORUM_CHUNK_BYTES, QUORUM_LOG_BYTES_MAX, QUORUM_LOG_ENTRIES_MAX};

/// How a member is set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The member; what is stored must be its.
    pub id: RaftId,
    /// From this number of ticks without a leader up to twice as many, somebody tries to be elected; a leader that has
    /// not heard of a majority for as long steps down.
    pub election_ticks: usize,
    /// Ticks from one heartbeat of a leader to the next.
    pub heartbeat_ticks: usize,
    /// Where all of the member's chance comes from. Two members with the same would collide in elections.
    pub seed: u64,
    /// Entries at which the log is trimmed to half as many.
    pub log_entries_max: usize,
    /// Bytes of entries at which the log is trimmed to half as many.
    pub log_bytes_max: usize,
    /// Bytes of records in one chunk of a snapshot; a single record may be longer.
    pub chunk_bytes: usize,
}

impl Settings {
    /// The defaults.
    pub fn new(id: RaftId, seed: u64) -> Self {
        Settings {
            id,
            election_ticks: 10,
            heartbeat_ticks: 2,
            seed,
            log_entries_max: QUORUM_LOG_ENTRIES_MAX,
            log_bytes_max: QUORUM_LOG_BYTES_MAX,
            chunk_bytes: QUORUM_CHUNK_BYTES,
        }
    }
}
