//! The fixed header of a record batch.
//!
//! ```text
//!  byte  0        8         12        16     17     21          23
//!        +--------+---------+---------+------+------+-----------+-------------------+
//!        | base   | batch   | leader  | mag- | CRC- | attri-    | last offset delta |
//!        | offset | length  | epoch   | ic 2 | 32C  | butes     |                   |
//!        | i64    | i32     | i32     | i8   | u32  | i16       | i32               |
//!        +--------+---------+---------+------+------+-----------+-------------------+
//!  byte  27         35         43         51        53         57         61
//!        +----------+----------+----------+---------+----------+----------+---------
//!        | base     | max      | producer | prod.   | base     | record   | records
//!        | timest.  | timest.  | id       | epoch   | sequence | count    | ...
//!        | i64      | i64      | i64      | i16     | i32      | i32      |
//!        +----------+----------+----------+---------+----------+----------+---------
//! ```
//!
//! Numbers are big-endian. `batch length` counts what follows it, so a batch takes 12 bytes more. The CRC-32C
//! covers `attributes` to the end: base offset and leader epoch lie outside it, so the broker sets both
//! without touching the rest.
//!
//! Attribute bits: 0-2 compression, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon (KIP-534).

use crate::base::ids::{LeaderEpoch, Offset};

/// Length of the header, from the base offset to the record count.
pub const HEADER_BYTES: usize = 61;
/// The only format version that is kept: 0 and 1 are gone since Kafka 4.0 (KIP-724).
pub const MAGIC: i8 = 2;
/// A producer id that means "not idempotent".
pub const NO_PRODUCER_ID: i64 = -1;
/// The epoch that goes with [`NO_PRODUCER_ID`].
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// The sequence number that goes with [`NO_PRODUCER_ID`].
pub const NO_SEQUENCE: i32 = -1;
/// A timestamp that means "none".
pub const NO_TIMESTAMP: i64 = -1;
/// A leader epoch that means "not known", which is what producers send.
pub const NO_LEADER_EPOCH: LeaderEpoch = -1;

/// Bytes before the first that `batch length` counts.
const LENGTH_COUNTS_FROM: usize = 12;
/// The smallest `batch length`: a header without records.
const BATCH_LENGTH_MIN: i32 = (HEADER_BYTES - LENGTH_COUNTS_FROM) as i32;

const BASE_OFFSET_AT: usize = 0;
const BATCH_LENGTH_AT: usize = 8;
const LEADER_EPOCH_AT: usize = 12;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_AT: usize = 21;
const LAST_OFFSET_DELTA_AT: usize = 23;
const BASE_TIMESTAMP_AT: usize = 27;
const MAX_TIMESTAMP_AT: usize = 35;
const PRODUCER_ID_AT: usize = 43;
const PRODUCER_EPOCH_AT: usize = 51;
const BASE_SEQUENCE_AT: usize = 53;
const RECORD_COUNT_AT: usize = 57;

/// Why bytes are no batch header.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeaderError {
    /// The bytes end before the batch does.
    #[error("the batch takes {needed_bytes} bytes, {available_bytes} are there")]
    Truncated {
        /// What the batch takes, as far as is known: at least its header.
        needed_bytes: usize,
        /// What is there.
        available_bytes: usize,
    },
    /// The length is too small for a header or negative.
    #[error("batch length {0} is less than a header")]
    Length(i32),
    /// The batch is of another format.
    #[error("magic {0} is not 2")]
    Magic(i8),
}

/// How a batch's records are compressed. The broker passes them through, unless their topic has a codec of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Compression {
    /// Not at all.
    None = 0,
    /// gzip.
    Gzip = 1,
    /// snappy.
    Snappy = 2,
    /// LZ4.
    Lz4 = 3,
    /// zstd (KIP-110): only for Produce from version 7 and Fetch from version 10.
    Zstd = 4,
}

/// What a batch's timestamps mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimestampType {
    /// The producer's clock, when it made the record.
    CreateTime,
    /// The broker's clock, when it appended the record.
    LogAppendTime,
}

