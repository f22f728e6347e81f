//! Reads the records of a batch.

use std::borrow::Cow;

use corelane::protocol::batch::{BatchView, Compression};
use corelane::protocol::codec::{UnpackError, unpack};
use thiserror::Error;

/// Records that one batch may hold unpacked; a broker's bytes are not believed beyond it.
const UNPACKED_BYTES_MAX: usize = 512 << 20;

/// One record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// The record's offset less that of the batch.
    pub offset_delta: i32,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// Why a batch's records cannot be read.
#[derive(Debug, Error)]
pub enum RecordError {
    /// They are compressed, and cannot be unpacked.
    #[error(transparent)]
    Packed(#[from] UnpackError),
    /// An unknown codec.
    #[error("compression code {0} is none of Kafka's")]
    UnknownCodec(u8),
    /// They are not records.
    #[error("record {0} of its batch is malformed")]
    Malformed(i32),
}

/// Gives each record of a batch to `read` and collects what it makes of them.
pub fn records<T>(
    batch: &BatchView<'_>,
    mut read: impl FnMut(Record<'_>) -> T,
) -> Result<Vec<T>, RecordError> {
    let compression = batch.header().attributes.compression().map_err(RecordError::UnknownCodec)?;
    let bytes = match compression {
        Compression::None => Cow::Borrowed(batch.records()),
        other => Cow::Owned(unpack(other, batch.records(), UNPACKED_BYTES_MAX)?),
    };
    let mut rest = &bytes[..];
    let count = batch.header().record_count;
    // Each record takes at least seven bytes: the count is not believed beyond what is there.
    let mut out = Vec::with_capacity((count.max(0) as usize).min(bytes.len() / 7));
    for number in 0..count {
        out.push(read(record(&mut rest).ok_or(RecordError::Malformed(number))?));
    }
    Ok(out)
}

fn record<'a>(rest: &mut &'a [u8]) -> Option<Record<'a>> {
    let length = usize::try_from(varint(rest)?).ok()?;
    let mut body = take(rest, length)?;
    take(&mut body, 1)?;
    varint(&mut body)?;
    let offset_delta = i32::try_from(varint(&mut body)?).ok()?;
    let key = nullable(&mut body)?;
    let value = nullable(&mut body)?;
    Some(Record { offset_delta, key, value })
}

fn nullable<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match varint(rest)? {
        -1 => Some(None),
        length => take(rest, usize::try_from(length).ok()?).map(Some),
    }
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(count)?;
    *rest = after;
    Some(taken)
}

/// Zigzag varint of up to ten bytes.
fn varint(rest: &mut &[u8]) -> Option<i64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte & 0x80 == 0 {
            return Some((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use corelane::protocol::batch::BatchBuilder;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_are_those_that_were_written() {
        let batch = BatchBuilder::new()
            .record(5, Some(b"key"), Some(b"value"))
            .record(9, None, None)
            .record_with_headers(9, Some(b""), Some(&[7; 300]), &[("name", Some(b"x")), ("none", None)])
            .build();
        let view = BatchView::parse(&batch).unwrap();
        let read = records(&view, |it| (it.offset_delta, it.key.map(<[u8]>::len), it.value.map(<[u8]>::len)))
            .unwrap();
        assert_eq!(read, [(0, Some(3), Some(5)), (1, None, None), (2, Some(0), Some(300))]);
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_refused_without_a_panic(garbage in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut batch = BatchBuilder::new().record(1, None, Some(b"v")).build();
            batch.truncate(61);
            batch.extend_from_slice(&garbage);
            let length = (batch.len() - 12) as i32;
            batch[8..12].copy_from_slice(&length.to_be_bytes());
            batch[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
            let view = BatchView::parse(&batch).unwrap();
            prop_assert!(records(&view, |_| ()).is_err());
        }
    }
}
