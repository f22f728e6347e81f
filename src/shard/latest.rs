//! The latest record that can be read. What is known of a segment says how late its records are at most: the latest may
//! have been deleted from it, or compacted away. Only where that is so the headers of a segment's batches are gone
//! through.

use std::cmp::Reverse;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;

use super::error::StorageError;
use super::read::joined;
use super::replica::Replica;
use super::storage::Storage;
use crate::base::ids::Offset;
use crate::base::limits::COLD_READ_BYTES_MIN;
use crate::log::segment::Segment;
use crate::protocol::batch::{BatchHeader, Batches};

/// A stretch of a log.
pub(super) struct Stretch {
    offsets: Range<Offset>,
    /// None of its records is later, in ms since 1970; negative if it has none.
    latest: i64,
}

impl Stretch {
    /// The segments of the log.
    pub(super) fn all(replica: &Replica) -> Vec<Stretch> {
        let log = replica.log.borrow();
        let stretch = |segment: &Segment| Stretch {
            offsets: segment.base_offset..segment.next_offset,
            latest: segment.largest.timestamp,
        };
        log.segments().map(stretch).collect()
    }
}

/// What a search has found so far.
#[derive(Default)]
struct Latest {
    /// The batch that the log starts in: the header does not tell how late the rest of its records is.
    first: Option<Bytes>,
    /// Of the others the latest batch, the first if there are several, with its time and its base offset.
    whole: Option<(Reverse<i64>, Offset, Bytes)>,
}

impl Latest {
    fn is_beaten_by(&self, latest: i64, base_offset: Offset) -> bool {
        let beaten =
            |whole: &(Reverse<i64>, Offset, Bytes)| (Reverse(latest), base_offset) < (whole.0, whole.1);
        self.whole.as_ref().is_none_or(beaten)
    }

    fn note(&mut self, header: &BatchHeader, batch: Bytes, log_start: Offset) {
        if header.record_count == 0 {
            // Compaction has left it for its producer's sake.
        } else if header.base_offset < log_start {
            self.first = Some(batch);
        } else if self.is_beaten_by(header.max_timestamp, header.base_offset) {
            self.whole = Some((Reverse(header.max_timestamp), header.base_offset, batch));
        }
    }
}

impl Storage {
    /// The batches, one or two, of which one holds the latest record of these stretches. All of them are committed.
    pub(super) async fn latest_batches(
        &self,
        replica: &Rc<Replica>,
        mut stretches: Vec<Stretch>,
    ) -> Result<Vec<Bytes>, StorageError> {
        stretches.retain(|stretch| stretch.latest >= 0);
        stretches.sort_by_key(|stretch| (Reverse(stretch.latest), stretch.offsets.start));
        let mut latest = Latest::default();
        for Stretch { offsets, latest: bound } in stretches {
            if !latest.is_beaten_by(bound, offsets.start) {
                continue;
            }
            let hint = self.hint_for_time(replica, offsets.start, bound).await;
            let hint = hint.unwrap_or(offsets.start).min(offsets.end);
            if !self.look_through(replica, hint..offsets.end, bound, &mut latest).await? {
                self.look_through(replica, offsets.start..hint, bound, &mut latest).await?;
            }
        }
        Ok(latest.first.into_iter().chain(latest.whole.map(|(_, _, batch)| batch)).collect())
    }

    /// Looks at all batches there, or up to one as late as any can be; whether there is one.
    async fn look_through(
        &self,
        replica: &Rc<Replica>,
        offsets: Range<Offset>,
        bound: i64,
        latest: &mut Latest,
    ) -> Result<bool, StorageError> {
        let mut offset = offsets.start;
        loop {
            let log_start = replica.state.borrow().progress().log_start();
            offset = offset.max(log_start);
            if offset >= offsets.end {
                return Ok(false);
            }
            let bytes = joined(self.read(replica, offset, COLD_READ_BYTES_MIN).await?);
            if bytes.is_empty() {
                return Ok(false);
            }
            for batch in Batches::new(&bytes).flatten() {
                let header = batch.batch.header();
                if header.base_offset >= offsets.end {
                    return Ok(false);
                }
                let range = batch.position..batch.position + batch.batch.bytes().len();
                latest.note(header, bytes.slice(range), log_start);
                if !latest.is_beaten_by(bound, header.base_offset) {
                    return Ok(true);
                }
                offset = header.last_offset() + 1;
            }
            self.runtime.yield_now().await;
        }
    }
}