/// A batch's attribute bits, unknown ones included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    const COMPRESSION_MASK: i16 = 0b111;
    /// Set where timestamps are [`TimestampType::LogAppendTime`].
    pub const LOG_APPEND_TIME: i16 = 1 << 3;
    /// Set in a transaction's batches.
    pub const TRANSACTIONAL: i16 = 1 << 4;
    /// Set in batches of control records, which brokers write.
    pub const CONTROL: i16 = 1 << 5;
    /// Set by compaction, where the base timestamp is a delete horizon.
    pub const DELETE_HORIZON: i16 = 1 << 6;

    /// The compression, or the code that is none of Kafka's.
    pub fn compression(self) -> Result<Compression, u8> {
        match (self.0 & Self::COMPRESSION_MASK) as u8 {
            0 => Ok(Compression::None),
            1 => Ok(Compression::Gzip),
            2 => Ok(Compression::Snappy),
            3 => Ok(Compression::Lz4),
            4 => Ok(Compression::Zstd),
            code => Err(code),
        }
    }

    /// The same with another compression.
    pub fn with_compression(self, compression: Compression) -> Self {
        Attributes(self.0 & !Self::COMPRESSION_MASK | compression as i16)
    }

    /// What the timestamps mean.
    pub fn timestamp_type(self) -> TimestampType {
        match self.0 & Self::LOG_APPEND_TIME {
            0 => TimestampType::CreateTime,
            _ => TimestampType::LogAppendTime,
        }
    }

    /// Whether the batch belongs to a transaction.
    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether the batch holds control records.
    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Whether the base timestamp is a delete horizon.
    pub fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }
}

/// A batch's header. The magic is always [`MAGIC`] and the batch length covers at least the header; nothing
/// else about the values is known before [`validate`](super::validate).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchHeader {
    /// Offset of the first record; 0 from producers.
    pub base_offset: Offset,
    /// Bytes of the batch after this field.
    pub batch_length: i32,
    /// The term in which the batch was appended; [`NO_LEADER_EPOCH`] from producers.
    pub partition_leader_epoch: LeaderEpoch,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    /// Compression, timestamp type and flags.
    pub attributes: Attributes,
    /// Offset of the last record less that of the first.
    pub last_offset_delta: i32,
    /// Timestamp that the records' timestamps are relative to, in ms since 1970.
    pub base_timestamp: i64,
    /// Largest timestamp in the batch, in ms since 1970.
    pub max_timestamp: i64,
    /// The idempotent producer, or [`NO_PRODUCER_ID`].
    pub producer_id: i64,
    /// The producer's epoch.
    pub producer_epoch: i16,
    /// The producer's sequence number of the first record.
    pub base_sequence: i32,
    /// Number of records; less than the offsets' range after compaction.
    pub record_count: i32,
}

impl BatchHeader {
    /// A batch of no records that takes the offsets from `base_offset` up to `end_offset`, as compaction leaves them: for
    /// logs that go on behind what another one no longer has.
    ///
    /// # Panics
    /// Panics if those are no offsets, or more than 2^31 of them.
    pub fn without_records(base_offset: Offset, end_offset: Offset, leader_epoch: LeaderEpoch) -> Self {
        let last_offset_delta = i32::try_from(end_offset - base_offset - 1).expect("bounded by the caller");
        assert!(last_offset_delta >= 0 && base_offset >= 0, "there are offsets");
        let header = BatchHeader {
            base_offset,
            batch_length: BATCH_LENGTH_MIN,
            partition_leader_epoch: leader_epoch,
            crc: 0,
            attributes: Attributes::default(),
            last_offset_delta,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            record_count: 0,
        };
        header.with_crc_over(&[])
    }

