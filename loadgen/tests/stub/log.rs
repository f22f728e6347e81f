//! What the stub keeps, and what it gets wrong on purpose.

use std::collections::{BTreeMap, BTreeSet};

use corelane::protocol::batch::{BatchHeader, HEADER_BYTES};

/// Faults by the number of the produce request, from 1.
#[derive(Default)]
pub struct Faults {
    /// Acknowledges this batch and does not keep it.
    pub loses: Option<u64>,
    /// Keeps this batch twice.
    pub doubles: Option<u64>,
    /// Keeps this batch behind the next one of its partition.
    pub swaps: Option<u64>,
    /// Does not look for duplicates of idempotent producers.
    pub forgets_producers: bool,
}

/// The batches of all partitions.
#[derive(Default)]
pub struct Log {
    partitions: BTreeMap<i32, Vec<(i64, Vec<u8>)>>,
    held: BTreeMap<i32, Vec<u8>>,
    seen: BTreeSet<(i32, i64, i32)>,
}

impl Log {
    /// Keeps a batch.
    pub fn append(&mut self, partition: i32, batch: &[u8], number: u64, faults: &Faults) {
        let header = BatchHeader::parse(batch).unwrap();
        let is_new = self.seen.insert((partition, header.producer_id, header.base_sequence));
        if header.has_producer_id() && !is_new && !faults.forgets_producers {
            return;
        }
        if faults.loses == Some(number) {
            return;
        }
        if faults.swaps == Some(number) {
            self.held.insert(partition, batch.to_vec());
            return;
        }
        self.keep(partition, batch);
        if faults.doubles == Some(number) {
            self.keep(partition, batch);
        }
        if let Some(held) = self.held.remove(&partition) {
            self.keep(partition, &held);
        }
    }

    fn keep(&mut self, partition: i32, batch: &[u8]) {
        let base = self.end(partition);
        let header = BatchHeader::parse(batch).unwrap().placed_at(base, 0);
        let kept = [&header.encode()[..], &batch[HEADER_BYTES..]].concat();
        self.partitions.entry(partition).or_default().push((header.last_offset() + 1, kept));
    }

    /// The next offset.
    pub fn end(&self, partition: i32) -> i64 {
        self.partitions.get(&partition).and_then(|batches| batches.last()).map_or(0, |(end, _)| *end)
    }

    /// Some batches from the one with `offset` on.
    pub fn read(&self, partition: i32, offset: i64) -> Vec<u8> {
        let batches = self.partitions.get(&partition).map_or(&[][..], |batches| batches);
        let first = batches.partition_point(|(end, _)| *end <= offset);
        batches[first..].iter().take(100).flat_map(|(_, batch)| batch.iter().copied()).collect()
    }
}
