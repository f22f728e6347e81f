//! Compaction (`cleanup.policy=compact`): of each key the last record stays, as Kafka's log cleaner decides it. Pure;
//! the shard reads, unpacks, packs and writes (shard/compactor.rs).
//!
//! A pass over a partition first notes the last offset of each key among the records that are new since the pass before
//! (*dirty*), as many keys as its memory takes. Then it goes through all complete segments from the log's start to where
//! it came, a *group* of neighbours at a time, leaves out each record of which a later one with its key is known, and
//! writes what stays to one new segment. That takes the place of the group in memory at once and on disk with the next
//! checkpoint, behind which the old files go. Offsets never change; where records were, there is a hole.
//!
//! A record without a value (a *tombstone*) stays for `delete.retention.ms` after the first pass that has seen it, which
//! writes that moment, the delete horizon, in the batch's header (KIP-534). An empty batch stays where it says what a
//! producer's last sequence number was, and at the end of the pass.
//!
//! Where a batch is transactional, a pass ends before it: whether its records count is for its marker to say, and this
//! broker has no transactions.

mod choose;
mod key_map;
mod output;
mod sift;
#[cfg(test)]
mod tests;

pub use choose::{Dirt, Group, Readiness};
pub use key_map::KeyMap;
pub use output::Output;
pub use sift::{KeyNotes, Noted, Rebase, Rewrite, Rules, Sift, Sifted};
