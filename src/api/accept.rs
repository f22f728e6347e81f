//! What a topic demands of a produced batch, and what its configs make of it before it is appended.
//!
//! The usual batch passes as it came: its topic keeps the producer's codec, and its timestamps are within bounds.
//! Compressed records are unpacked only where the topic has a codec of its own, or a bound of the past, or is compacted, or where the
//! header's largest timestamp is out of bounds; otherwise nothing inside of them is looked at.

use bytes::Bytes;

use crate::base::limits::RECORD_ERRORS_MAX;
use crate::cluster::TopicSettings;
use crate::protocol::ErrorCode;
use crate::protocol::batch::{
    BadRecord, BatchHeader, Compression, HEADER_BYTES, InvalidBatch, NO_TIMESTAMP, RecordWalk,
    TimestampRange, ValidBatch, validate,
};
use crate::protocol::codec::UnpackError;
use crate::protocol::messages::produce::{BatchIndexAndErrorMessage, PartitionProduceResponse};
use crate::shard::Shard;

use super::errors::invalid_batch;
use super::pending_produce::refusal;
use super::recompress::{BadRecords, Recompression};
use super::timestamps::TimestampBounds;

/// The first version that may carry zstd (KIP-110).
const ZSTD_VERSION: i16 = 7;

/// Why a topic does not take a batch.
#[derive(thiserror::Error, Clone, PartialEq, Debug)]
pub(super) enum RefusedBatch {
    /// No topic would.
    #[error(transparent)]
    Invalid(#[from] InvalidBatch),
    /// Its records cannot be unpacked.
    #[error(transparent)]
    Records(#[from] BadRecords),
    /// Under the topic's codec it is too long: MESSAGE_TOO_LARGE.
    #[error(
        "the batch takes more than max.message.bytes, {max_message_bytes}, as the topic's compression.type"
    )]
    Repacked {
        /// What the topic allows.
        max_message_bytes: usize,
    },
    /// Records without a key in a topic that keeps the last of each: INVALID_RECORD.
    #[error(
        "One or more records have been rejected due to {count} record errors in total: compacted topics cannot accept \
         records without key"
    )]
    Keyless {
        /// How many.
        count: usize,
        /// The first [`RECORD_ERRORS_MAX`] of them.
        named: Vec<BatchIndexAndErrorMessage>,
    },
    /// INVALID_TIMESTAMP.
    #[error("One or more records have been rejected due to invalid timestamp")]
    Timestamps(Vec<BatchIndexAndErrorMessage>),
}

impl RefusedBatch {
    /// The answer to its producer.
    pub(super) fn response(self, partition: i32) -> PartitionProduceResponse {
        let code = match &self {
            RefusedBatch::Invalid(error) => invalid_batch(error),
            // Not CORRUPT_MESSAGE, which clients retry: the CRC says that this is what the producer made.
            RefusedBatch::Records(BadRecords::Unpack(UnpackError::Damaged) | BadRecords::Record(_)) => {
                ErrorCode::InvalidRecord
            }
            RefusedBatch::Records(BadRecords::Unpack(UnpackError::TooLong(_)))
            | RefusedBatch::Repacked { .. } => ErrorCode::MessageTooLarge,
            RefusedBatch::Keyless { .. } => ErrorCode::InvalidRecord,
            RefusedBatch::Timestamps(_) => ErrorCode::InvalidTimestamp,
        };
        let mut response = refusal(partition, code, Some(self.to_string()));
        response.record_errors = match self {
            RefusedBatch::Timestamps(named) | RefusedBatch::Keyless { named, .. } => named,
            RefusedBatch::Invalid(InvalidBatch::Record(BadRecord { index, fault }))
            | RefusedBatch::Records(BadRecords::Record(BadRecord { index, fault })) => {
                vec![BatchIndexAndErrorMessage {
                    batch_index: index,
                    batch_index_error_message: Some(fault.to_string()),
                }]
            }
            _ => Vec::new(),
        };
        response
    }
}

