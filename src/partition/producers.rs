//! Idempotent producers (KIP-98, KIP-360): each batch of a producer is appended once and in order, however often it
//! is sent.
//!
//! A producer numbers its records from 0 in each of its epochs; after 2^31 - 1 comes 0. A batch that repeats one of
//! the producer's five newest succeeds with the original's offsets. One that leaves a gap is refused. A new
//! epoch starts at 0 and fences the older ones. A producer that is not known may start anywhere: retention, expiry
//! or eviction may have removed what it wrote before.
//!
//! What is known is always what the log's newest batches say, so the table takes back what a truncation takes
//! from the log. For that it keeps more batches than duplicates are looked for in (`base/limits.rs` says how many and
//! why), each with its producer epoch. When a truncation takes more than are kept, which no client's five
//! batches in flight can bring about, the producer is forgotten.

use std::collections::HashMap;

use super::window::BatchWindow;
use crate::base::ids::Offset;
use crate::base::limits::{PRODUCER_BATCHES_KEPT, PRODUCER_DUPLICATE_WINDOW};
use crate::log::snapshot::{ProducedBatch, ProducerSnapshot};
use crate::protocol::batch::{BatchHeader, advance_sequence};

/// Why a producer's batch is refused.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProducerError {
    /// A newer epoch of the producer has appended: INVALID_PRODUCER_EPOCH.
    #[error("producer {producer_id} is in epoch {current}, the batch is of epoch {found}")]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: i64,
        /// Its newest epoch.
        current: i16,
        /// The batch's epoch.
        found: i16,
    },
    /// Records before the batch are missing, or it is too old a duplicate: OUT_OF_ORDER_SEQUENCE_NUMBER.
    #[error("producer {producer_id} sent sequence {found}, {expected} is next")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: i64,
        /// The sequence number of its next record.
        expected: i32,
        /// The batch's base sequence.
        found: i32,
    },
}

/// A checkpoint's producer that cannot be.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
#[error("the state of producer {producer_id} contradicts itself")]
pub struct InvalidProducerState {
    /// The producer.
    pub producer_id: i64,
}

/// What a batch is to its producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The next in order.
    New,
    /// A repetition of the one given.
    Duplicate(ProducedBatch),
}

/// What is told of a producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ActiveProducer {
    /// The producer's id.
    pub producer_id: i64,
    /// Its newest epoch.
    pub producer_epoch: i16,
    /// Sequence number of its last record.
    pub last_sequence: i32,
    /// The largest timestamp of its last batch, in ms since 1970.
    pub last_timestamp: i64,
}

#[derive(Debug, Clone)]
struct Producer {
    last_update_ms: i64,
    batches: BatchWindow,
}

/// The idempotent producers of one partition. Batches without a producer id pass through it unnoticed.
#[derive(Debug, Clone)]
pub struct ProducerTable {
    /// Boxed, so that the map's spare room costs little. Its order is random and never shows.
    producers: HashMap<i64, Box<Producer>>,
    producers_max: usize,
}

impl ProducerTable {
    /// No producers, and room for `producers_max`.
    pub fn new(producers_max: usize) -> Self {
        assert!(producers_max > 0);
        ProducerTable { producers: HashMap::new(), producers_max }
    }

    /// The producers that a checkpoint kept of a log that ends at `log_end`.
    pub fn restore(
        snapshots: &[ProducerSnapshot],
        producers_max: usize,
        log_end: Offset,
    ) -> Result<Self, InvalidProducerState> {
        let mut table = Self::new(producers_max);
        for snapshot in snapshots {
            let invalid = InvalidProducerState { producer_id: snapshot.producer_id };
            let producer = restore_producer(snapshot, log_end).ok_or(invalid)?;
            if table.producers.insert(snapshot.producer_id, Box::new(producer)).is_some() {
                return Err(invalid);
            }
        }
        table.evict_beyond(producers_max);
        Ok(table)
    }

    /// The producers for a checkpoint, by producer id.
    pub fn snapshot(&self) -> Vec<ProducerSnapshot> {
        let mut snapshots: Vec<ProducerSnapshot> = self
            .producers
            .iter()
            .map(|(&producer_id, producer)| {
                let mut batches: Vec<ProducedBatch> = producer.batches.newest_first().copied().collect();
                batches.reverse();
                ProducerSnapshot {
                    producer_id,
                    producer_epoch: producer.batches.newest().producer_epoch,
                    last_update_ms: producer.last_update_ms,
                    batches,
                }
            })
            .collect();
        snapshots.sort_unstable_by_key(|snapshot| snapshot.producer_id);
        snapshots
    }

    /// The producers as they are now, by producer id.
    pub fn active(&self) -> Vec<ActiveProducer> {
        let mut active: Vec<ActiveProducer> = self
            .producers
            .iter()
            .map(|(&producer_id, producer)| {
                let &ProducedBatch { producer_epoch, last_sequence, max_timestamp, .. } =
                    producer.batches.newest();
                ActiveProducer { producer_id, producer_epoch, last_sequence, last_timestamp: max_timestamp }
            })
            .collect();
        active.sort_unstable_by_key(|producer| producer.producer_id);
        active
    }

    /// The offset of each producer's last record: its batch tells the last sequence number.
    pub fn last_offsets(&self) -> HashMap<i64, Offset> {
        self.producers.iter().map(|(&id, producer)| (id, producer.batches.newest().last_offset)).collect()
    }

