//! The offsets and timestamps of a batch's records, for look-ups by time.

use super::header::BatchHeader;
use super::record::Reader;
use super::records::{BadRecord, RecordFault};
use crate::base::ids::Offset;

/// Walks unpacked records: the offset and timestamp (ms since 1970) of each. Ends after the first that is not
/// well-formed. Trusts nothing.
pub fn record_times<'a>(
    records: &'a [u8],
    header: &BatchHeader,
) -> impl Iterator<Item = Result<(Offset, i64), BadRecord>> + use<'a> {
    let (base_offset, base_timestamp) = (header.base_offset, header.base_timestamp);
    let mut batch = Reader { rest: records };
    let mut is_over = false;
    (0..header.record_count).map_while(move |index| {
        if is_over {
            return None;
        }
        let times = next(&mut batch).map_err(|fault| BadRecord { index, fault });
        is_over = times.is_err();
        Some(times.map(|(offset_delta, timestamp_delta)| {
            let offset = base_offset.saturating_add(offset_delta.into());
            (offset, base_timestamp.saturating_add(timestamp_delta))
        }))
    })
}

fn next(batch: &mut Reader<'_>) -> Result<(i32, i64), RecordFault> {
    let length = batch.length()?.ok_or(RecordFault::NegativeLength)?;
    let mut record = Reader { rest: batch.take(length)? };
    record.take(1)?;
    let timestamp_delta = record.varlong()?;
    Ok((record.varint()?, timestamp_delta))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::batch::{BatchBuilder, BatchView};

    #[test]
    fn every_record_is_told_with_its_time() {
        let batch = BatchBuilder::new()
            .record(100, None, Some(b"a"))
            .record(90, Some(b"k"), None)
            .record(250, None, Some(&[7; 300]))
            .placed_at(40, 2)
            .build();
        let view = BatchView::parse(&batch).unwrap();
        let times: Vec<_> = record_times(view.records(), view.header()).collect();
        assert_eq!(times, [Ok((40, 100)), Ok((41, 90)), Ok((42, 250))]);
        let cut: Vec<_> = record_times(&view.records()[..20], view.header()).collect();
        assert_eq!(cut.len(), 3);
        assert_eq!(cut[2], Err(BadRecord { index: 2, fault: RecordFault::CutOff }));
    }
}
