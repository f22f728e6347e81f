//! Headers for the partition's tests.

use crate::protocol::batch::{Attributes, BatchBuilder, BatchHeader};

/// The header of a batch of `records` records without a producer.
pub(super) fn plain(records: i32) -> BatchHeader {
    let mut header = BatchHeader::parse(&BatchBuilder::new().build()).unwrap();
    header.record_count = records;
    header.last_offset_delta = records - 1;
    header
}

/// The header of an idempotent producer's batch.
pub(super) fn produced(
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    records: i32,
) -> BatchHeader {
    BatchHeader { producer_id, producer_epoch, base_sequence, ..plain(records) }
}

/// The header of a transaction's batch.
pub(super) fn transactional() -> BatchHeader {
    BatchHeader { attributes: Attributes(Attributes::TRANSACTIONAL), ..produced(1, 0, 0, 1) }
}
