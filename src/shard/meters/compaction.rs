//! What is counted of compaction.

use std::cell::Cell;
use std::time::Duration;

use crate::base::meter::Counter;

/// See the module.
#[derive(Default, Debug)]
pub struct CompactionMeters {
    /// Passes that have gone through all of a partition that they could.
    pub passes: Counter,
    /// Bytes of batches that were read.
    pub read_bytes: Counter,
    /// Bytes of segments that were written.
    pub written_bytes: Counter,
    /// Records that were left out.
    pub removed_records: Counter,
    /// Segments that others have taken the place of.
    pub replaced_segments: Counter,
    /// How long the last pass took.
    pub last_pass: Cell<Duration>,
    /// Partitions for which a pass pays that have not had it, as of the last look.
    pub waiting: Cell<u64>,
    /// Partitions that cannot be compacted, since their data is damaged.
    pub stuck: Cell<u64>,
    /// Bytes of compacted partitions that a pass has seen, as of the last look.
    pub clean_bytes: Cell<u64>,
    /// Bytes that it may see and has not.
    pub dirty_bytes: Cell<u64>,
    /// Memory of the keys of the pass that is under way.
    pub key_map_bytes: Cell<u64>,
    /// The most that was worked on while nothing else of the shard had its turn, in bytes.
    pub longest_turn_bytes: Cell<u64>,
}
