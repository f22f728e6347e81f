//! One record of a batch.
//!
//! ```text
//! record: length varint | attributes i8 | timestamp delta varlong | offset delta varint
//!         | key length varint, -1 for null | key | value length varint, -1 for null | value
//!         | header count varint | headers
//! header: key length varint | key | value length varint, -1 for null | value
//! ```
//!
//! `length` counts what follows it. Variable-length numbers are zigzag varints.

use super::records::{BadRecord, RecordFault};

/// Attributes, of which none are defined.
const ATTRIBUTES_BYTES: usize = 1;

/// A record, but for its headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// Its timestamp less the batch's base timestamp, in ms.
    pub timestamp_delta: i64,
    /// Its offset less the batch's base offset.
    pub offset_delta: i32,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// The next record of a batch, which must be well-formed, its headers too.
    pub(super) fn read(batch: &mut Reader<'a>) -> Result<Record<'a>, RecordFault> {
        let length = batch.length()?.ok_or(RecordFault::NegativeLength)?;
        let mut rest = Reader { rest: batch.take(length)? };
        rest.take(ATTRIBUTES_BYTES)?;
        let timestamp_delta = rest.varlong()?;
        let offset_delta = rest.varint()?;
        let (key, value) = (rest.nullable()?, rest.nullable()?);
        let header_count = rest.length()?.ok_or(RecordFault::NegativeLength)?;
        for _ in 0..header_count {
            let key_bytes = rest.length()?.ok_or(RecordFault::NegativeLength)?;
            rest.take(key_bytes)?;
            rest.nullable()?;
        }
        let record = Record { timestamp_delta, offset_delta, key, value };
        if rest.rest.is_empty() { Ok(record) } else { Err(RecordFault::LeftOver) }
    }

    /// Appends the record with its headers, and returns where in `out` its value starts.
    pub fn put(&self, out: &mut Vec<u8>, headers: &[(&str, Option<&[u8]>)]) -> usize {
        let header_bytes = |(name, value): &(&str, Option<&[u8]>)| {
            nullable_bytes(Some(name.as_bytes())) + nullable_bytes(*value)
        };
        let length = ATTRIBUTES_BYTES
            + varint_bytes(self.timestamp_delta)
            + varint_bytes(self.offset_delta.into())
            + nullable_bytes(self.key)
            + nullable_bytes(self.value)
            + varint_bytes(headers.len() as i64)
            + headers.iter().map(header_bytes).sum::<usize>();
        out.reserve(varint_bytes(length as i64) + length);
        put_varint(out, length as i64);
        out.push(0);
        put_varint(out, self.timestamp_delta);
        put_varint(out, self.offset_delta.into());
        put_nullable(out, self.key);
        put_nullable(out, self.value);
        let value_end = out.len();
        put_varint(out, headers.len() as i64);
        for (name, value) in headers {
            put_nullable(out, Some(name.as_bytes()));
            put_nullable(out, *value);
        }
        value_end - self.value.map_or(0, <[u8]>::len)
    }
}

/// The records of unpacked bytes; ends after the first that is not well-formed. Trusts nothing, and takes no more time
/// than the bytes are worth.
pub fn records(bytes: &[u8], record_count: i32) -> impl Iterator<Item = Result<Record<'_>, BadRecord>> {
    let mut batch = Reader { rest: bytes };
    let mut is_over = false;
    (0..record_count).map_while(move |index| {
        if is_over {
            return None;
        }
        let record = Record::read(&mut batch).map_err(|fault| BadRecord { index, fault });
        is_over = record.is_err();
        Some(record)
    })
}

/// A position in unpacked records.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], RecordFault> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(RecordFault::CutOff)?;
        self.rest = rest;
        Ok(taken)
    }

    /// A length and as many bytes, or a null.
    pub(super) fn nullable(&mut self) -> Result<Option<&'a [u8]>, RecordFault> {
        self.length()?.map(|bytes| self.take(bytes)).transpose()
    }

    /// A length; none where it is the -1 of a null.
    pub(super) fn length(&mut self) -> Result<Option<usize>, RecordFault> {
        match self.varint()? {
            -1 => Ok(None),
            length => usize::try_from(length).map(Some).map_err(|_| RecordFault::NegativeLength),
        }
    }

    pub(super) fn varint(&mut self) -> Result<i32, RecordFault> {
        i32::try_from(self.zigzag(5)?).map_err(|_| RecordFault::Varint)
    }

    pub(super) fn varlong(&mut self) -> Result<i64, RecordFault> {
        self.zigzag(10)
    }

    fn zigzag(&mut self, bytes_max: usize) -> Result<i64, RecordFault> {
        let mut value: u64 = 0;
        for (at, &byte) in self.rest.iter().take(bytes_max).enumerate() {
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for the 64th bit only.
            if at == 9 && bits > 1 {
                return Err(RecordFault::Varint);
            }
            value |= bits << (7 * at);
            if byte < 0x80 {
                self.rest = &self.rest[at + 1..];
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(if self.rest.len() < bytes_max { RecordFault::CutOff } else { RecordFault::Varint })
    }
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    put_varint(out, bytes.map_or(-1, |bytes| bytes.len() as i64));
    out.extend_from_slice(bytes.unwrap_or_default());
}

fn nullable_bytes(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_bytes(bytes.len() as i64) + bytes.len())
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(super) fn varint_bytes(value: i64) -> usize {
    (u64::BITS - (zigzag(value) | 1).leading_zeros()).div_ceil(7) as usize
}

/// The same bytes for `i32` and `i64`.
pub(super) fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_read() {
        let (mut out, long) = (Vec::new(), [7; 300]);
        let all = [
            Record { timestamp_delta: 0, offset_delta: 0, key: None, value: None },
            Record { timestamp_delta: -70, offset_delta: 1, key: Some(b""), value: Some(&long) },
            Record { timestamp_delta: i64::MAX, offset_delta: i32::MAX, key: Some(&long), value: Some(b"v") },
        ];
        let headers: [(&str, Option<&[u8]>); 2] = [("name", Some(b"x")), ("none", None)];
        for record in &all {
            let start = record.put(&mut out, &headers[..record.offset_delta.min(2) as usize]);
            assert!(record.value.is_none_or(|value| out[start..].starts_with(value)));
        }
        let read: Vec<_> = records(&out, 3).map(Result::unwrap).collect();
        assert_eq!(read, all);
        out.truncate(out.len() - 1);
        let cut: Vec<_> = records(&out, 4).collect();
        assert_eq!(cut.len(), 3);
        assert_eq!(cut[2], Err(BadRecord { index: 2, fault: RecordFault::CutOff }));
    }

    #[test]
    fn lengths_of_varints_are_right() {
        for value in [0, 1, -1, 63, 64, -64, -65, 8191, 8192, i64::from(i32::MAX), i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), varint_bytes(value), "{value}");
        }
    }

    #[test]
    fn varints_reach_to_both_ends_of_their_type() {
        let read = |bytes: &[u8]| Reader { rest: bytes }.varint();
        assert_eq!(read(&[0xfe, 0xff, 0xff, 0xff, 0x0f]), Ok(i32::MAX));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(i32::MIN));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x1f]), Err(RecordFault::Varint));

        let read = |bytes: &[u8]| Reader { rest: bytes }.varlong();
        let largest = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(read(&largest), Ok(i64::MAX));
        let mut beyond = largest;
        beyond[9] = 0x02;
        assert_eq!(read(&beyond), Err(RecordFault::Varint));
        assert_eq!(read(&largest[..9]), Err(RecordFault::CutOff));
    }
}
