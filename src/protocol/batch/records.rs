//! Checks uncompressed records without keeping anything of them.

use super::record::{Reader, Record};

/// What is wrong with a record.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecordFault {
    /// A field goes beyond the record's, or the record beyond the batch's, last byte.
    #[error("it is cut off")]
    CutOff,
    /// A variable-length number takes more bytes than its type may.
    #[error("a number is too long")]
    Varint,
    /// A length or count is negative that may not be.
    #[error("a length is negative")]
    NegativeLength,
    /// The record's fields end before its length says.
    #[error("bytes are left over in it")]
    LeftOver,
    /// Offset deltas must count up from 0.
    #[error("its offset delta is {0}")]
    OffsetDelta(i32),
    /// More bytes follow the last record.
    #[error("bytes follow the last record")]
    Trailing,
}

/// A record that is not well-formed.
#[derive(thiserror::Error, Clone, Copy, PartialEq, Eq, Debug)]
#[error("record {index}: {fault}")]
pub struct BadRecord {
    /// The record's place in the batch, from 0.
    pub index: i32,
    /// What is wrong with it.
    pub fault: RecordFault,
}

/// The least and the largest timestamp among records, in ms; relative to the batch's base timestamp, or since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimestampRange {
    /// The least.
    pub least: i64,
    /// The largest.
    pub largest: i64,
}

impl TimestampRange {
    /// The range of timestamps that begin at `base_timestamp`, where this is the range of their deltas.
    pub(super) fn after(self, base_timestamp: i64) -> Self {
        let timestamp = |delta| base_timestamp.saturating_add(delta);
        TimestampRange { least: timestamp(self.least), largest: timestamp(self.largest) }
    }
}

/// Checks that `records` is exactly `record_count` well-formed records, at least one, whose offset deltas count up
/// from 0, and says what range their timestamp deltas have. The time it takes is bounded by the bytes, not by any
/// count in them.
pub(super) fn check_records(records: &[u8], record_count: i32) -> Result<TimestampRange, BadRecord> {
    let mut check = RecordCheck::new(records, record_count);
    check.step(usize::MAX)?;
    Ok(check.deltas)
}

/// The same in steps.
pub(super) struct RecordCheck<'a> {
    batch: Reader<'a>,
    record_count: i32,
    checked: i32,
    /// The range of the timestamp deltas so far.
    pub(super) deltas: TimestampRange,
}

impl<'a> RecordCheck<'a> {
    pub(super) fn new(records: &'a [u8], record_count: i32) -> Self {
        let deltas = TimestampRange { least: i64::MAX, largest: i64::MIN };
        RecordCheck { batch: Reader { rest: records }, record_count, checked: 0, deltas }
    }

    /// Checks the records that begin in the next `step_bytes`. `false` when all are checked.
    pub(super) fn step(&mut self, step_bytes: usize) -> Result<bool, BadRecord> {
        let enough = self.batch.rest.len().saturating_sub(step_bytes);
        let mut deltas = self.deltas;
        for index in self.checked..self.record_count {
            if self.batch.rest.len() < enough {
                self.checked = index;
                self.deltas = deltas;
                return Ok(true);
            }
            let delta = check_record(&mut self.batch, index).map_err(|fault| BadRecord { index, fault })?;
            deltas = TimestampRange { least: deltas.least.min(delta), largest: deltas.largest.max(delta) };
        }
        self.deltas = deltas;
        self.checked = self.record_count;
        if !self.batch.rest.is_empty() {
            return Err(BadRecord { index: self.record_count, fault: RecordFault::Trailing });
        }
        Ok(false)
    }
}

/// Its timestamp delta.
fn check_record(batch: &mut Reader<'_>, index: i32) -> Result<i64, RecordFault> {
    let record = Record::read(batch)?;
    if record.offset_delta != index {
        return Err(RecordFault::OffsetDelta(record.offset_delta));
    }
    Ok(record.timestamp_delta)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(records: &[u8], record_count: i32) -> (i32, RecordFault) {
        let bad = check_records(records, record_count).unwrap_err();
        (bad.index, bad.fault)
    }

    #[test]
    fn every_fault_is_named() {
        // length 6, attributes, timestamp 0, offset 0, null key, null value, no headers
        let record = [12, 0, 0, 0, 1, 1, 0];
        assert_eq!(check_records(&record, 1), Ok(TimestampRange { least: 0, largest: 0 }));
        assert_eq!(fault(&record, 2), (1, RecordFault::CutOff));
        assert_eq!(fault(&record, 0), (0, RecordFault::Trailing));
        assert_eq!(fault(&record[..6], 1), (0, RecordFault::CutOff));
        assert_eq!(fault(&[1], 1), (0, RecordFault::NegativeLength));
        assert_eq!(fault(&[12, 0, 0, 2, 1, 1, 0], 1), (0, RecordFault::OffsetDelta(1)));
        assert_eq!(fault(&[14, 0, 0, 0, 1, 1, 0, 0], 1), (0, RecordFault::LeftOver));
        assert_eq!(fault(&[12, 0, 0, 0, 3, 1, 0], 1), (0, RecordFault::NegativeLength)); // key length -2
        assert_eq!(fault(&[12, 0, 0, 0, 1, 1, 1], 1), (0, RecordFault::NegativeLength)); // header count -1
        assert_eq!(fault(&[16, 0, 0, 0, 1, 1, 2, 1, 1], 1), (0, RecordFault::NegativeLength)); // null header key
        assert_eq!(fault(&[16, 0, 0, 0, 1, 1, 4, 0, 1], 1), (0, RecordFault::CutOff)); // 2 headers, 1 there
        assert_eq!(fault(&[0xff; 12], 1), (0, RecordFault::Varint));
    }

    #[test]
    fn huge_counts_cost_no_more_than_the_bytes_there_are() {
        assert_eq!(fault(&[12, 0, 0, 0, 1, 1, 0], i32::MAX), (1, RecordFault::CutOff));
        // one record that claims 2^31 - 1 headers
        let record = [20, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f];
        assert_eq!(fault(&record, 1), (0, RecordFault::CutOff));
    }
}
