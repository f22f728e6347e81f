//! Makes valid uncompressed batches, for tests, benches and tools.

use super::header::{
    Attributes, BatchHeader, NO_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP,
};
use super::record::Record;

/// Collects records into one batch as a producer would send it.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    records: Vec<u8>,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// No records, no producer, offset 0.
    pub fn new() -> Self {
        let header = BatchHeader {
            base_offset: 0,
            batch_length: 0,
            partition_leader_epoch: NO_LEADER_EPOCH,
            crc: 0,
            attributes: Attributes(0),
            last_offset_delta: -1,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            record_count: 0,
        };
        BatchBuilder { header, records: Vec::new() }
    }

    /// Made by an idempotent producer.
    pub fn producer(mut self, producer_id: i64, producer_epoch: i16, base_sequence: i32) -> Self {
        self.header.producer_id = producer_id;
        self.header.producer_epoch = producer_epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// As stored at an offset in a leader's term.
    pub fn placed_at(mut self, base_offset: i64, leader_epoch: i32) -> Self {
        self.header = self.header.placed_at(base_offset, leader_epoch);
        self
    }

    /// The attribute bits; the records are not compressed, whatever they say.
    pub fn attributes(mut self, bits: i16) -> Self {
        self.header.attributes = Attributes(bits);
        self
    }

    /// One more record without headers, its timestamp in ms since 1970.
    pub fn record(self, timestamp_ms: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Self {
        self.record_with_headers(timestamp_ms, key, value, &[])
    }

    /// One more record, its timestamp in ms since 1970.
    pub fn record_with_headers(
        mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&str, Option<&[u8]>)],
    ) -> Self {
        if self.header.record_count == 0 {
            self.header.base_timestamp = timestamp_ms;
        }
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp_ms);

        let record = Record {
            timestamp_delta: timestamp_ms - self.header.base_timestamp,
            offset_delta: self.header.record_count,
            key,
            value,
        };
        record.put(&mut self.records, headers);
        self.header.record_count += 1;
        self.header.last_offset_delta += 1;
        self
    }

    /// The batch's bytes, with length and CRC.
    pub fn build(mut self) -> Vec<u8> {
        self.header = self.header.with_records_of(self.records.len()).with_crc_over(&self.records);
        let mut batch = Vec::with_capacity(self.header.total_bytes());
        batch.extend_from_slice(&self.header.encode());
        batch.extend_from_slice(&self.records);
        batch
    }
}