    /// Reads the header at the start of `bytes`; the records need not be there.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        // The magic is in the same place in every version, and messages of versions 0 and 1 may be shorter than
        // a header: judge it first, so that they are called by their name.
        if let Some(&magic) = bytes.get(MAGIC_AT)
            && magic as i8 != MAGIC
        {
            return Err(HeaderError::Magic(magic as i8));
        }
        let header = bytes
            .first_chunk::<HEADER_BYTES>()
            .ok_or(HeaderError::Truncated { needed_bytes: HEADER_BYTES, available_bytes: bytes.len() })?;
        let batch_length = i32::from_be_bytes(field(header, BATCH_LENGTH_AT));
        if batch_length < BATCH_LENGTH_MIN {
            return Err(HeaderError::Length(batch_length));
        }
        Ok(BatchHeader {
            base_offset: i64::from_be_bytes(field(header, BASE_OFFSET_AT)),
            batch_length,
            partition_leader_epoch: i32::from_be_bytes(field(header, LEADER_EPOCH_AT)),
            crc: u32::from_be_bytes(field(header, CRC_AT)),
            attributes: Attributes(i16::from_be_bytes(field(header, ATTRIBUTES_AT))),
            last_offset_delta: i32::from_be_bytes(field(header, LAST_OFFSET_DELTA_AT)),
            base_timestamp: i64::from_be_bytes(field(header, BASE_TIMESTAMP_AT)),
            max_timestamp: i64::from_be_bytes(field(header, MAX_TIMESTAMP_AT)),
            producer_id: i64::from_be_bytes(field(header, PRODUCER_ID_AT)),
            producer_epoch: i16::from_be_bytes(field(header, PRODUCER_EPOCH_AT)),
            base_sequence: i32::from_be_bytes(field(header, BASE_SEQUENCE_AT)),
            record_count: i32::from_be_bytes(field(header, RECORD_COUNT_AT)),
        })
    }

    /// The header's bytes.
    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        put(&mut header, BASE_OFFSET_AT, self.base_offset.to_be_bytes());
        put(&mut header, BATCH_LENGTH_AT, self.batch_length.to_be_bytes());
        put(&mut header, LEADER_EPOCH_AT, self.partition_leader_epoch.to_be_bytes());
        put(&mut header, MAGIC_AT, MAGIC.to_be_bytes());
        put(&mut header, CRC_AT, self.crc.to_be_bytes());
        put(&mut header, ATTRIBUTES_AT, self.attributes.0.to_be_bytes());
        put(&mut header, LAST_OFFSET_DELTA_AT, self.last_offset_delta.to_be_bytes());
        put(&mut header, BASE_TIMESTAMP_AT, self.base_timestamp.to_be_bytes());
        put(&mut header, MAX_TIMESTAMP_AT, self.max_timestamp.to_be_bytes());
        put(&mut header, PRODUCER_ID_AT, self.producer_id.to_be_bytes());
        put(&mut header, PRODUCER_EPOCH_AT, self.producer_epoch.to_be_bytes());
        put(&mut header, BASE_SEQUENCE_AT, self.base_sequence.to_be_bytes());
        put(&mut header, RECORD_COUNT_AT, self.record_count.to_be_bytes());
        header
    }

    /// The header's place in the log set: what the leader stores in front of the producer's records. The CRC
    /// stays right, because it covers neither field.
    pub fn placed_at(mut self, base_offset: Offset, leader_epoch: LeaderEpoch) -> Self {
        self.base_offset = base_offset;
        self.partition_leader_epoch = leader_epoch;
        self
    }

    /// The header of a batch all of whose records have one timestamp, the broker's, in ms since 1970. The records
    /// keep the producer's, which no longer mean anything. The CRC is out of date.
    pub fn stamped_at(mut self, append_time_ms: i64) -> Self {
        self.attributes.0 |= Attributes::LOG_APPEND_TIME;
        self.max_timestamp = append_time_ms;
        self
    }

    /// The header of a batch of other records, such as the same ones under another codec. The CRC is out of date.
    ///
    /// # Panics
    /// Panics if the records take 2 GiB.
    pub fn with_records_of(mut self, records_bytes: usize) -> Self {
        let batch_bytes = HEADER_BYTES + records_bytes - LENGTH_COUNTS_FROM;
        self.batch_length = i32::try_from(batch_bytes).expect("a batch is far below 2 GiB");
        self
    }

    /// The header with the CRC that goes with these records, compressed as the attributes say.
    pub fn with_crc_over(mut self, records: &[u8]) -> Self {
        self.crc = crc32c::crc32c_append(crc32c::crc32c(&self.encode()[ATTRIBUTES_AT..]), records);
        self
    }

    /// Bytes that the whole batch takes; at least [`HEADER_BYTES`].
    pub fn total_bytes(&self) -> usize {
        LENGTH_COUNTS_FROM + self.batch_length as usize
    }

    /// The largest timestamp of its records; `i64::MIN` if compaction has taken all of them away: what is left of their
    /// timestamps is no record's.
    pub fn largest_record_timestamp(&self) -> i64 {
        if self.record_count == 0 { i64::MIN } else { self.max_timestamp }
    }

    /// Offset of the last record; `i64::MAX` where hostile values would go beyond it.
    pub fn last_offset(&self) -> Offset {
        self.base_offset.saturating_add(i64::from(self.last_offset_delta))
    }

    /// Whether an idempotent producer made the batch. Like Kafka, takes every negative id for "none".
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// When the batch's tombstones may go, in ms since 1970 (KIP-534), if compaction has set that.
    pub fn delete_horizon_ms(&self) -> Option<i64> {
        self.attributes.has_delete_horizon().then_some(self.base_timestamp)
    }

    /// The producer's sequence number of the last record, or [`NO_SEQUENCE`].
    pub fn last_sequence(&self) -> i32 {
        match self.base_sequence {
            ..0 => NO_SEQUENCE,
            base => advance_sequence(base, self.last_offset_delta.max(0)),
        }
    }
}

/// The sequence number `count` after `sequence`: after `i32::MAX` comes 0. Both are at least 0.
pub fn advance_sequence(sequence: i32, count: i32) -> i32 {
    assert!(sequence >= 0 && count >= 0);
    sequence.wrapping_add(count) & i32::MAX
}

