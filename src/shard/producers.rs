//! The idempotent producers that a shard remembers, over all of its partitions.
//!
//! A partition forgets producers that have been idle for `producer.id.expiration.ms`, and the oldest when there are too
//! many in it. Where a shard knows more than it has memory for, the producers that have been idle for longest are
//! forgotten before their time, whichever partition they are of: a task halves the time until few enough are left. What
//! comes faster than that task forgets makes room in its own partition.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::select;
use tokio::sync::Notify;

use super::replica::Replica;
use super::storage::Storage;
use crate::base::limits::{
    PRODUCER_ID_EXPIRATION_MS, PRODUCERS_IDLE_MS_MIN, PRODUCERS_PER_PARTITION_MAX, PRODUCERS_THINNED_EVERY_MS,
};
use crate::protocol::batch::BatchHeader;

/// How many idempotent producers are remembered, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct ProducersConfig {
    /// Those of all partitions of the shard together.
    pub producers_max: usize,
    /// How long one is remembered that appends nothing (`producer.id.expiration.ms`), in ms, until that is changed.
    pub expiration_ms: i64,
}

impl Default for ProducersConfig {
    fn default() -> Self {
        ProducersConfig {
            producers_max: PRODUCERS_PER_PARTITION_MAX,
            expiration_ms: PRODUCER_ID_EXPIRATION_MS,
        }
    }
}

impl ProducersConfig {
    /// From here on producers are forgotten before their time.
    fn crowd(&self) -> usize {
        self.producers_max - self.producers_max / 16
    }
}

/// How many producers the partitions of a shard know.
#[derive(Default)]
pub(super) struct KnownProducers {
    count: Cell<usize>,
    /// There are more than there should be.
    crowded: Notify,
    /// `producer.id.expiration.ms` as it was set since the start, in ms.
    expiration_ms: Cell<Option<i64>>,
}

impl KnownProducers {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count.get()
    }
}

impl Storage {
    /// How long a producer is remembered that appends nothing, in ms.
    pub(super) fn producer_expiration_ms(&self) -> i64 {
        self.known_producers.expiration_ms.get().unwrap_or(self.config.producers.expiration_ms)
    }

    /// Changes that. It shows when retention looks at the partitions next.
    pub(super) fn set_producer_expiration(&self, expiration_ms: i64) {
        self.known_producers.expiration_ms.set(Some(expiration_ms));
    }

    /// Counts a partition's producers again, after anything that may have changed their number. One that is out of
    /// service has none.
    pub(super) fn count_producers(&self, replica: &Replica) {
        let now = if replica.check_online().is_ok() { replica.state.borrow().producers().len() } else { 0 };
        let before = replica.counted_producers.replace(now);
        let count = self.known_producers.count() - before + now;
        self.known_producers.count.set(count);
        if count > self.config.producers.crowd() {
            self.known_producers.crowded.notify_one();
        }
    }

    /// Lets a partition that a new producer appends to forget others, if the shard knows as many as it may.
    pub(super) fn make_room_for_producer(&self, replica: &Replica, header: &BatchHeader, now_ms: i64) {
        let (known, known_max) = (self.known_producers.count(), self.config.producers.producers_max);
        if !header.has_producer_id() || known < known_max {
            return;
        }
        if !replica.state.borrow().producers().knows(header.producer_id) {
            // Those that append now would forget each other in turn, and the next ones with them.
            let idle_ms_min = if known < 2 * known_max { PRODUCERS_IDLE_MS_MIN } else { 0 };
            replica.state.borrow_mut().crowd_out_producers(now_ms, idle_ms_min);
            self.count_producers(replica);
        }
    }

    /// Forgets producers before their time while there are too many, until the storage stops or fails.
    pub async fn bound_producers(self: Rc<Self>) {
        loop {
            let ended = self.ended.notified();
            if self.has_ended() {
                return;
            }
            let crowded = std::pin::pin!(self.known_producers.crowded.notified());
            select(std::pin::pin!(ended), crowded).await;
            self.thin_out_producers().await;
            if !self.pause(Duration::from_millis(PRODUCERS_THINNED_EVERY_MS)).await {
                return;
            }
        }
    }

