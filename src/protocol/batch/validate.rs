//! What a broker demands of a batch before it appends it.
//!
//! Compressed records are not decompressed: the CRC says that they are what the producer sent, and whether
//! they decode is for consumers to find, as it is with the producer's own bytes inside keys and values. All
//! else that Kafka's `LogValidator` demands of a batch is checked, but for what depends on the topic (the bounds of
//! timestamps, which are looked at later; null keys under compaction, which there is not).

use super::header::{BatchHeader, BatchView, Compression, HeaderError, TimestampType};
use super::records::{BadRecord, RecordCheck, TimestampRange, check_records};

/// A batch that was found good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ValidBatch {
    /// Its header.
    pub header: BatchHeader,
    /// The range of its records' timestamps, in ms since 1970; `None` where they are compressed.
    pub timestamps: Option<TimestampRange>,
}

/// Why a produced batch is refused. Each names the Kafka error that the producer should see.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum InvalidBatch {
    /// The bytes end before the batch does, or there are none: INVALID_RECORD.
    #[error("the batch takes {needed_bytes} bytes, {available_bytes} are there")]
    Truncated {
        /// What the batch takes, as far as is known: at least its header.
        needed_bytes: usize,
        /// What is there.
        available_bytes: usize,
    },
    /// More than one batch for one partition: INVALID_RECORD.
    #[error("{0} bytes follow the batch; exactly one is allowed")]
    Trailing(usize),
    /// The length is less than a header: CORRUPT_MESSAGE.
    #[error("batch length {0} is less than a header")]
    Length(i32),
    /// Version 0 or 1, which no produce request of version 3 or later may hold: INVALID_RECORD.
    #[error("message format {0} is too old; use a client that writes version 2 (Kafka 0.11 and later)")]
    OldMagic(i8),
    /// No version that there ever was: CORRUPT_MESSAGE.
    #[error("unknown message format {0}")]
    UnknownMagic(i8),
    /// MESSAGE_TOO_LARGE.
    #[error("the batch takes {batch_bytes} bytes, max.message.bytes is {max_message_bytes}")]
    TooLarge {
        /// What the batch takes, header included.
        batch_bytes: usize,
        /// What the topic allows.
        max_message_bytes: usize,
    },
    /// The bytes are not those that the producer wrote: CORRUPT_MESSAGE.
    #[error("CRC-32C is {computed:#010x}, the header says {stored:#010x}")]
    Crc {
        /// The header's.
        stored: u32,
        /// That of the bytes.
        computed: u32,
    },
    /// A producer counts from 0: INVALID_RECORD.
    #[error("base offset {0} is not 0")]
    BaseOffset(i64),
    /// No records, or a number of them that does not match the offsets: INVALID_RECORD.
    #[error("{record_count} records do not go with a last offset delta of {last_offset_delta}")]
    RecordCount {
        /// The header's number of records.
        record_count: i32,
        /// The header's last offset delta.
        last_offset_delta: i32,
    },
    /// UNSUPPORTED_COMPRESSION_TYPE.
    #[error("unknown compression code {0}")]
    UnknownCompression(u8),
    /// Only brokers write control records: INVALID_RECORD.
    #[error("clients may not write control records")]
    Control,
    /// Only compaction sets delete horizons: INVALID_RECORD.
    #[error("clients may not set a delete horizon")]
    DeleteHorizon,
    /// Only brokers set the time of append: INVALID_TIMESTAMP.
    #[error("clients may not set the timestamp type to LogAppendTime")]
    LogAppendTime,
    /// A producer id without epoch or sequence: INVALID_RECORD.
    #[error("producer {producer_id} has epoch {producer_epoch} and base sequence {base_sequence}")]
    Producer {
        /// The header's producer id.
        producer_id: i64,
        /// The header's producer epoch.
        producer_epoch: i16,
        /// The header's base sequence.
        base_sequence: i32,
    },
    /// INVALID_RECORD.
    #[error(transparent)]
    Record(#[from] BadRecord),
}

