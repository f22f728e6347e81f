//! Compaction: partitions whose topic wants it are gone through, one after the other, behind everything else that the
//! shard does (log/compaction decides what stays). This file chooses partitions and has new segments take the place of
//! old ones; `compactor_pass` goes through one partition at the pace of `compactor_pace`, `compactor_output` writes one
//! segment.
//!
//! New segments are complete and synced, under names of their own, before anybody knows of them. They take their place
//! in memory in one step, and on disk with the next checkpoint: a crash before it leaves the old segments, one behind it
//! the new ones, and the files of the others belong to no segment then, which the next start looks for. The old files
//! go behind that checkpoint, when nobody reads them any more.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::select;
use tokio::sync::Notify;

use super::compactor_pass::{PassEnd, PassError};
use super::replica::Replica;
use super::storage::Storage;
use crate::base::limits::{
    COMPACTION_BACKOFF_MS_DEFAULT, COMPACTION_BYTES_PER_SECOND_DEFAULT, COMPACTION_RETIRED_BYTES_MAX,
    PARTITIONS_PER_TURN,
};
use crate::base::planted::{Bug, is_planted};
use crate::cluster::{CleanerSettings, TopicSettings};
use crate::log::compaction::{Dirt, Group, Readiness};
use crate::log::segment::Segment;
use crate::log::segment::memory::SegmentMemory;

/// Bounds of compaction. Those that have a key hold until they are changed ([`Storage::set_cleaner`]).
#[derive(Clone, Debug)]
pub struct CompactionConfig {
    /// Memory for keys (`log.cleaner.dedupe.buffer.size`), in bytes; what does not fit waits for the next pass.
    pub key_map_bytes_max: usize,
    /// The most that this can be changed to: the shard's memory for it.
    pub key_map_bytes_budget: usize,
    /// What a batch may unpack to; a longer one stays as it is.
    pub batch_bytes_max: usize,
    /// Bytes that are read and written in a second (`log.cleaner.io.max.bytes.per.second`); it waits when they are.
    pub bytes_per_second: u64,
    /// Time between two looks for something to do (`log.cleaner.backoff.ms`).
    pub backoff: Duration,
}

impl Default for CompactionConfig {
    /// For tests and tools: little memory, and Kafka's times.
    fn default() -> Self {
        CompactionConfig {
            key_map_bytes_max: 1 << 20,
            key_map_bytes_budget: 1 << 20,
            batch_bytes_max: 1 << 20,
            bytes_per_second: COMPACTION_BYTES_PER_SECOND_DEFAULT,
            backoff: Duration::from_millis(COMPACTION_BACKOFF_MS_DEFAULT),
        }
    }
}

/// A segment that is in no log any more, and that recovery would still want.
pub(super) struct Retired {
    replica: Rc<Replica>,
    segment: Segment,
}

/// What was set of compaction since the start.
#[derive(Default)]
pub(super) struct Cleaner {
    settings: Cell<Option<CleanerSettings>>,
    changed: Notify,
}

impl Storage {
    /// Changes how the storage compacts. A pass that is under way keeps its memory; its pace changes at once.
    pub(super) fn set_cleaner(&self, settings: CleanerSettings) {
        let before = self.cleaner.settings.replace(Some(settings));
        if before.is_some_and(|before| before != settings) {
            self.cleaner.changed.notify_waiters();
        }
    }

    fn cleaner_backoff(&self) -> Duration {
        let set = self.cleaner.settings.get();
        set.map_or(self.config.compaction.backoff, |set| Duration::from_millis(set.backoff_ms))
    }

    /// Bytes that compaction reads and writes in a second at most.
    pub(super) fn cleaner_bytes_per_second(&self) -> u64 {
        let set = self.cleaner.settings.get();
        set.map_or(self.config.compaction.bytes_per_second, |set| set.bytes_per_second).max(1)
    }

    /// Memory for the keys of a pass, in bytes.
    pub(super) fn cleaner_key_map_bytes(&self) -> usize {
        let CompactionConfig { key_map_bytes_max, key_map_bytes_budget, .. } = self.config.compaction;
        let Some(set) = self.cleaner.settings.get() else { return key_map_bytes_max };
        usize::try_from(set.key_map_bytes_max).unwrap_or(usize::MAX).min(key_map_bytes_budget)
    }

    /// Compacts until the storage stops or fails.
    pub async fn compact(self: Rc<Self>) {
        while !self.has_ended() {
            if !self.compact_all().await {
                // A change of the pause holds at once, however long this one is.
                let changed = self.cleaner.changed.notified();
                let pause = self.pause(self.cleaner_backoff());
                select(std::pin::pin!(changed), std::pin::pin!(pause)).await;
            }
        }
    }