/// Checks a batch that came in a request of `version`; the batch as it is to be appended, with its header.
pub(super) async fn accept(
    shard: &Shard,
    settings: &TopicSettings,
    version: i16,
    bytes: Bytes,
) -> Result<(BatchHeader, Bytes), RefusedBatch> {
    let ValidBatch { header, timestamps } = validate(&bytes, settings.max_message_bytes as usize)?;
    let codec = header.attributes.compression().map_err(InvalidBatch::UnknownCompression)?;
    if version < ZSTD_VERSION && codec == Compression::Zstd {
        return Err(InvalidBatch::UnknownCompression(Compression::Zstd as u8).into());
    }
    let bounds = TimestampBounds::of(settings, shard.runtime.wall_clock_ms());
    let keeps_codec = settings.compression.is_none_or(|wanted| wanted == codec);
    let header = match timestamps {
        Some(timestamps) => {
            let records = &bytes[HEADER_BYTES..];
            let true_header = with_true_maximum(&bounds, header, timestamps, records)?;
            check_keys(settings, &header, records)?;
            if true_header == header { header } else { true_header.with_crc_over(records) }
        }
        None => header,
    };
    let needs_no_look = bounds.include_all_of(&header) && !settings.cleanup.compact;
    if keeps_codec && (timestamps.is_some() || needs_no_look) {
        return Ok((header, bytes));
    }
    Box::pin(rework(shard, settings, &bounds, header, bytes)).await
}

/// Unpacks the records if they are compressed, looks at them, and packs them as the topic wants.
async fn rework(
    shard: &Shard,
    settings: &TopicSettings,
    bounds: &TimestampBounds,
    header: BatchHeader,
    bytes: Bytes,
) -> Result<(BatchHeader, Bytes), RefusedBatch> {
    let mut recompression = Recompression::begin(shard).await;
    let codec = header.attributes.compression().map_err(InvalidBatch::UnknownCompression)?;
    let packed = &bytes[HEADER_BYTES..];
    let (records, header) = match codec {
        Compression::None => (None, header),
        codec => {
            let (records, timestamps) = recompression.unpack(&header, codec, packed).await?;
            let header = with_true_maximum(bounds, header, timestamps, &records)?;
            check_keys(settings, &header, &records)?;
            (Some(records), header)
        }
    };
    let Some(wanted) = settings.compression.filter(|wanted| *wanted != codec) else {
        return Ok((header.with_crc_over(packed), bytes));
    };
    let max_message_bytes = settings.max_message_bytes as usize;
    let records = records.as_deref().unwrap_or(packed);
    let batch = recompression.pack(wanted, records, max_message_bytes).await;
    let mut batch = batch.ok_or(RefusedBatch::Repacked { max_message_bytes })?;
    let mut header = header.with_records_of(batch.len() - HEADER_BYTES);
    header.attributes = header.attributes.with_compression(wanted);
    let header = header.with_crc_over(&batch[HEADER_BYTES..]);
    batch[..HEADER_BYTES].copy_from_slice(&header.encode());
    Ok((header, batch.into()))
}

/// Refuses records without a key where the topic is compacted. The records are well-formed and not compressed.
fn check_keys(settings: &TopicSettings, header: &BatchHeader, records: &[u8]) -> Result<(), RefusedBatch> {
    if !settings.cleanup.compact {
        return Ok(());
    }
    let keyless = || {
        let walk = RecordWalk::new(records, header).flatten().enumerate();
        walk.filter(|(_, record)| record.key.is_none())
    };
    let count = keyless().count();
    if count == 0 {
        return Ok(());
    }
    let named = keyless().take(RECORD_ERRORS_MAX).map(|(index, _)| BatchIndexAndErrorMessage {
        batch_index: index as i32,
        batch_index_error_message: Some("Compacted topic cannot accept message without key.".to_owned()),
    });
    Err(RefusedBatch::Keyless { count, named: named.collect() })
}

/// Refuses timestamps out of bounds. The header that is returned tells the records' largest timestamp, whatever the
/// producer's told, since retention and look-ups believe it; its CRC is then out of date.
fn with_true_maximum(
    bounds: &TimestampBounds,
    header: BatchHeader,
    timestamps: TimestampRange,
    records: &[u8],
) -> Result<BatchHeader, RefusedBatch> {
    if !bounds.include(timestamps) {
        let violations = bounds.violations(records, &header);
        if !violations.is_empty() {
            return Err(RefusedBatch::Timestamps(violations));
        }
    }
    Ok(BatchHeader { max_timestamp: timestamps.largest.max(NO_TIMESTAMP), ..header })
}
