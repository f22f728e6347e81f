//! How a shard's memory is divided. One number, `memory`, is the source of all of it; base/limits.rs holds the
//! shares and says what happens when each is used up.

use crate::base::limits::*;

/// One shard's memory by use, in bytes. The parts and what connections and state may take are within
/// `shard_bytes`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Budgets {
    /// All of the shard's memory.
    pub shard_bytes: u64,
    /// Produce requests read and not yet executed.
    pub request_bytes: u64,
    /// Other requests read and not yet answered, with what executing them takes.
    pub query_bytes: u64,
    /// Records accepted and not yet durable.
    pub undurable_bytes: u64,
    /// Partition tails that are in the journal and not yet in their segments.
    pub dirty_bytes: u64,
    /// Partition tails that are in their segments and kept for consumers.
    pub cached_bytes: u64,
    /// Pinned by fetch responses being sent.
    pub fetch_bytes: u64,
    /// Other responses being sent.
    pub reply_bytes: u64,
    /// Keys and batches of compaction.
    pub compaction_bytes: u64,
}

impl Budgets {
    /// Divides a shard's memory. `shard_bytes` is at least [`SHARD_MEMORY_BYTES_MIN`], `connections` at most
    /// what [`connections_that_fit`] gives, and the journal at least
    /// [`JOURNAL_BYTES_MIN`].
    pub fn divide(shard_bytes: u64, journal_bytes: u64, connections: u64) -> Self {
        assert!(shard_bytes >= SHARD_MEMORY_BYTES_MIN && connections <= connections_that_fit(shard_bytes));
        let dirty_bytes =
            percent(shard_bytes, DIRTY_MEMORY_PERCENT).min(percent(journal_bytes, DIRTY_JOURNAL_PERCENT));
        let mut budgets = Budgets {
            shard_bytes,
            request_bytes: request_bytes(shard_bytes),
            query_bytes: percent(shard_bytes, QUERY_MEMORY_PERCENT).min(QUERY_MEMORY_BYTES_MAX),
            undurable_bytes: undurable_bytes(shard_bytes),
            dirty_bytes,
            cached_bytes: 0,
            fetch_bytes: fetch_bytes(shard_bytes),
            reply_bytes: percent(shard_bytes, REPLY_MEMORY_PERCENT).min(REPLY_MEMORY_BYTES_MAX),
            compaction_bytes: percent(shard_bytes, COMPACTION_MEMORY_PERCENT)
                .min(COMPACTION_MEMORY_BYTES_MAX),
        };
        let own = connections * CONNECTION_BYTES + percent(shard_bytes, STATE_MEMORY_PERCENT);
        let produced = budgets.request_bytes + budgets.undurable_bytes + budgets.dirty_bytes;
        let others =
            budgets.query_bytes + budgets.fetch_bytes + budgets.reply_bytes + budgets.compaction_bytes;
        let taken = own + produced + others;
        budgets.cached_bytes = shard_bytes.checked_sub(taken).expect("the shares add up to less than all");
        budgets
    }

    /// Memory for the keys of a pass of compaction, at most.
    pub fn compaction_key_bytes(&self) -> u64 {
        self.compaction_bytes / 2
    }

    /// What a batch may unpack to that compaction rewrites.
    pub fn compaction_batch_bytes(&self) -> u64 {
        (self.compaction_bytes - self.compaction_key_bytes()) / COMPACTION_BATCH_COPIES
    }

    /// What groups, their members and offsets may take: a part of what state may take, in bytes.
    pub fn group_state_bytes(&self) -> u64 {
        percent(percent(self.shard_bytes, STATE_MEMORY_PERCENT), GROUP_STATE_PERCENT)
    }

    /// Idempotent producers that are remembered over all partitions: a part of what state may take.
    pub fn producers(&self) -> usize {
        let state_bytes = percent(self.shard_bytes, STATE_MEMORY_PERCENT);
        (percent(state_bytes, PRODUCER_STATE_PERCENT) / PRODUCER_COST_BYTES) as usize
    }

