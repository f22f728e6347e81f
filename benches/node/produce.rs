//! Produce requests of one batch each.

use bytes::Bytes;
use corelane::protocol::batch::BatchBuilder;
use corelane::protocol::messages::produce::ProduceResponse;
use corelane::protocol::{ErrorCode, decode_response};

use crate::load::Work;
use crate::random::Random;
use crate::wire::{self, PRODUCE_VERSION};

/// To which partition the next request goes.
enum Order {
    Random(Random),
    /// To each one once, from this one on.
    Once(i32),
}

pub struct Produce {
    frame: Vec<u8>,
    /// Where the partition's number is in the frame.
    partition_at: usize,
    partitions: i32,
    order: Order,
    left: u64,
    /// Length of a batch.
    pub batch_bytes: usize,
}

impl Produce {
    /// Batches of one record of `record_bytes`, to random partitions without end.
    pub fn at_random(topic: &str, partitions: i32, record_bytes: usize, seed: u64) -> Self {
        Self::new(topic, partitions, record_bytes, Order::Random(Random::new(seed)))
    }

    /// One such batch to each partition.
    pub fn to_each(topic: &str, partitions: i32, record_bytes: usize) -> Self {
        Self::new(topic, partitions, record_bytes, Order::Once(0))
    }

    fn new(topic: &str, partitions: i32, record_bytes: usize, order: Order) -> Self {
        let batch = BatchBuilder::new().record(0, None, Some(&vec![7; record_bytes])).build();
        let batch_bytes = batch.len();
        let batch = Bytes::from(batch);
        let frame_for =
            |partition| wire::frame(&wire::produce_request(topic, partition, batch.clone()), PRODUCE_VERSION);
        let frame = frame_for(0);
        let other = frame_for(-1);
        let partition_at = frame.iter().zip(&other).position(|(left, right)| left != right);
        let partition_at = partition_at.expect("they differ in the partition's number");
        Produce { frame, partition_at, partitions, order, left: u64::MAX, batch_bytes }
    }

    /// No more than `requests`.
    pub fn limit(mut self, requests: u64) -> Self {
        self.left = requests;
        self
    }
}

impl Work for Produce {
    fn request(&mut self, frame: &mut Vec<u8>) -> bool {
        let Some(left) = self.left.checked_sub(1) else { return false };
        self.left = left;
        let partition = match &mut self.order {
            Order::Random(random) => random.below(self.partitions as u64) as i32,
            Order::Once(next) if *next == self.partitions => return false,
            Order::Once(next) => {
                *next += 1;
                *next - 1
            }
        };
        let partition_at = frame.len() + self.partition_at;
        frame.extend_from_slice(&self.frame);
        frame[partition_at..partition_at + 4].copy_from_slice(&partition.to_be_bytes());
        true
    }

    fn response(&mut self, frame: Bytes) {
        assert_accepted(frame);
    }
}

/// The only partition of a produce response has taken its records.
pub fn assert_accepted(frame: Bytes) {
    let (_, response) =
        decode_response::<ProduceResponse>(frame, PRODUCE_VERSION).expect("a produce response");
    let error = response.responses[0].partition_responses[0].error_code;
    assert_eq!(error, ErrorCode::None, "produce was refused");
}
