//! Keys and the partitions that they belong to.
//!
//! A key's partition is the one that Kafka's clients choose (murmur2). A batch holds records of one partition, so
//! the first key decides it and the others are drawn from the partition's own keys, by their weights: each
//! partition then gets its part of the batches, and within it each key its part of the records.

use std::sync::Arc;

use crate::random::Random;
use crate::settings::Keys;

/// The keys of a workload, by partition.
#[derive(Debug)]
pub struct KeyTable {
    /// For each partition its keys, with the sum of their weights up to and with each.
    by_partition: Vec<Vec<(f64, u32)>>,
    /// The sum of the partitions' weights up to and with each.
    sums: Vec<f64>,
}

impl KeyTable {
    /// The keys of a workload over so many partitions; `None` if records have no keys.
    pub fn new(keys: Keys, partitions: usize) -> Option<Self> {
        let (count, exponent) = match keys {
            Keys::None => return None,
            Keys::Uniform(count) => (count, 0.0),
            Keys::Zipf(count, exponent) => (count, exponent),
        };
        let mut by_partition = vec![Vec::new(); partitions];
        for key in 0..count {
            let own: &mut Vec<(f64, u32)> = &mut by_partition[partition_of(&key_bytes(key), partitions)];
            let before = own.last().map_or(0.0, |(sum, _)| *sum);
            own.push((before + f64::from(key + 1).powf(-exponent), key));
        }
        let mut sum = 0.0;
        let add_up = |own: &Vec<(f64, u32)>| {
            sum += own.last().map_or(0.0, |(sum, _)| *sum);
            sum
        };
        let sums = by_partition.iter().map(add_up).collect();
        Some(KeyTable { by_partition, sums })
    }
}

/// Draws keys.
#[derive(Clone, Debug)]
pub struct KeyPicker {
    table: Arc<KeyTable>,
    random: Random,
}

impl KeyPicker {
    /// One producer's draws.
    pub fn new(table: Arc<KeyTable>, seed: u64, stream: u64) -> Self {
        KeyPicker { table, random: Random::new(seed, stream) }
    }

    /// The partition of the next batch.
    pub fn partition(&mut self) -> usize {
        let sums = &self.table.sums;
        let drawn = self.random.unit() * sums.last().copied().unwrap_or(0.0);
        sums.partition_point(|sum| *sum <= drawn).min(sums.len() - 1)
    }

    /// A key of a partition that [`partition`](Self::partition) gave.
    pub fn key(&mut self, partition: usize) -> [u8; 8] {
        let own = &self.table.by_partition[partition];
        let drawn = self.random.unit() * own.last().map_or(0.0, |(sum, _)| *sum);
        let at = own.partition_point(|(sum, _)| *sum <= drawn).min(own.len() - 1);
        key_bytes(own[at].1)
    }
}

/// A key's bytes: its number, in eight hexadecimal digits.
fn key_bytes(key: u32) -> [u8; 8] {
    std::array::from_fn(|at| b"0123456789abcdef"[(key >> (28 - 4 * at)) as usize & 15])
}

/// The partition that Kafka's clients choose for a key.
pub fn partition_of(key: &[u8], partitions: usize) -> usize {
    (murmur2(key) & 0x7fff_ffff) as usize % partitions
}

/// MurmurHash2 as Kafka's Java client has it (org.apache.kafka.common.utils.Utils).
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ data.len() as u32;
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut word = u32::from_le_bytes(chunk.try_into().expect("four bytes")).wrapping_mul(M);
        word ^= word >> 24;
        hash = hash.wrapping_mul(M) ^ word.wrapping_mul(M);
    }
    let rest = chunks.remainder();
    for (at, byte) in rest.iter().enumerate().rev() {
        hash ^= u32::from(*byte) << (8 * at);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_kafkas_clients() {
        // The values of Kafka's own UtilsTest.testMurmur2.
        let known: [(&[u8], i32); 5] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"abc", 479_470_107),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key) as i32, hash, "{key:?}");
        }
    }

    #[test]
    fn keys_lie_in_their_partition_and_follow_their_weights() {
        let picker =
            |keys, partitions| KeyPicker::new(Arc::new(KeyTable::new(keys, partitions).unwrap()), 1, 1);
        let mut zipf = picker(Keys::Zipf(1000, 1.0), 7);
        let mut first = 0;
        for _ in 0..20_000 {
            let partition = zipf.partition();
            let key = zipf.key(partition);
            assert_eq!(partition_of(&key, 7), partition);
            first += u32::from(&key == b"00000000");
        }
        // 1 / (1 + 1/2 + ... + 1/1000) = 0.1336.
        assert!((2_350..3_000).contains(&first), "{first}");
        assert!(KeyTable::new(Keys::None, 7).is_none());
        // Fewer keys than partitions: the others stay empty.
        let mut one = picker(Keys::Uniform(1), 5);
        let only = partition_of(b"00000000", 5);
        assert!((0..100).all(|_| one.partition() == only && &one.key(only) == b"00000000"));
    }
}