    /// Partitions in fetch sessions whose memory fits: a part of what state may take.
    pub fn fetch_session_partitions(&self) -> usize {
        let state_bytes = percent(self.shard_bytes, STATE_MEMORY_PERCENT);
        (percent(state_bytes, FETCH_SESSION_STATE_PERCENT) / FETCH_SESSION_PARTITION_BYTES) as usize
    }
}

/// Each shard's part of `memory`.
pub fn shard_bytes(memory_bytes: u64, shards: u16) -> u64 {
    memory_bytes.saturating_sub(PROCESS_MEMORY_BYTES) / u64::from(shards)
}

/// The `memory` that gives each shard its part, in whole MiB.
pub fn memory_for(shard_bytes: u64, shards: u16) -> u64 {
    (shard_bytes * u64::from(shards) + PROCESS_MEMORY_BYTES).next_multiple_of(1 << 20)
}

/// Shards that `memory` suffices for.
pub fn shards_that_fit(memory_bytes: u64) -> u64 {
    memory_bytes.saturating_sub(PROCESS_MEMORY_BYTES) / SHARD_MEMORY_BYTES_MIN
}

/// Memory for produce requests.
pub fn request_bytes(shard_bytes: u64) -> u64 {
    percent(shard_bytes, REQUEST_MEMORY_PERCENT).min(REQUEST_MEMORY_BYTES_MAX)
}

/// Memory for records that are not yet durable.
pub fn undurable_bytes(shard_bytes: u64) -> u64 {
    percent(shard_bytes, UNDURABLE_MEMORY_PERCENT).min(UNDURABLE_MEMORY_BYTES_MAX)
}

/// Memory for fetch responses.
pub fn fetch_bytes(shard_bytes: u64) -> u64 {
    percent(shard_bytes, FETCH_MEMORY_PERCENT).min(FETCH_MEMORY_BYTES_MAX)
}

/// Connections whose own memory fits.
pub fn connections_that_fit(shard_bytes: u64) -> u64 {
    percent(shard_bytes, CONNECTION_MEMORY_PERCENT) / CONNECTION_BYTES
}

/// The longest journal that recovery can hold.
pub fn journal_bytes_that_fit(shard_bytes: u64) -> u64 {
    whole_journal_files(percent(shard_bytes, JOURNAL_MEMORY_PERCENT_MAX))
}

/// The journal's length if nobody sets it.
pub fn journal_bytes_default(shard_bytes: u64) -> u64 {
    let files = percent(shard_bytes, JOURNAL_MEMORY_PERCENT_DEFAULT) / JOURNAL_FILE_BYTES;
    files.clamp(JOURNAL_FILES_MIN, JOURNAL_FILES_DEFAULT_MAX) * JOURNAL_FILE_BYTES
}

/// A journal's length, rounded down to whole files.
pub fn whole_journal_files(bytes: u64) -> u64 {
    bytes - bytes % journal_file_bytes(bytes)
}

/// Length of each file of a journal of about `journal_bytes`, in whole MiB.
pub fn journal_file_bytes(journal_bytes: u64) -> u64 {
    let third = journal_bytes / JOURNAL_FILES_MIN;
    (third - third % (1 << 20)).min(JOURNAL_FILE_BYTES)
}

/// The longest batch that fits a group of a journal of `journal_bytes`.
pub fn message_bytes_that_fit(journal_bytes: u64) -> u64 {
    journal_file_bytes(journal_bytes) / JOURNAL_FILE_PER_GROUP - JOURNAL_GROUP_OVERHEAD_BYTES
}

/// The least `journal.bytes` whose groups take a batch of `message_bytes`.
pub fn journal_bytes_for(message_bytes: u64) -> u64 {
    let file_bytes = (message_bytes + JOURNAL_GROUP_OVERHEAD_BYTES) * JOURNAL_FILE_PER_GROUP;
    file_bytes.next_multiple_of(1 << 20) * JOURNAL_FILES_MIN
}

