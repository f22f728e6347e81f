//! Walks over the records of a batch as they are stored, for who writes them anew: their bytes stay as they are.

use super::header::BatchHeader;
use super::record::{Reader, put_varint, varint_bytes};
use super::records::{BadRecord, RecordFault};

/// A record in its batch. What it ends with, key, value and headers, is kept as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredRecord<'a> {
    /// Its timestamp less the batch's base timestamp, in ms.
    pub timestamp_delta: i64,
    /// Its offset less the batch's base offset.
    pub offset_delta: i32,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Whether it has no value.
    pub is_tombstone: bool,
    /// All of it, with its length.
    pub bytes: &'a [u8],
    attributes: u8,
    /// From the key on.
    tail: &'a [u8],
}

impl<'a> StoredRecord<'a> {
    fn read(batch: &mut Reader<'a>) -> Result<Self, RecordFault> {
        let all = batch.rest;
        let length = batch.length()?.ok_or(RecordFault::NegativeLength)?;
        let mut rest = Reader { rest: batch.take(length)? };
        let bytes = &all[..all.len() - batch.rest.len()];
        let attributes = rest.take(1)?[0];
        let timestamp_delta = rest.varlong()?;
        let offset_delta = rest.varint()?;
        let tail = rest.rest;
        let (key, value) = (rest.nullable()?, rest.nullable()?);
        let is_tombstone = value.is_none();
        Ok(StoredRecord { timestamp_delta, offset_delta, key, is_tombstone, bytes, attributes, tail })
    }

    /// Appends the record with another timestamp delta.
    pub fn put_at(&self, timestamp_delta: i64, out: &mut Vec<u8>) {
        let offset_delta = i64::from(self.offset_delta);
        let length = 1 + varint_bytes(timestamp_delta) + varint_bytes(offset_delta) + self.tail.len();
        put_varint(out, length as i64);
        out.push(self.attributes);
        put_varint(out, timestamp_delta);
        put_varint(out, offset_delta);
        out.extend_from_slice(self.tail);
    }
}

/// The records of unpacked bytes, one after the other; what is wrong with one that is not well-formed, or with what is
/// behind the last. Trusts nothing.
pub struct RecordWalk<'a> {
    batch: Reader<'a>,
    record_count: i32,
    last_offset_delta_max: i32,
    next: i32,
    last_offset_delta: i32,
}

impl<'a> RecordWalk<'a> {
    /// Over the unpacked records of a batch with this header.
    pub fn new(records: &'a [u8], header: &BatchHeader) -> Self {
        RecordWalk {
            batch: Reader { rest: records },
            record_count: header.record_count,
            last_offset_delta_max: header.last_offset_delta,
            next: 0,
            last_offset_delta: -1,
        }
    }

    /// Bytes behind the last record that was walked over.
    pub fn left_bytes(&self) -> usize {
        self.batch.rest.len()
    }

    fn read(&mut self) -> Result<Option<StoredRecord<'a>>, RecordFault> {
        if self.next == self.record_count {
            return if self.batch.rest.is_empty() { Ok(None) } else { Err(RecordFault::Trailing) };
        }
        let record = StoredRecord::read(&mut self.batch)?;
        // They count up, though not by one where compaction was here before.
        if !(self.last_offset_delta + 1..=self.last_offset_delta_max).contains(&record.offset_delta) {
            return Err(RecordFault::OffsetDelta(record.offset_delta));
        }
        (self.next, self.last_offset_delta) = (self.next + 1, record.offset_delta);
        Ok(Some(record))
    }
}

impl<'a> Iterator for RecordWalk<'a> {
    type Item = Result<StoredRecord<'a>, BadRecord>;

    fn next(&mut self) -> Option<Self::Item> {
        let index = self.next;
        self.read().map_err(|fault| BadRecord { index, fault }).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::batch::{BatchBuilder, HEADER_BYTES};

    fn walk(records: &[u8], record_count: i32) -> RecordWalk<'_> {
        let header = BatchHeader::parse(&BatchBuilder::new().build()).unwrap();
        RecordWalk::new(records, &BatchHeader { record_count, last_offset_delta: 9, ..header })
    }

    fn records() -> Vec<u8> {
        let headers: [(&str, Option<&[u8]>); 3] = [("h", Some(b"1")), ("h", None), ("", Some(b""))];
        BatchBuilder::new()
            .record_with_headers(100, Some(b"key"), Some(&[7; 300]), &headers)
            .record(90, Some(b""), None)
            .record_with_headers(1 << 40, None, Some(b""), &headers)
            .build()[HEADER_BYTES..]
            .to_vec()
    }

    #[test]
    fn every_record_is_met_with_its_bytes() {
        let records = records();
        let walked: Vec<_> = walk(&records, 3).map(Result::unwrap).collect();
        let keys: Vec<_> = walked.iter().map(|record| (record.key, record.is_tombstone)).collect();
        assert_eq!(keys, [(Some(&b"key"[..]), false), (Some(&b""[..]), true), (None, false)]);
        assert_eq!(
            walked.iter().map(|record| record.timestamp_delta).collect::<Vec<_>>(),
            [0, -10, (1 << 40) - 100]
        );
        assert_eq!(walked.iter().flat_map(|record| record.bytes.to_vec()).collect::<Vec<_>>(), records);
    }

    #[test]
    fn a_record_is_written_with_another_time_and_nothing_else_changed() {
        let records = records();
        let (mut moved, mut back) = (Vec::new(), Vec::new());
        for record in walk(&records, 3).map(Result::unwrap) {
            record.put_at(record.timestamp_delta - 1_000_000, &mut moved);
        }
        for (record, was) in walk(&moved, 3).map(Result::unwrap).zip(walk(&records, 3)) {
            let was = was.unwrap();
            assert_eq!((record.offset_delta, record.tail), (was.offset_delta, was.tail));
            record.put_at(record.timestamp_delta + 1_000_000, &mut back);
        }
        assert_eq!(back, records);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let records = records();
        let fault = |records: &[u8], count| {
            walk(records, count).find_map(Result::err).map(|bad| (bad.index, bad.fault))
        };
        assert_eq!(fault(&records, 3), None);
        assert_eq!(fault(&records, 4), Some((3, RecordFault::CutOff)));
        assert_eq!(fault(&records, 2), Some((2, RecordFault::Trailing)));
        assert_eq!(fault(&records[..records.len() - 1], 3), Some((2, RecordFault::CutOff)));
        let again = [&records[..], &records].concat();
        assert_eq!(fault(&again, 6), Some((3, RecordFault::OffsetDelta(0))));
    }
}