impl From<HeaderError> for InvalidBatch {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::Truncated { needed_bytes, available_bytes } => {
                InvalidBatch::Truncated { needed_bytes, available_bytes }
            }
            HeaderError::Length(length) => InvalidBatch::Length(length),
            HeaderError::Magic(magic @ 0..=1) => InvalidBatch::OldMagic(magic),
            HeaderError::Magic(magic) => InvalidBatch::UnknownMagic(magic),
        }
    }
}

/// Checks that `bytes` is exactly one batch that a client may write, of at most `max_message_bytes`.
pub fn validate(bytes: &[u8], max_message_bytes: usize) -> Result<ValidBatch, InvalidBatch> {
    let batch = BatchView::parse(bytes)?;
    let header = *batch.header();
    let batch_bytes = header.total_bytes();
    if bytes.len() > batch_bytes {
        return Err(InvalidBatch::Trailing(bytes.len() - batch_bytes));
    }
    if batch_bytes > max_message_bytes {
        return Err(InvalidBatch::TooLarge { batch_bytes, max_message_bytes });
    }
    // Before any field below is believed: rot is to be called rot, which clients retry.
    let computed = batch.computed_crc();
    if computed != header.crc {
        return Err(InvalidBatch::Crc { stored: header.crc, computed });
    }
    let compression = check_attributes(&header)?;
    check_counts(&header)?;
    check_producer(&header)?;
    let timestamps = match compression {
        Compression::None => {
            Some(check_records(batch.records(), header.record_count)?.after(header.base_timestamp))
        }
        _ => None,
    };
    Ok(ValidBatch { header, timestamps })
}

/// The check of records that came compressed, in steps, after `validate` has found their header good.
pub struct RecordsCheck<'a> {
    check: RecordCheck<'a>,
    base_timestamp: i64,
}

impl<'a> RecordsCheck<'a> {
    /// Will check these unpacked records.
    pub fn new(records: &'a [u8], header: &BatchHeader) -> Self {
        RecordsCheck {
            check: RecordCheck::new(records, header.record_count),
            base_timestamp: header.base_timestamp,
        }
    }

    /// Checks those that begin in the next `step_bytes`. `false` when all are checked and good.
    pub fn step(&mut self, step_bytes: usize) -> Result<bool, BadRecord> {
        self.check.step(step_bytes)
    }

    /// The range of the timestamps of those that were checked, at least one, in ms since 1970.
    pub fn timestamps(&self) -> TimestampRange {
        self.check.deltas.after(self.base_timestamp)
    }
}

fn check_attributes(header: &BatchHeader) -> Result<Compression, InvalidBatch> {
    if header.attributes.is_control() {
        return Err(InvalidBatch::Control);
    }
    if header.attributes.has_delete_horizon() {
        return Err(InvalidBatch::DeleteHorizon);
    }
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        return Err(InvalidBatch::LogAppendTime);
    }
    header.attributes.compression().map_err(InvalidBatch::UnknownCompression)
}

fn check_counts(header: &BatchHeader) -> Result<(), InvalidBatch> {
    let &BatchHeader { base_offset, record_count, last_offset_delta, .. } = header;
    if base_offset != 0 {
        return Err(InvalidBatch::BaseOffset(base_offset));
    }
    if record_count < 1 || last_offset_delta != record_count - 1 {
        return Err(InvalidBatch::RecordCount { record_count, last_offset_delta });
    }
    Ok(())
}