    /// Number of producers that are known.
    pub fn len(&self) -> usize {
        self.producers.len()
    }

    /// Whether no producer is known.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// Whether the producer is known.
    pub fn knows(&self, producer_id: i64) -> bool {
        self.producers.contains_key(&producer_id)
    }

    /// What a validated batch is to its producer. Changes nothing.
    pub fn check(&self, header: &BatchHeader) -> Result<Verdict, ProducerError> {
        let &BatchHeader { producer_id, producer_epoch, base_sequence, .. } = header;
        if !header.has_producer_id() {
            return Ok(Verdict::New);
        }
        let Some(producer) = self.producers.get(&producer_id) else {
            return Ok(Verdict::New);
        };
        let newest = producer.batches.newest();
        let current = newest.producer_epoch;
        if producer_epoch < current {
            return Err(ProducerError::InvalidProducerEpoch { producer_id, current, found: producer_epoch });
        }
        let expected = if producer_epoch > current { 0 } else { advance_sequence(newest.last_sequence, 1) };
        if base_sequence == expected {
            return Ok(Verdict::New);
        }
        let original = producer.batches.newest_first().take(PRODUCER_DUPLICATE_WINDOW).find(|batch| {
            batch.producer_epoch == producer_epoch
                && batch.base_sequence == base_sequence
                && batch.last_sequence == header.last_sequence()
        });
        match original {
            Some(&original) => Ok(Verdict::Duplicate(original)),
            None => Err(ProducerError::OutOfOrderSequence { producer_id, expected, found: base_sequence }),
        }
    }

    /// Takes note of a batch that is in the log now, its header as stored.
    pub fn record(&mut self, header: &BatchHeader, now_ms: i64) {
        if !header.has_producer_id() {
            return;
        }
        let batch = ProducedBatch {
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
        };
        assert!(batch.base_sequence >= 0 && batch.last_sequence >= 0);
        if let Some(producer) = self.producers.get_mut(&header.producer_id) {
            let newest = *producer.batches.newest();
            assert!(newest.last_offset < batch.base_offset);
            if batch.producer_epoch < newest.producer_epoch {
                // It was forgotten when this was appended, or it would have been refused; recovery has not forgotten it.
                producer.batches = BatchWindow::new(batch);
            } else {
                producer.batches.push(batch);
            }
            producer.last_update_ms = now_ms;
            return;
        }
        if self.producers.len() >= self.producers_max {
            // Some more than one at a time, because finding the oldest takes a pass over all.
            self.evict_beyond(self.producers_max - 1 - self.producers_max / 16);
        }
        let producer = Producer { last_update_ms: now_ms, batches: BatchWindow::new(batch) };
        self.producers.insert(header.producer_id, Box::new(producer));
    }

    /// Takes back the batches that end at or after `offset`, the new end of the log.
    pub fn truncate_to(&mut self, offset: Offset) {
        self.producers.retain(|_, producer| producer.batches.truncate_to(offset));
    }

    /// Forgets the producers that have not appended for longer than `expiration_ms`.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.producers.retain(|_, producer| now_ms.saturating_sub(producer.last_update_ms) <= expiration_ms);
    }

    /// Forgets some of the producers that have not appended for longest: a sixteenth, and at least one, but none that
    /// has appended within `idle_ms_min`.
    pub fn crowd_out(&mut self, now_ms: i64, idle_ms_min: i64) {
        let evict = self.producers.len().div_ceil(16);
        self.evict(self.producers.len() - evict, |it| {
            now_ms.saturating_sub(it.last_update_ms) >= idle_ms_min
        });
    }

    /// Keeps the `keep` producers that appended last. The log's order says which, not a clock.
    fn evict_beyond(&mut self, keep: usize) {
        self.evict(keep, |_| true);
    }

    /// The same, and of the others those that may not go.
    fn evict(&mut self, keep: usize, may_go: impl Fn(&Producer) -> bool) {
        let Some(evict) = self.producers.len().checked_sub(keep).filter(|&evict| evict > 0) else {
            return;
        };
        let mut ends: Vec<Offset> =
            self.producers.values().map(|producer| producer.batches.newest().last_offset).collect();
        let (_, &mut evict_through, _) = ends.select_nth_unstable(evict - 1);
        self.producers
            .retain(|_, producer| producer.batches.newest().last_offset > evict_through || !may_go(producer));
    }
}

fn restore_producer(snapshot: &ProducerSnapshot, log_end: Offset) -> Option<Producer> {
    let batches = &snapshot.batches;
    let (first, rest) = batches.split_first()?;
    let are_ordered = batches.is_sorted_by(|earlier, later| {
        earlier.last_offset < later.base_offset && earlier.producer_epoch <= later.producer_epoch
    });
    let are_sane = batches.iter().all(|batch| {
        let offsets =
            0 <= batch.base_offset && batch.base_offset <= batch.last_offset && batch.last_offset < log_end;
        offsets && batch.producer_epoch >= 0 && batch.base_sequence >= 0 && batch.last_sequence >= 0
    });
    let is_newest = batches.last()?.producer_epoch == snapshot.producer_epoch;
    if snapshot.producer_id < 0
        || batches.len() > PRODUCER_BATCHES_KEPT
        || !are_ordered
        || !are_sane
        || !is_newest
    {
        return None;
    }
    let mut window = BatchWindow::new(*first);
    rest.iter().for_each(|batch| window.push(*batch));
    Some(Producer { last_update_ms: snapshot.last_update_ms, batches: window })
}
