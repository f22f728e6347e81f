//! Produce requests whose records have keys that come again, for compacted topics.

use bytes::Bytes;
use corelane::protocol::batch::BatchBuilder;

use crate::load::Work;
use crate::produce::assert_accepted;
use crate::random::Random;
use crate::wire::{self, PRODUCE_VERSION};

const RECORDS_PER_BATCH: usize = 64;
const RECORD_BYTES: usize = 1 << 10;
/// Each key comes so often on average.
const RECORDS_PER_KEY: u64 = 2;

pub struct Keyed {
    topic: String,
    partitions: i32,
    keys: u64,
    random: Random,
    batches: u64,
    value: Vec<u8>,
}

impl Keyed {
    /// About so many MiB, in batches to random partitions.
    pub fn new(topic: &str, partitions: i32, mib: u64, seed: u64) -> Self {
        let batches = (mib << 20) / (RECORDS_PER_BATCH * RECORD_BYTES) as u64;
        let keys = (batches * RECORDS_PER_BATCH as u64 / RECORDS_PER_KEY).max(1);
        let (topic, random) = (topic.to_owned(), Random::new(seed));
        Keyed { topic, partitions, keys, random, batches, value: vec![7; RECORD_BYTES] }
    }
}

impl Work for Keyed {
    fn request(&mut self, frame: &mut Vec<u8>) -> bool {
        let Some(batches) = self.batches.checked_sub(1) else { return false };
        self.batches = batches;
        let mut batch = BatchBuilder::new();
        for _ in 0..RECORDS_PER_BATCH {
            let key = self.random.below(self.keys).to_be_bytes();
            batch = batch.record(0, Some(&key), Some(&self.value));
        }
        let partition = self.random.below(self.partitions as u64) as i32;
        let request = wire::produce_request(&self.topic, partition, batch.build().into());
        frame.extend_from_slice(&wire::frame(&request, PRODUCE_VERSION));
        true
    }

    fn response(&mut self, frame: Bytes) {
        assert_accepted(frame);
    }
}