    /// Forgets the producers that have been idle for longest until few enough are left. Those that append now stay.
    async fn thin_out_producers(&self) {
        let (before, mut idle_ms) = (self.known_producers.count(), self.producer_expiration_ms());
        while self.known_producers.count() > self.config.producers.crowd() && idle_ms > PRODUCERS_IDLE_MS_MIN
        {
            idle_ms = (idle_ms / 2).max(PRODUCERS_IDLE_MS_MIN);
            let now_ms = self.steady_ms();
            for replica in self.all_replicas() {
                if self.has_ended() {
                    return;
                }
                if replica.counted_producers.get() > 0 {
                    replica.state.borrow_mut().expire_producers(now_ms, idle_ms);
                    self.count_producers(&replica);
                    self.runtime.yield_now().await;
                }
            }
        }
        let left = self.known_producers.count();
        if left < before {
            let forgotten = before - left;
            tracing::warn!(
                forgotten,
                left,
                idle_ms,
                "there are many idempotent producers: those that were idle for longer than this are forgotten before \
                 producer.id.expiration.ms; more memory for each shard, or fewer short-lived producers, keep them"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::ids::{PartitionId, ShardId, TopicId};
    use crate::cluster::TopicSettings;
    use crate::protocol::batch::BatchBuilder;
    use crate::runtime::sim::SimWorld;
    use crate::shard::testing::open_storage;
    use crate::shard::{PartitionSpec, StorageConfig};

    /// A storage of three partitions.
    struct Bench {
        storage: Rc<Storage>,
        replicas: Vec<Rc<Replica>>,
    }

    fn on_bench<F: Future<Output = ()>>(producers_max: usize, test: impl FnOnce(Bench) -> F) {
        let world = SimWorld::new(1);
        let runtime = world.runtime();
        let ended = world.block_on(async {
            let adjust = |config: &mut StorageConfig| config.producers.producers_max = producers_max;
            let storage = open_storage(&runtime, Path::new("/data"), ShardId(0), adjust).await;
            let spec = |index| PartitionSpec {
                id: PartitionId { topic: TopicId::from_bytes([1; 16]), index },
                topic_name: "t".to_owned(),
                leader_epoch: 0,
                settings: TopicSettings::default(),
            };
            let specs: Vec<PartitionSpec> = (0..3).map(spec).collect();
            storage.open_new(&specs).await.expect("opened");
            let replica = |spec: &PartitionSpec| storage.replica(spec.id).expect("open");
            let replicas = specs.iter().map(replica).collect();
            test(Bench { storage: Rc::clone(&storage), replicas }).await;
            storage.stop().await.expect("the disk works");
        });
        assert_eq!(ended, Some(()));
    }

    impl Bench {
        /// A first batch of each of these producers to a partition.
        async fn produce(&self, partition: usize, producers: std::ops::Range<i64>) {
            for producer in producers {
                let batch = BatchBuilder::new().producer(producer, 0, 0).record(0, None, Some(b"v")).build();
                let header = BatchHeader::parse(&batch).expect("our own batch");
                let appended = self.storage.append(&self.replicas[partition], &header, &batch).await;
                appended.expect("the disk works");
            }
        }

        fn known(&self) -> (usize, Vec<usize>) {
            let of = |replica: &Rc<Replica>| replica.state.borrow().producers().len();
            (self.storage.known_producers.count(), self.replicas.iter().map(of).collect())
        }
    }

    #[test]
    fn a_new_producer_takes_the_place_of_another_of_its_partition() {
        on_bench(8, |bench| async move {
            bench.produce(0, 0..5).await;
            bench.produce(1, 10..13).await;
            assert_eq!(bench.known(), (8, vec![5, 3, 0]));
            bench.storage.runtime.sleep(Duration::from_secs(2)).await;
            bench.produce(1, 13..14).await;
            assert_eq!(bench.known(), (8, vec![5, 3, 0]));
            let knows = |producer| bench.replicas[1].state.borrow().producers().knows(producer);
            assert!(!knows(10) && knows(13));
        });
    }

    #[test]
    fn those_that_append_now_are_forgotten_only_beyond_twice_the_bound() {
        on_bench(8, |bench| async move {
            bench.produce(0, 0..16).await;
            assert_eq!(bench.known(), (16, vec![16, 0, 0]));
            bench.produce(0, 16..20).await;
            assert_eq!(bench.known(), (16, vec![16, 0, 0]));
            // One that has none to forget takes one more.
            bench.produce(2, 20..22).await;
            assert_eq!(bench.known(), (17, vec![16, 0, 1]));
        });
    }

    #[test]
    fn those_of_a_deleted_partition_do_not_count() {
        on_bench(8, |bench| async move {
            bench.produce(0, 0..5).await;
            bench.produce(1, 10..12).await;
            bench.storage.delete(bench.replicas[0].id).await.expect("the disk works");
            assert_eq!(bench.storage.known_producers.count(), 2);
            // Retention may be at it still.
            bench.storage.count_producers(&bench.replicas[0]);
            assert_eq!(bench.storage.known_producers.count(), 2);
        });
    }

    #[test]
    fn the_idlest_of_all_partitions_are_forgotten_before_their_time() {
        on_bench(32, |bench| async move {
            let runtime = Rc::clone(&bench.storage.runtime);
            runtime.spawn(Box::pin(Rc::clone(&bench.storage).bound_producers()));
            bench.produce(0, 0..20).await;
            runtime.sleep(Duration::from_secs(3600)).await;
            bench.produce(1, 20..30).await;
            assert_eq!(bench.known(), (30, vec![20, 10, 0]));
            bench.produce(2, 30..31).await;
            while bench.storage.known_producers.count() == 31 {
                runtime.sleep(Duration::from_millis(1)).await;
            }
            runtime.sleep(Duration::from_secs(1)).await;
            assert_eq!(bench.known(), (11, vec![0, 10, 1]), "those who have just appended stay");
        });
    }
}
