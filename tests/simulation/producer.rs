//! An idempotent producer, which survives the broker's crashes and sends again what it has no answer for.

use std::collections::VecDeque;
use std::rc::Rc;

use corelane::base::ids::Offset;
use corelane::base::limits::PRODUCER_DUPLICATE_WINDOW;
use corelane::partition::{AppendError, ProducerError};
use corelane::protocol::batch::{BatchBuilder, BatchHeader};
use corelane::runtime::Runtime;
use corelane::shard::{Replica, Storage, StorageError};

use super::workload::SharedModel;

/// A batch that a producer has sent and does not know the fate of.
pub struct Sent {
    base_sequence: i32,
    pub batch: Vec<u8>,
    /// Where it was appended, if it was.
    pub offset: Option<Offset>,
}

impl Sent {
    pub fn header(&self) -> BatchHeader {
        BatchHeader::parse(&self.batch).expect("built here")
    }
}

/// See the module. Up to five batches are in flight.
pub struct Producer {
    producer_id: i64,
    next_sequence: i32,
    pub unanswered: Vec<Sent>,
    /// The newest batches that were acknowledged, to be sent once more.
    acknowledged: VecDeque<Sent>,
}

/// So many that the oldest is beyond the window in which duplicates are recognised.
const ACKNOWLEDGED_KEPT: usize = PRODUCER_DUPLICATE_WINDOW + 1;

impl Producer {
    pub fn new(producer_id: i64) -> Self {
        Producer { producer_id, next_sequence: 0, unanswered: Vec::new(), acknowledged: VecDeque::new() }
    }

    /// Sends again what it has no answer for: each batch must be where it is, or be appended now, once.
    pub async fn retry(&mut self, storage: &Storage, replica: &Rc<Replica>, model: &SharedModel, epoch: i32) {
        if self.acknowledged.len() == ACKNOWLEDGED_KEPT {
            let sent = self.acknowledged.pop_front().expect("just counted");
            let refused = storage.append(replica, &sent.header(), &sent.batch).await;
            assert!(
                matches!(
                    refused,
                    Err(StorageError::Append(AppendError::Producer(
                        ProducerError::OutOfOrderSequence { .. }
                    )))
                ),
                "producer {} sequence {}: too old a duplicate: {refused:?}",
                self.producer_id,
                sent.base_sequence
            );
        }
        // With what is unanswered, no more than a client has in flight.
        let again = PRODUCER_DUPLICATE_WINDOW - self.unanswered.len();
        let skipped = self.acknowledged.len().saturating_sub(again);
        for sent in self.acknowledged.iter_mut().skip(skipped).chain(&mut self.unanswered) {
            let survived = sent.offset.filter(|&offset| offset < model.borrow().end());
            let header = sent.header();
            let appended = storage.append(replica, &header, &sent.batch).await.expect("in order");
            match survived {
                Some(offset) => assert_eq!(
                    appended.base_offset, offset,
                    "producer {} sequence {}: a duplicate has its original's offset",
                    self.producer_id, sent.base_sequence
                ),
                None => {
                    model.borrow_mut().append(&header, &sent.batch, appended.base_offset, epoch);
                    sent.offset = Some(appended.base_offset);
                }
            }
        }
    }

    /// Makes the next batch, which is unanswered from now on.
    pub fn next_batch(&mut self, random: &dyn Runtime, is_small: bool, is_compacted: bool) -> Vec<u8> {
        let builder = BatchBuilder::new().producer(self.producer_id, 0, self.next_sequence);
        let batch = random_batch(builder, random, is_small, is_compacted);
        let sent = Sent { base_sequence: self.next_sequence, batch: batch.clone(), offset: None };
        self.next_sequence += sent.header().last_offset_delta + 1;
        self.unanswered.push(sent);
        batch
    }

    /// The oldest batch in flight was answered.
    pub fn answered(&mut self) {
        let first = self.unanswered.remove(0);
        self.acknowledged.push_back(first);
        if self.acknowledged.len() > ACKNOWLEDGED_KEPT {
            self.acknowledged.pop_front();
        }
    }
}

/// Keys of compacted partitions: some come often, so that compaction has much to take, the others so seldom that a
/// tombstone stays the last word for some passes.
const OFTEN: u64 = 4;
const SELDOM: u64 = 60;

fn key_of(draw: u64) -> u8 {
    let key = if draw.is_multiple_of(4) { OFTEN + draw / 4 % SELDOM } else { draw / 4 % OFTEN };
    key as u8
}

/// Records of one key, or of several if they are for compaction: then some are tombstones too.
pub fn random_batch(
    mut builder: BatchBuilder,
    random: &dyn Runtime,
    is_small: bool,
    is_keyed: bool,
) -> Vec<u8> {
    let (records, length) = match (is_small, random.random_u64() % 20) {
        (true, _) => (1, random.random_u64() % 100),
        (false, 0) => (1 + random.random_u64() % 5, 9_000),
        (false, 1 | 2) => (1 + random.random_u64() % 5, 3_000),
        (false, _) => (1 + random.random_u64() % 5, random.random_u64() % 400),
    };
    for _ in 0..records {
        let value = random.random_u64().to_le_bytes().repeat(length as usize / 8 + 1);
        let timestamp = (random.random_u64() % 1_000_000) as i64;
        builder = if is_keyed {
            let draw = random.random_u64();
            let value = (!draw.is_multiple_of(6)).then_some(&value[..]);
            builder.record(timestamp, Some(&[key_of(draw / 6)]), value)
        } else {
            builder.record(timestamp, Some(b"key"), Some(&value))
        };
    }
    builder.build()
}
