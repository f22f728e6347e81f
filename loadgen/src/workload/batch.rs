//! Makes record batches: the producer's hot path.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use corelane::protocol::batch::{
    Attributes, BatchHeader, Compression, HEADER_BYTES, NO_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID,
    NO_SEQUENCE, Record, advance_sequence,
};
use corelane::protocol::codec::Packer;

use super::Stamp;
use super::keys::{KeyPicker, KeyTable};
use super::values::{Values, pool};
use crate::settings::Workload;

/// A record's own fields, beyond key and value, take at most this.
const RECORD_OVERHEAD_MAX: usize = 32;

/// The identity of an idempotent producer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
}

/// A batch that is ready to be sent.
#[derive(Clone, Debug)]
pub struct MadeBatch {
    /// The batch, header included.
    pub bytes: Bytes,
    /// Bytes of keys and values in it, before compression.
    pub payload_bytes: u64,
}

/// What all producers of a run make their batches from.
#[derive(Clone, Debug)]
pub struct Supplies {
    /// The workload.
    pub workload: Arc<Workload>,
    /// Tells the run's records from those of others.
    pub run: u32,
    /// Partitions of all topics together.
    pub partitions: usize,
    pool: Arc<Vec<u8>>,
    keys: Option<Arc<KeyTable>>,
}

impl Supplies {
    /// Makes random bytes and tables of keys.
    pub fn new(workload: Arc<Workload>, run: u32, partitions: usize) -> Self {
        let pool = Arc::new(pool(&workload));
        let keys = KeyTable::new(workload.keys, partitions).map(Arc::new);
        Supplies { workload, run, partitions, pool, keys }
    }
}

/// Makes the batches of one producer.
#[derive(Debug)]
pub struct BatchMaker {
    values: Values,
    keys: Option<KeyPicker>,
    /// Stamps are written with this run and producer.
    stamp: Option<(u32, u32)>,
    identity: Option<Identity>,
    compression: Compression,
    /// Records made so far, by partition.
    made: Vec<u64>,
    /// The partition that has the next turn.
    turn: usize,
    records: Vec<u8>,
}

impl BatchMaker {
    /// For producer `producer` of the supplies' run.
    pub fn new(supplies: &Supplies, producer: u32, identity: Option<Identity>) -> Self {
        let Supplies { workload, run, partitions, .. } = supplies;
        let (stream, partitions) = (u64::from(producer), *partitions);
        let picker =
            |table: &Arc<KeyTable>| KeyPicker::new(Arc::clone(table), workload.seed, (2 << 32) + stream);
        BatchMaker {
            values: Values::new(workload, &supplies.pool, (1 << 32) + stream),
            keys: supplies.keys.as_ref().map(picker),
            stamp: workload.is_stamped.then_some((*run, producer)),
            identity,
            compression: workload.compression.into(),
            made: vec![0; partitions],
            // Producers start apart: in step they would all send to the same partition.
            turn: producer as usize % partitions,
            records: Vec::new(),
        }
    }

    /// Whether records have keys.
    pub fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// Where the next batch goes: that of its first key, or the partition whose turn it is.
    pub fn next_partition(&mut self) -> usize {
        if let Some(keys) = &mut self.keys {
            return keys.partition();
        }
        let partition = self.turn;
        self.turn = (self.turn + 1) % self.made.len();
        partition
    }

    /// The next batch of a partition, with so many records; `intended_ns` says when each was meant to be sent.
    pub fn make(
        &mut self,
        partition: usize,
        count: u32,
        intended_ns: impl Fn(u32) -> u64,
        now_ms: i64,
    ) -> MadeBatch {
        let is_compressed = self.compression != Compression::None;
        self.records.clear();
        if !is_compressed {
            self.records.resize(HEADER_BYTES, 0);
        }
        let mut payload_bytes = 0;
        for number in 0..count {
            let key = self.keys.as_mut().map(|keys| keys.key(partition));
            let value = self.values.next();
            payload_bytes += (value.len() + key.map_or(0, |key| key.len())) as u64;
            let key = key.as_ref().map(|key| &key[..]);
            let offset_delta = number as i32;
            let record = Record { timestamp_delta: 0, offset_delta, key, value: Some(value) };
            let start = record.put(&mut self.records, &[]);
            if let Some((run, producer)) = self.stamp {
                let sequence = self.made[partition] + u64::from(number);
                let end = start + value.len();
                let intended_ns = intended_ns(number);
                Stamp { run, producer, sequence, intended_ns }.write(&mut self.records[start..end]);
            }
        }
        let bytes = if is_compressed {
            pack(self.compression, &self.records).expect("memory takes what it is given")
        } else {
            let room = self.records.len() + RECORD_OVERHEAD_MAX;
            std::mem::replace(&mut self.records, Vec::with_capacity(room))
        };
        let bytes = self.finish(bytes, partition, count, now_ms);
        self.made[partition] += u64::from(count);
        MadeBatch { bytes: bytes.into(), payload_bytes }
    }