/// A whole batch in somebody else's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchView<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// The batch at the start of `bytes`, which may go on after it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, HeaderError> {
        let header = BatchHeader::parse(bytes)?;
        let needed_bytes = header.total_bytes();
        match bytes.get(..needed_bytes) {
            Some(bytes) => Ok(BatchView { header, bytes }),
            None => Err(HeaderError::Truncated { needed_bytes, available_bytes: bytes.len() }),
        }
    }

    /// The header.
    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch, header included.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The records, compressed as the attributes say.
    pub fn records(&self) -> &'a [u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// CRC-32C of the bytes as they are, to compare with the header's.
    pub fn computed_crc(&self) -> u32 {
        crc32c::crc32c(&self.bytes[ATTRIBUTES_AT..])
    }
}

fn field<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    header[at..at + N].try_into().expect("a slice of N bytes is N bytes")
}

fn put<const N: usize>(header: &mut [u8; HEADER_BYTES], at: usize, value: [u8; N]) {
    header[at..at + N].copy_from_slice(&value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::batch::BatchBuilder;

    #[test]
    fn offset_and_epoch_are_set_without_breaking_the_crc() {
        let produced = BatchBuilder::new().record(1_000, None, Some(b"value")).build();
        let header = BatchHeader::parse(&produced).unwrap();
        assert_eq!(header.encode(), produced[..HEADER_BYTES]);

        let mut stored = produced.clone();
        stored[..HEADER_BYTES].copy_from_slice(&header.placed_at(i64::MAX - 7, 9).encode());
        let view = BatchView::parse(&stored).unwrap();
        assert_eq!((view.header().base_offset, view.header().partition_leader_epoch), (i64::MAX - 7, 9));
        assert_eq!(view.computed_crc(), header.crc);
        assert_eq!(view.records(), &produced[HEADER_BYTES..]);
    }

    #[test]
    fn a_batch_without_records_is_whole_and_takes_its_offsets() {
        let bytes = BatchHeader::without_records(40, 100, 3).encode();
        let view = BatchView::parse(&bytes).unwrap();
        let header = view.header();
        assert_eq!((header.base_offset, header.last_offset(), header.record_count), (40, 99, 0));
        assert_eq!((view.computed_crc(), view.bytes().len()), (header.crc, HEADER_BYTES));
        assert!(!header.has_producer_id() && header.largest_record_timestamp() == i64::MIN);
    }

    #[test]
    fn a_changed_header_gets_its_crc() {
        let produced = BatchBuilder::new().record(1_000, None, Some(b"value")).build();
        let (header, records) = (BatchHeader::parse(&produced).unwrap(), &produced[HEADER_BYTES..]);
        assert_eq!(header.with_crc_over(records), header);

        let longer = [records, records].concat();
        let changed = header.stamped_at(5_000).with_records_of(longer.len()).with_crc_over(&longer);
        let stored = [&changed.encode()[..], &longer].concat();
        let view = BatchView::parse(&stored).unwrap();
        assert_eq!((view.computed_crc(), view.records()), (changed.crc, &longer[..]));
        assert_eq!(view.header().attributes.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!((view.header().base_timestamp, view.header().max_timestamp), (1_000, 5_000));
        let packed = changed.attributes.with_compression(Compression::Zstd);
        assert_eq!(packed.with_compression(Compression::Gzip), Attributes(1 << 3 | 1));
    }

    #[test]
    fn sequences_wrap_after_the_largest() {
        assert_eq!(advance_sequence(0, 0), 0);
        assert_eq!(advance_sequence(i32::MAX - 1, 1), i32::MAX);
        assert_eq!(advance_sequence(i32::MAX, 1), 0);
        assert_eq!(advance_sequence(i32::MAX, i32::MAX), i32::MAX - 1);
    }

    #[test]
    fn attributes_are_read_bit_by_bit() {
        assert_eq!(Attributes(4).compression(), Ok(Compression::Zstd));
        assert_eq!(Attributes(5).compression(), Err(5));
        assert_eq!(Attributes(1 << 3).timestamp_type(), TimestampType::LogAppendTime);
        assert!(Attributes(1 << 4).is_transactional());
        assert!(Attributes(1 << 5).is_control());
        assert!(Attributes(1 << 6).has_delete_horizon());
        let plain = Attributes(!0b111_1111);
        assert!(!plain.is_transactional() && !plain.is_control() && !plain.has_delete_horizon());
        assert_eq!(plain.compression(), Ok(Compression::None));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_to_what_encodes_to_them_again(mut bytes in any::<[u8; HEADER_BYTES]>(), valid: bool) {
            if valid {
                bytes[MAGIC_AT] = 2;
                bytes[BATCH_LENGTH_AT] &= 0x7f;
            }
            if let Ok(header) = BatchHeader::parse(&bytes) {
                prop_assert_eq!(header.encode(), bytes);
                prop_assert!(header.total_bytes() >= HEADER_BYTES);
                header.last_offset();
                header.last_sequence();
            }
        }
    }
}
