//! Reads the records of a batch.

use std::borrow::Cow;

use corelane::protocol::batch::{self, BadRecord, BatchView, Compression, Record};
use corelane::protocol::codec::{UnpackError, unpack};
use thiserror::Error;

/// Records that one batch may hold unpacked; a broker's bytes are not believed beyond it.
const UNPACKED_BYTES_MAX: usize = 512 << 20;

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
    #[error(transparent)]
    Malformed(#[from] BadRecord),
}

/// Gives each record of a batch to `read` and collects what it makes of them.
pub fn records<T>(
    view: &BatchView<'_>,
    mut read: impl FnMut(Record<'_>) -> T,
) -> Result<Vec<T>, RecordError> {
    let compression = view.header().attributes.compression().map_err(RecordError::UnknownCodec)?;
    let bytes = match compression {
        Compression::None => Cow::Borrowed(view.records()),
        other => Cow::Owned(unpack(other, view.records(), UNPACKED_BYTES_MAX)?),
    };
    batch::records(&bytes, view.header().record_count).map(|record| Ok(read(record?))).collect()
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