/// Without a producer id the other two fields mean nothing and, as in Kafka, may be anything.
fn check_producer(header: &BatchHeader) -> Result<(), InvalidBatch> {
    let &BatchHeader { producer_id, producer_epoch, base_sequence, .. } = header;
    if header.has_producer_id() && (producer_epoch < 0 || base_sequence < 0) {
        return Err(InvalidBatch::Producer { producer_id, producer_epoch, base_sequence });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::batch::{BatchBuilder, HEADER_BYTES, RecordFault};

    const MAX_BYTES: usize = 1 << 20;

    fn batch() -> BatchBuilder {
        BatchBuilder::new()
            .producer(7, 0, 0)
            .record_with_headers(
                1_000,
                Some(b"key"),
                Some(&[9; 200]),
                &[("trace", Some(b"1")), ("trace", None)],
            )
            .record(990, None, None)
    }

    /// The batch with its header changed and its CRC made right again.
    fn forged(forge: impl FnOnce(&mut BatchHeader)) -> Vec<u8> {
        let mut bytes = batch().build();
        let mut header = BatchHeader::parse(&bytes).unwrap();
        forge(&mut header);
        bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
        header.crc = BatchView::parse(&bytes).unwrap().computed_crc();
        bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
        bytes
    }

    fn refusal(bytes: &[u8]) -> InvalidBatch {
        validate(bytes, MAX_BYTES).unwrap_err()
    }

    #[test]
    fn a_valid_batch_passes_at_exactly_its_size() {
        let bytes = batch().build();
        let ValidBatch { header, timestamps } = validate(&bytes, bytes.len()).unwrap();
        assert_eq!((header.record_count, header.last_sequence(), header.max_timestamp), (2, 1, 1_000));
        assert_eq!(timestamps, Some(TimestampRange { least: 990, largest: 1_000 }));
        assert_eq!(
            validate(&bytes, bytes.len() - 1),
            Err(InvalidBatch::TooLarge { batch_bytes: bytes.len(), max_message_bytes: bytes.len() - 1 })
        );
    }

    #[test]
    fn only_exactly_one_batch_is_taken() {
        let bytes = batch().build();
        let two = [&bytes[..], &bytes[..]].concat();
        assert_eq!(refusal(&two), InvalidBatch::Trailing(bytes.len()));
        for cut in 0..bytes.len() {
            assert!(matches!(refusal(&bytes[..cut]), InvalidBatch::Truncated { .. }), "cut at {cut}");
        }
    }

    #[test]
    fn old_formats_are_called_by_their_name_even_when_shorter_than_a_header() {
        let mut message = vec![0; 34];
        assert_eq!(refusal(&message), InvalidBatch::OldMagic(0));
        message[16] = 1;
        assert_eq!(refusal(&message), InvalidBatch::OldMagic(1));
        message[16] = 3;
        assert_eq!(refusal(&message), InvalidBatch::UnknownMagic(3));
        message[16] = 0xff;
        assert_eq!(refusal(&message), InvalidBatch::UnknownMagic(-1));
    }

    #[test]
    fn each_field_that_a_client_may_not_set_is_refused() {
        let attributes = |bits: i16| refusal(&forged(|header| header.attributes.0 = bits));
        assert_eq!(attributes(1 << 3), InvalidBatch::LogAppendTime);
        assert_eq!(attributes(1 << 5), InvalidBatch::Control);
        assert_eq!(attributes(1 << 4 | 1 << 5), InvalidBatch::Control);
        assert_eq!(attributes(1 << 6), InvalidBatch::DeleteHorizon);
        for code in 5..=7 {
            assert_eq!(attributes(code), InvalidBatch::UnknownCompression(code as u8));
        }
        assert_eq!(refusal(&forged(|header| header.base_offset = 5)), InvalidBatch::BaseOffset(5));
        for length in [i32::MIN, -1, 0, 48] {
            let mut bytes = batch().build();
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            assert_eq!(refusal(&bytes), InvalidBatch::Length(length));
        }
    }

    #[test]
    fn transactional_batches_are_well_formed() {
        assert!(validate(&forged(|header| header.attributes.0 = 1 << 4), MAX_BYTES).is_ok());
    }

    #[test]
    fn counts_and_offsets_must_agree() {
        for (record_count, last_offset_delta) in
            [(0, -1), (-1, -2), (i32::MIN, i32::MAX), (2, 0), (2, 2), (1, 1), (i32::MAX, -1)]
        {
            let bytes = forged(|header| {
                header.record_count = record_count;
                header.last_offset_delta = last_offset_delta;
            });
            assert_eq!(refusal(&bytes), InvalidBatch::RecordCount { record_count, last_offset_delta });
        }
        for (record_count, index, fault) in
            [(1, 1, RecordFault::Trailing), (3, 2, RecordFault::CutOff), (i32::MAX, 2, RecordFault::CutOff)]
        {
            let bytes = forged(|header| {
                header.record_count = record_count;
                header.last_offset_delta = record_count - 1;
            });
            assert_eq!(refusal(&bytes), InvalidBatch::Record(BadRecord { index, fault }));
        }
    }

    #[test]
    fn a_producer_id_needs_epoch_and_sequence() {
        let producer = |producer_id, producer_epoch, base_sequence| {
            let bytes = forged(|header| {
                header.producer_id = producer_id;
                header.producer_epoch = producer_epoch;
                header.base_sequence = base_sequence;
            });
            validate(&bytes, MAX_BYTES)
        };
        assert!(producer(0, 0, 0).is_ok());
        assert!(producer(-1, -1, -1).is_ok());
        assert!(producer(-1, 3, 7).is_ok(), "Kafka ignores both without a producer id");
        assert!(matches!(producer(7, -1, 0), Err(InvalidBatch::Producer { .. })));
        assert!(matches!(producer(7, 0, -1), Err(InvalidBatch::Producer { .. })));
    }

    #[test]
    fn compressed_records_are_not_looked_into() {
        for code in 1..=4 {
            let garbage = forged(|header| {
                header.attributes.0 = code;
                header.record_count = 100;
                header.last_offset_delta = 99;
            });
            assert_eq!(validate(&garbage, MAX_BYTES).unwrap().timestamps, None);
        }
    }

    #[test]
    fn records_are_checked_in_steps_as_at_once() {
        let records = batch().build()[HEADER_BYTES..].to_vec();
        let header = validate(&batch().build(), MAX_BYTES).unwrap().header;
        for step_bytes in [0, 1, 100, 1 << 20] {
            let mut check = RecordsCheck::new(&records, &header);
            let mut steps = 1;
            while check.step(step_bytes).unwrap() {
                steps += 1;
            }
            assert_eq!(steps, if step_bytes < records.len() { 2 } else { 1 }, "steps of {step_bytes} bytes");
            assert_eq!(check.timestamps(), TimestampRange { least: 990, largest: 1_000 });
            let mut check = RecordsCheck::new(&records[1..], &header);
            let fault = std::iter::repeat_with(|| check.step(step_bytes)).find_map(Result::err);
            assert_eq!(fault.map(|bad| bad.index), Some(0));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed_but_where_the_broker_overwrites_it() {
        let bytes = batch().build();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let is_leader_epoch = (12..16).contains(&at);
                assert_eq!(validate(&flipped, MAX_BYTES).is_ok(), is_leader_epoch, "byte {at} bit {bit}");
            }
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_with_a_right_crc_never_panic(
            records in prop::collection::vec(any::<u8>(), 0..200),
            count in prop_oneof![0..20i32, any::<i32>()],
            attributes in prop_oneof![Just(0i16), any::<i16>()],
            rest: [u8; 30],
        ) {
            let mut bytes = batch().build();
            bytes.truncate(HEADER_BYTES);
            bytes[27..57].copy_from_slice(&rest);
            bytes.extend_from_slice(&records);
            let mut header = BatchHeader::parse(&bytes).unwrap();
            header.batch_length = (bytes.len() - 12) as i32;
            header.attributes.0 = attributes;
            header.record_count = count;
            header.last_offset_delta = count.wrapping_sub(1);
            bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
            header.crc = BatchView::parse(&bytes).unwrap().computed_crc();
            bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
            if let Ok(ValidBatch { header, .. }) = validate(&bytes, MAX_BYTES) {
                prop_assert!(header.record_count >= 1);
                prop_assert!(header.last_offset() >= 0);
            }
        }

        #[test]
        fn built_batches_are_valid(
            values in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..300)), 1..20),
            timestamps in prop::collection::vec(0..i64::MAX, 20),
        ) {
            let mut builder = BatchBuilder::new();
            for (value, timestamp_ms) in values.iter().zip(&timestamps) {
                builder = builder.record_with_headers(*timestamp_ms, value.as_deref(), None, &[("h", value.as_deref())]);
            }
            let ValidBatch { header, timestamps } = validate(&builder.build(), MAX_BYTES).unwrap();
            prop_assert_eq!(timestamps.unwrap().largest, header.max_timestamp);
            prop_assert_eq!(header.record_count as usize, values.len());
        }
    }
}