/// The part of a shard's memory of which `share` per cent are at least `bytes`.
pub fn shard_bytes_for(bytes: u64, share: u64) -> u64 {
    (bytes * 100).div_ceil(share)
}

fn percent(bytes: u64, share: u64) -> u64 {
    bytes / 100 * share + bytes % 100 * share / 100
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_smallest_shard() {
        let journal = journal_bytes_default(SHARD_MEMORY_BYTES_MIN);
        assert_eq!(journal, 192 * MIB);
        assert!(journal <= journal_bytes_that_fit(SHARD_MEMORY_BYTES_MIN));
        let connections = connections_that_fit(SHARD_MEMORY_BYTES_MIN);
        assert_eq!(connections, 1310);
        let budgets = Budgets::divide(SHARD_MEMORY_BYTES_MIN, journal, connections);
        assert!(budgets.cached_bytes >= 25 * MIB, "{budgets:?}");
        assert!(budgets.producers() >= 2 * PRODUCERS_PER_PARTITION_MAX, "{budgets:?}");
        assert!(budgets.request_bytes >= 40 * MIB && budgets.undurable_bytes >= 25 * MIB, "{budgets:?}");
    }

    #[test]
    fn a_large_shard_gives_what_is_over_to_the_cache() {
        let shard = 64 << 30;
        let budgets = Budgets::divide(shard, journal_bytes_default(shard), 8192);
        assert_eq!(budgets.request_bytes, REQUEST_MEMORY_BYTES_MAX);
        assert_eq!(budgets.undurable_bytes, UNDURABLE_MEMORY_BYTES_MAX);
        assert_eq!(budgets.dirty_bytes, 512 * MIB * DIRTY_JOURNAL_PERCENT / 100);
        assert!(budgets.cached_bytes > shard * 85 / 100);
    }

    proptest! {
        #[test]
        fn the_parts_never_exceed_the_whole(
            shard in SHARD_MEMORY_BYTES_MIN..1 << 40,
            files in JOURNAL_FILES_MIN..1000,
            connections in 1..CONNECTIONS_MAX,
        ) {
            let connections = connections.min(connections_that_fit(shard));
            let journal = files * JOURNAL_FILE_BYTES;
            let b = Budgets::divide(shard, journal, connections);
            let others = b.query_bytes + b.fetch_bytes + b.reply_bytes + b.compaction_bytes;
            let sum = b.request_bytes + b.undurable_bytes + b.dirty_bytes + b.cached_bytes + others;
            prop_assert!(sum + connections * CONNECTION_BYTES <= shard);
            prop_assert!(b.dirty_bytes * 100 <= journal * DIRTY_JOURNAL_PERCENT);
        }

        #[test]
        fn a_journal_is_whole_files_that_take_the_longest_batch(
            bytes in JOURNAL_BYTES_MIN..JOURNAL_BYTES_MAX, message in 0..=MESSAGE_BYTES_MAX,
        ) {
            let (whole, file) = (whole_journal_files(bytes), journal_file_bytes(bytes));
            prop_assert_eq!(journal_file_bytes(whole), file);
            prop_assert!(whole.is_multiple_of(file) && whole / file >= JOURNAL_FILES_MIN && whole <= bytes);
            let least = journal_bytes_for(message);
            prop_assert!(message_bytes_that_fit(least) >= message);
            prop_assert!(bytes < least || message_bytes_that_fit(bytes) >= message);
        }

        #[test]
        fn memory_for_a_share_suffices(bytes in 1u64..1 << 32, share in 1u64..=100, shards in 1u16..1000) {
            let memory = memory_for(shard_bytes_for(bytes, share), shards);
            prop_assert!(percent(shard_bytes(memory, shards), share) >= bytes);
        }
    }
}
