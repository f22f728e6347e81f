//! What the validator accepts can be read by anybody, and what can be read is accepted: the broker's own reader
//! against a plain one, on batches that were damaged and then given a right length and CRC again.

use std::cell::Cell;

use corelane::protocol::batch::{BatchBuilder, BatchHeader, Batches, record_times, validate};

use super::plain;
use super::random::Random;
use super::{allocation, seeds};

const SEEDS: u64 = 200;
const BATCHES_PER_SEED: usize = 50;
const BYTES_MAX: usize = 8 << 10;
const HEADER_BYTES: usize = 61;
const LENGTH_AT: usize = 8;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
/// Validation keeps nothing of what it reads.
const MEMORY_MAX: usize = 4 << 10;

/// A valid batch of up to a dozen short records.
pub fn valid(random: &mut Random) -> Vec<u8> {
    valid_of(random, 40)
}

/// The same with values of up to `value_bytes`, mostly.
pub fn valid_of(random: &mut Random, value_bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    if random.once_in(3) {
        builder = builder.producer(random.below(5) as i64, random.below(2) as i16, random.below(20) as i32);
    }
    // The records are not compressed, whatever this says: nobody looks.
    builder = builder.attributes(if random.once_in(6) { random.below(5) as i16 } else { 0 });
    for _ in 0..=random.below(12) {
        let length = if random.once_in(20) { 1500 } else { random.below(value_bytes) };
        let value = random.bytes(length);
        let key = [random.next() as u8];
        let is = |random: &mut Random| random.once_in(2);
        let key = is(random).then_some(&key[..]);
        let value = is(random).then_some(&value[..]);
        let timestamp = 1_700_000_000_000 + random.below(10_000) as i64;
        let headers = [("trace", value), ("trace", None)];
        builder = builder.record_with_headers(timestamp, key, value, &headers[..random.below(3)]);
    }
    builder.build()
}

/// A batch that was damaged, mostly behind its CRC's back.
pub fn damaged(random: &mut Random) -> Vec<u8> {
    let mut batch = valid(random);
    let other = valid(random);
    random.mutate(&mut batch, &other, BYTES_MAX);
    if !random.once_in(8) {
        mend(&mut batch);
    }
    batch
}

/// Makes length, magic and CRC right again, so that what they guard is looked at.
fn mend(batch: &mut [u8]) {
    if batch.len() >= HEADER_BYTES {
        let length = (batch.len() - 12) as i32;
        batch[LENGTH_AT..LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
        batch[..8].fill(0);
        batch[16] = 2;
        let crc = plain::crc32c_bit_by_bit(&batch[ATTRIBUTES_AT..]);
        batch[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    }
}

#[test]
fn batches() {
    let accepted = Cell::new(0);
    seeds::for_each("batches", 0..SEEDS, |seed| {
        let mut random = Random::new(seed);
        let count = (0..BATCHES_PER_SEED).filter(|_| check(&damaged(&mut random))).count();
        accepted.set(accepted.get() + count);
    });
    assert!(accepted.get() > 0, "no damage is harmless enough: nothing is told about what is accepted");
}

/// Whether the batch is accepted; both readers must say the same.
fn check(bytes: &[u8]) -> bool {
    let before = allocation::mark();
    let validated = validate(bytes, BYTES_MAX);
    let memory = before.peak_bytes();
    assert!(memory <= MEMORY_MAX, "{memory} bytes to validate {}", bytes.len());
    let expected = plain::is_acceptable(bytes, BYTES_MAX);
    match (&validated, &expected) {
        (Ok(valid), Ok(batch)) => check_fields(&valid.header, batch),
        (Err(_), Err(_)) => {}
        _ => panic!("we say {validated:?}, a plain reader {expected:?}, of {bytes:02x?}"),
    }
    walk(bytes);
    validated.is_ok()
}

fn check_fields(header: &BatchHeader, batch: &plain::PlainBatch) {
    let producer = (header.producer_id, header.producer_epoch, header.base_sequence);
    assert_eq!(producer, batch.producer);
    assert_eq!(header.record_count, batch.record_count);
    assert_eq!(header.last_offset_delta, batch.last_offset_delta);
    assert_eq!(header.attributes.0, batch.attributes);
}

/// The readers of stored batches, which believe even less: they come to an end.
fn walk(bytes: &[u8]) {
    for batch in Batches::new(bytes).flatten() {
        let batch = batch.batch;
        let times = record_times(batch.records(), batch.header()).count();
        assert!(times <= batch.records().len() + 1);
    }
}
