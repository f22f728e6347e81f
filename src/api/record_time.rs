//! The record of a time inside a batch. Records that cannot be unpacked, because they are damaged, or large beyond
//! what is sensible, are answered for by their batch: its first offset, from which a consumer finds the rest.

use std::cmp::Reverse;

use bytes::Bytes;

use crate::base::ids::{LeaderEpoch, Offset};
use crate::base::limits::{LOOK_UP_RATIO_MAX, LOOK_UP_UNPACKED_BYTES_MAX};
use crate::protocol::batch::{BatchHeader, BatchView, Compression, TimestampType, record_times};
use crate::protocol::codec;

use crate::base::guard::guarded;

/// Which record is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wanted {
    /// The first with this timestamp (ms since 1970) or a later one.
    AtLeast(i64),
    /// The first with the largest timestamp of those that there are.
    Largest,
}

/// A record that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found {
    pub(super) offset: Offset,
    pub(super) timestamp: i64,
    pub(super) leader_epoch: LeaderEpoch,
}

/// Finds the record in a stored batch, not before `log_start`.
pub(super) fn find_record(batch: &Bytes, wanted: Wanted, log_start: Offset) -> Option<Found> {
    let view = BatchView::parse(batch).ok()?;
    let header = view.header();
    let leader_epoch = header.partition_leader_epoch;
    let least = match wanted {
        Wanted::AtLeast(timestamp) => timestamp,
        Wanted::Largest => header.max_timestamp,
    };
    let whole_batch =
        Found { offset: header.base_offset.max(log_start), timestamp: header.max_timestamp, leader_epoch };
    if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
        return Some(whole_batch);
    }
    let Some(records) = unpack(header, view.records()) else { return Some(whole_batch) };
    let times = record_times(&records, header).flatten();
    let mut times = times.filter(|(offset, _)| *offset >= log_start);
    if wanted == Wanted::Largest && header.base_offset < log_start {
        // The record that the header speaks of may have been deleted.
        let largest = times.min_by_key(|(offset, timestamp)| (Reverse(*timestamp), *offset));
        return largest.map(|(offset, timestamp)| Found { offset, timestamp, leader_epoch });
    }
    let found = times.find(|(_, timestamp)| *timestamp >= least);
    Some(found.map_or(whole_batch, |(offset, timestamp)| Found { offset, timestamp, leader_epoch }))
}

fn unpack<'a>(header: &BatchHeader, records: &'a [u8]) -> Option<std::borrow::Cow<'a, [u8]>> {
    match header.attributes.compression().ok()? {
        Compression::None => Some(records.into()),
        codec => {
            let allowed = records.len().saturating_mul(LOOK_UP_RATIO_MAX).min(LOOK_UP_UNPACKED_BYTES_MAX);
            // The bytes are a client's, and decoders are intricate.
            guarded(|| codec::unpack(codec, records, allowed).ok()).flatten().map(Into::into)
        }
    }
}
