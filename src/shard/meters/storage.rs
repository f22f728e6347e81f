//! What is counted of a shard's storage, besides its journal and its disk.

use super::compaction::CompactionMeters;
use crate::base::meter::Counter;
use crate::shard::scrub::ScrubMeters;

/// How often something was where it is served from without the disk, and how often it was not.
#[derive(Default, Debug)]
pub struct CacheMeters {
    /// It was there.
    pub hits: Counter,
    /// It was not.
    pub misses: Counter,
}

impl CacheMeters {
    /// Counts a look.
    pub fn note(&self, is_hit: bool) {
        if is_hit { &self.hits } else { &self.misses }.increment();
    }
}

/// See the module.
#[derive(Default, Debug)]
pub struct StorageMeters {
    /// Batches that were appended.
    pub batches: Counter,
    /// Their records.
    pub records: Counter,
    /// Their bytes.
    pub bytes: Counter,
    /// Those that were written to their segments past the journal.
    pub extents: Counter,
    /// Their bytes.
    pub extent_bytes: Counter,
    /// Bytes of batches that were appended as follower.
    pub followed_bytes: Counter,
    /// Batches that were there already: an idempotent producer sent them again.
    pub duplicates: Counter,
    /// Bytes of batches that readers were given.
    pub read_bytes: Counter,
    /// Reads of partitions' tails.
    pub tails: CacheMeters,
    /// Reads behind the tails, of runs of batches that were read from disk before.
    pub runs: CacheMeters,
    /// Look-ups of sealed segments' indexes.
    pub indexes: CacheMeters,
    /// Look-ups of open segment files.
    pub files: CacheMeters,
    /// Reads of segments that were not as they had been written.
    pub corrupt_reads: Counter,
    /// Compaction.
    pub compaction: CompactionMeters,
    /// Scrubbing.
    pub scrub: ScrubMeters,
}