    /// Gives each partition for which it pays a pass, the dirtiest first; whether any has got on and has more to do.
    async fn compact_all(&self) -> bool {
        let mut has_more = false;
        let due = self.due_for_compaction().await;
        self.discard_replaced().await;
        if self.waits_for_room_to_compact().await {
            return false;
        }
        for replica in due {
            if self.has_ended() {
                return false;
            }
            has_more |= self.compact_replica(&replica).await == Ok(PassEnd::MemoryFull);
        }
        self.discard_replaced().await;
        has_more
    }

    /// Has what was put in the place of old segments count, so that the old ones can go.
    async fn discard_replaced(&self) {
        if !self.has_ended() && !self.retired.borrow().is_empty() {
            self.checkpoint_now().await;
        }
    }

    /// The partitions for which a pass pays, the dirtiest first.
    async fn due_for_compaction(&self) -> Vec<Rc<Replica>> {
        let mut due = Vec::new();
        let (mut clean_bytes, mut dirty_bytes, mut stuck) = (0, 0, 0);
        for some in self.all_replicas().chunks(PARTITIONS_PER_TURN) {
            for replica in some.iter().filter(|replica| replica.settings().cleanup.compact) {
                let dirt = self.dirt(replica);
                (clean_bytes, dirty_bytes) = (clean_bytes + dirt.clean_bytes, dirty_bytes + dirt.dirty_bytes);
                stuck += u64::from(replica.check_intact().is_err());
                if self.may_compact(replica) && dirt.is_due(&readiness(&replica.settings())) {
                    due.push((dirt.millionths(), Rc::clone(replica)));
                }
            }
            self.runtime.yield_now().await;
        }
        let meters = &self.meters.compaction;
        meters.clean_bytes.set(clean_bytes);
        meters.dirty_bytes.set(dirty_bytes);
        meters.stuck.set(stuck);
        meters.waiting.set(due.len() as u64);
        due.sort_by_key(|(millionths, replica)| (std::cmp::Reverse(*millionths), replica.id));
        due.into_iter().map(|(_, replica)| replica).collect()
    }

    /// How much of the partition's log compaction has not seen.
    pub fn dirt(&self, replica: &Replica) -> Dirt {
        let (log_start, high_watermark) = {
            let state = replica.state.borrow();
            (state.progress().log_start(), state.progress().high_watermark())
        };
        let readiness = readiness(&replica.settings());
        replica.log.borrow().dirt(&readiness, log_start, high_watermark, self.steady_ms())
    }

    fn may_compact(&self, replica: &Replica) -> bool {
        replica.is_swept.get() && replica.check_intact().is_ok() && replica.check_online().is_ok()
    }

    /// Gives a partition a pass, whether it pays or not.
    pub async fn compact_replica(&self, replica: &Rc<Replica>) -> Result<PassEnd, PassError> {
        if !self.may_compact(replica) || !replica.settings().cleanup.compact {
            return Err(PassError::Interrupted);
        }
        let (began, usable_bytes) = (self.runtime.now(), self.usable_bytes().await);
        let outcome = self.compaction_pass(replica).await;
        let meters = &self.meters.compaction;
        meters.waiting.set(meters.waiting.get().saturating_sub(1));
        match &outcome {
            Ok(_) => {
                meters.passes.increment();
                meters.last_pass.set(self.runtime.now().saturating_sub(began));
            }
            Err(PassError::Interrupted) => {}
            // The partition takes no records either, and has said why.
            Err(PassError::Corrupt) => meters.stuck.set(meters.stuck.get() + 1),
            Err(PassError::NoRoom) => {
                self.put_compaction_off(usable_bytes);
                tracing::warn!(partition = %replica.id, "compaction waits: the disk has too little room");
            }
            Err(PassError::Disk(reason)) => {
                tracing::warn!(partition = %replica.id, reason, "compaction is put off");
            }
        }
        outcome
    }