    /// Fills in the header in front of the records.
    fn finish(&self, mut batch: Vec<u8>, partition: usize, count: u32, now_ms: i64) -> Vec<u8> {
        let (producer_id, producer_epoch, base_sequence) = match self.identity {
            None => (NO_PRODUCER_ID, NO_PRODUCER_EPOCH, NO_SEQUENCE),
            Some(Identity { producer_id, producer_epoch }) => {
                let made = (self.made[partition] & i32::MAX as u64) as i32;
                (producer_id, producer_epoch, advance_sequence(made, 0))
            }
        };
        let header = BatchHeader {
            base_offset: 0,
            batch_length: 0,
            partition_leader_epoch: NO_LEADER_EPOCH,
            crc: 0,
            attributes: Attributes(self.compression as i16),
            last_offset_delta: count as i32 - 1,
            base_timestamp: now_ms,
            max_timestamp: now_ms,
            producer_id,
            producer_epoch,
            base_sequence,
            record_count: count as i32,
        };
        let records = &batch[HEADER_BYTES..];
        let header = header.with_records_of(records.len()).with_crc_over(records);
        batch[..HEADER_BYTES].copy_from_slice(&header.encode());
        batch
    }
}

/// Packed records, with room for the header in front of them.
fn pack(codec: Compression, records: &[u8]) -> io::Result<Vec<u8>> {
    let mut packer = Packer::new(codec, records.len(), vec![0; HEADER_BYTES], usize::MAX)?;
    packer.step(records)?;
    packer.finish()
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use corelane::protocol::batch::{Batches, validate};

    use super::*;
    use crate::settings::{Acks, Compression as Asked, ConsumerMode, Keys, Offered, SizeSpec, Topics};
    use crate::workload::keys::partition_of;
    use crate::workload::records::records;

    /// A workload to change in tests.
    pub fn workload() -> Workload {
        Workload {
            brokers: vec!["127.0.0.1:9092".into()],
            topics: Topics { name: "t".into(), count: 1, partitions: Some(3), replication_factor: -1 },
            producers: 1,
            group: None,
            consumers: 1,
            consumer_mode: ConsumerMode::Normal,
            is_stamped: true,
            offered: Offered::Closed,
            size: SizeSpec::Fixed(100),
            sample: Vec::new(),
            randomness: 1.0,
            keys: Keys::None,
            batch: 10,
            linger: Duration::ZERO,
            acks: Acks::All,
            idempotence: false,
            compression: Asked::None,
            in_flight: 5,
            warmup: Duration::ZERO,
            duration: Duration::from_secs(1),
            drain: Duration::from_secs(1),
            seed: 1,
            cpus: vec![0],
        }
    }

    /// All records of a batch, which must be valid.
    fn read(batch: &MadeBatch) -> Vec<(Option<Vec<u8>>, Vec<u8>)> {
        let at = Batches::new(&batch.bytes).check_crc().next().unwrap().unwrap();
        assert_eq!(at.batch.bytes().len(), batch.bytes.len());
        records(&at.batch, |Record { key, value, .. }| (key.map(<[u8]>::to_vec), value.unwrap().to_vec()))
            .unwrap()
    }

    #[test]
    fn batches_are_valid_and_carry_their_stamps() {
        for compression in [Asked::None, Asked::Gzip, Asked::Snappy, Asked::Lz4, Asked::Zstd] {
            let workload = Workload { compression, keys: Keys::Uniform(50), ..workload() };
            let mut maker = BatchMaker::new(&Supplies::new(Arc::new(workload), 77, 3), 4, None);
            let mut sequences = [0u64; 3];
            for round in 0..20 {
                let partition = maker.next_partition();
                let made = maker.make(partition, 10, |_| round, 1234);
                assert_eq!(made.payload_bytes, 10 * 108);
                if compression == Asked::None {
                    validate(&made.bytes, usize::MAX).unwrap();
                }
                for (key, value) in read(&made) {
                    assert_eq!(partition_of(&key.unwrap(), 3), partition);
                    assert!(Stamp::is_intact(&value));
                    let expected =
                        Stamp { run: 77, producer: 4, sequence: sequences[partition], intended_ns: round };
                    assert_eq!(Stamp::read(&value), Some(expected));
                    sequences[partition] += 1;
                }
            }
        }
    }

    #[test]
    fn partitions_take_turns_and_sequences_go_on() {
        let identity = Some(Identity { producer_id: 9, producer_epoch: 2 });
        let mut maker = BatchMaker::new(&Supplies::new(Arc::new(workload()), 1, 3), 1, identity);
        let partitions: Vec<usize> = (0..6).map(|_| maker.next_partition()).collect();
        assert_eq!(partitions, [1, 2, 0, 1, 2, 0]);
        for round in 0..3 {
            let made = maker.make(2, 10, |_| 0, 0);
            let header = BatchHeader::parse(&made.bytes).unwrap();
            assert_eq!((header.producer_id, header.producer_epoch, header.base_sequence), (9, 2, round * 10));
        }
    }
}