    /// Has a segment take the place of a group; `false` if the log is no longer what the group was made of. `cuts` is
    /// the log's then.
    pub(super) async fn put_in_place(
        &self,
        replica: &Rc<Replica>,
        group: &Group,
        cuts: u64,
        segment: Segment,
    ) -> Result<bool, PassError> {
        {
            // A cut that is under way is told by positions in the segments that there are.
            let _turn = self.segment_turn.lock().await;
            if self.has_ended() || replica.check_online().is_err() {
                return Err(PassError::Interrupted);
            }
            let Ok(replaced) = self.change_log(replica, |log| log.replace(group, cuts, segment)) else {
                return Ok(false);
            };
            for mut segment in replaced {
                segment.memory = SegmentMemory::starting_at(segment.end_position);
                self.retired.borrow_mut().push(Retired { replica: Rc::clone(replica), segment });
            }
        }
        if is_planted(Bug::DiscardEarly) {
            self.discard_retired(self.retired.borrow().len());
        }
        let is_short_of_room = self.space.refusal().is_some();
        if self.retired_bytes() >= COMPACTION_RETIRED_BYTES_MAX || is_short_of_room {
            // Should it fail, the segment is in the log all the same; the old files stay until one succeeds.
            self.checkpoint_now().await;
        }
        if is_short_of_room {
            // The next segment may need the room of these.
            self.reclaim_replica(replica).await;
        }
        Ok(true)
    }

    fn retired_bytes(&self) -> u64 {
        self.retired.borrow().iter().map(|retired| retired.segment.end_position).sum()
    }

    /// Whether recovery would find segments of the partition that compaction has put others in the place of.
    pub(super) fn has_retired(&self, replica: &Rc<Replica>) -> bool {
        self.retired.borrow().iter().any(|retired| Rc::ptr_eq(&retired.replica, replica))
    }

    /// A checkpoint knows what has taken the place of the first `count` retired segments: their files may go.
    pub(super) fn discard_retired(&self, count: usize) {
        let retired: Vec<_> = self.retired.borrow_mut().drain(..count).collect();
        for Retired { replica, segment } in retired {
            replica.discardable.borrow_mut().push(segment);
            self.reclaim_later(&replica);
        }
    }
}

fn readiness(settings: &TopicSettings) -> Readiness {
    Readiness {
        dirty_millionths_min: settings.cleanable_dirty_millionths_min,
        lag_ms_min: settings.compaction_lag_ms_min,
        lag_ms_max: settings.compaction_lag_ms_max,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{ConfigAlteration, ConfigChange, ConfigResource};
    use crate::runtime::sim::SimWorld;
    use crate::shard::testing::{TestNode, test_config};

    fn now(storage: &Storage) -> (Duration, u64, usize) {
        (storage.cleaner_backoff(), storage.cleaner_bytes_per_second(), storage.cleaner_key_map_bytes())
    }

    /// As with Kafka, for one broker or for all.
    #[test]
    fn how_it_compacts_is_changed_while_it_runs() {
        let world = SimWorld::new(1);
        let runtime = world.runtime();
        let ended = world.block_on(async {
            let node = TestNode::start(&runtime, "/data".into(), test_config(1, &[])).await;
            let (shard, storage) = (&node.shards[0], &node.shards[0].storage);
            let set = async |name: &str, value: &str| {
                let alteration = ConfigAlteration {
                    resource: ConfigResource::Broker(None),
                    replaces_all: false,
                    changes: vec![(name.to_owned(), ConfigChange::Set(value.to_owned()))],
                };
                let outcomes = shard.metadata.alter_configs(vec![alteration], false).await;
                outcomes.expect("metadata works").remove(0).is_ok()
            };
            let default = Duration::from_millis(COMPACTION_BACKOFF_MS_DEFAULT);
            let budget = storage.config.compaction.key_map_bytes_budget;
            assert_eq!(now(storage), (default, COMPACTION_BYTES_PER_SECOND_DEFAULT, budget));
            for (name, value) in [
                ("log.cleaner.backoff.ms", "0"),
                ("log.cleaner.dedupe.buffer.size", "1"),
                ("log.cleaner.io.max.bytes.per.second", "0.5"),
                ("log.cleaner.io.max.bytes.per.second", "NaN"),
            ] {
                assert!(!set(name, value).await, "{name}={value}");
            }
            assert!(set("log.cleaner.backoff.ms", "20").await);
            // Kafka's is a fraction, and its default the largest there is.
            assert!(set("log.cleaner.io.max.bytes.per.second", "1.7976931348623157E308").await);
            assert_eq!(now(storage), (Duration::from_millis(20), u64::MAX, budget));
            assert!(set("log.cleaner.io.max.bytes.per.second", "4096.5").await);
            assert!(set("log.cleaner.dedupe.buffer.size", "2097152").await);
            assert_eq!(now(storage), (Duration::from_millis(20), 4096, budget.min(2 << 20)));
        });
        assert_eq!(ended, Some(()));
    }
}
