//! What may go at the start of a log, by size and by age, as Kafka decides it: whole segments, the oldest first.
//! Pure; the shard moves the log start durably before anything is removed.

use super::partition_log::PartitionLog;
use super::segment::Segment;
use crate::base::ids::Offset;
use crate::base::limits::RETENTION_AHEAD_MS_MAX;

/// How much of a log is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Retention {
    /// `retention.bytes`: segments go as long as the others still have this many bytes; `None` for all.
    pub bytes: Option<u64>,
    /// `retention.ms`: segments go whose records are all older than this, in ms; `None` for ever.
    pub age_ms: Option<i64>,
}

impl PartitionLog {
    /// The log start that retention asks for, if it moves beyond `log_start`. Only what lies below
    /// `high_watermark` may go.
    pub fn retained_from(
        &self,
        retention: &Retention,
        log_start: Offset,
        high_watermark: Offset,
        now_ms: i64,
    ) -> Option<Offset> {
        // What lies below the log start is as good as gone.
        let kept = || self.segments.iter().filter(|segment| segment.next_offset > log_start);
        let total: u64 = kept().map(|segment| segment.end_position).sum();
        let mut excess = retention.bytes.map_or(0, |bytes| total.saturating_sub(bytes));
        let is_too_much = |segment: &&Segment| {
            let fits = retention.bytes.is_some() && segment.end_position <= excess;
            excess -= if fits { segment.end_position } else { 0 };
            fits
        };
        let is_committed = |segment: &&Segment| segment.next_offset <= high_watermark;
        let by_size = kept().take_while(is_committed).take_while(is_too_much).count();
        let is_too_old = |segment: &&Segment| {
            retention.age_ms.is_some_and(|age_ms| now_ms.saturating_sub(segment.latest_ms()) > age_ms)
        };
        let by_age = kept().skip(by_size).take_while(is_committed).take_while(is_too_old).count();
        let last = (by_size + by_age).checked_sub(1)?;
        kept().nth(last).map(|segment| segment.next_offset)
    }

    /// Takes away segments that hold nothing at or above `offset`. Also the one that is being filled, if it holds
    /// anything at all and `with_last`; the next batch then begins another.
    pub fn remove_below(&mut self, offset: Offset, with_last: bool) -> Vec<Segment> {
        let mut removed = Vec::new();
        while let Some(first) = self.segments.front() {
            let may_go = self.segments.len() > 1 || (with_last && first.end_position > 0);
            if first.next_offset > offset || !may_go {
                break;
            }
            self.start_offset = first.next_offset;
            removed.extend(self.segments.pop_front());
        }
        removed
    }
}

impl Segment {
    /// How late its records are, in ms since 1970: their largest timestamp, unless that is none, or lies so far
    /// ahead of the broker's clock that the records would be kept for ever. Then, as Kafka does for records
    /// without timestamps, when it was filled.
    pub(super) fn latest_ms(&self) -> i64 {
        let latest = self.clock.last_append_ms.saturating_add(RETENTION_AHEAD_MS_MAX);
        match self.largest.timestamp {
            timestamp if (0..=latest).contains(&timestamp) => timestamp,
            _ => self.clock.last_append_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use proptest::prelude::*;

    use super::*;
    use crate::log::partition_log::Roll;
    use crate::log::segment::NewBatch;

    const NOW_MS: i64 = 1_700_000_000_000;
    const EVER: Retention = Retention { bytes: None, age_ms: None };

    /// A log with one segment for each batch of (records, bytes, timestamp).
    fn log_of(batches: &[(i64, usize, i64)]) -> PartitionLog {
        let roll = Roll { segment_bytes: 1, segment_ms: i64::MAX };
        let mut log = PartitionLog::new(PathBuf::new(), roll, Default::default(), 100);
        for &(records, length, max_timestamp) in batches {
            let base_offset = log.next_offset();
            let last_offset = base_offset + records - 1;
            let batch = NewBatch { base_offset, last_offset, max_timestamp, length, now_ms: NOW_MS };
            let need = log.space_need(&batch).expect("each has a segment of its own");
            log.note_space(need);
            log.append(&batch, &[&vec![0; length]], 0);
        }
        log
    }

    #[test]
    fn the_oldest_segments_go_while_the_others_have_the_bytes() {
        let log = log_of(&[(1, 100, 0), (2, 200, 0), (3, 300, 0)]);
        let from = |bytes| log.retained_from(&Retention { bytes: Some(bytes), ..EVER }, 100, 106, NOW_MS);
        assert_eq!(
            [600, 501, 500, 300, 299, 0].map(from),
            [None, None, Some(101), Some(103), Some(103), Some(106)]
        );
        let committed = |high_watermark| {
            log.retained_from(&Retention { bytes: Some(0), ..EVER }, 100, high_watermark, NOW_MS)
        };
        assert_eq!([100, 102, 103, 105].map(committed), [None, Some(101), Some(103), Some(103)]);
        assert_eq!(log.retained_from(&EVER, 100, 106, NOW_MS), None);
    }

    #[test]
    fn what_lies_below_the_log_start_does_not_count() {
        let log = log_of(&[(1, 100, 0), (2, 200, 0), (3, 300, 0)]);
        let bytes = Retention { bytes: Some(300), ..EVER };
        assert_eq!(log.retained_from(&bytes, 101, 106, NOW_MS), Some(103));
        assert_eq!(log.retained_from(&bytes, 103, 106, NOW_MS), None);
    }

    #[test]
    fn segments_go_whose_records_are_all_old() {
        let log = log_of(&[(1, 10, NOW_MS - 50), (1, 10, NOW_MS - 20), (1, 10, NOW_MS - 60)]);
        let from = |age_ms| log.retained_from(&Retention { age_ms: Some(age_ms), ..EVER }, 100, 103, NOW_MS);
        // A young segment keeps what is behind it, too.
        assert_eq!([50, 49, 20, 19, 0].map(from), [None, Some(101), Some(101), Some(103), Some(103)]);
    }

    #[test]
    fn no_timestamp_and_one_from_the_far_future_count_as_the_time_of_the_append() {
        for timestamp in [-1, i64::MIN, i64::MAX, NOW_MS + RETENTION_AHEAD_MS_MAX + 1] {
            let log = log_of(&[(1, 10, timestamp)]);
            let from = |age_ms, later| {
                log.retained_from(&Retention { age_ms: Some(age_ms), ..EVER }, 100, 101, NOW_MS + later)
            };
            assert_eq!((from(50, 50), from(50, 51)), (None, Some(101)), "{timestamp}");
        }
        let log = log_of(&[(1, 10, NOW_MS + RETENTION_AHEAD_MS_MAX)]);
        let retention = Retention { age_ms: Some(50), ..EVER };
        assert_eq!(
            log.retained_from(&retention, 100, 101, NOW_MS + 51),
            None,
            "a clock that is a little ahead"
        );
    }

    #[test]
    fn the_segment_that_is_filled_goes_only_when_asked() {
        let mut log = log_of(&[(1, 10, 0), (1, 10, 0)]);
        assert_eq!(log.remove_below(102, false).len(), 1);
        assert_eq!(log.remove_below(101, true).len(), 0);
        assert_eq!(log.remove_below(102, true).len(), 1);
        assert_eq!((log.next_offset(), log.segments().count()), (102, 0));
    }

    proptest! {
        /// Kafka's rules, one after the other, on a plain list.
        #[test]
        fn retention_is_kafkas(
            batches in prop::collection::vec((1i64..5, 1usize..500, 0i64..100), 0..12),
            bytes in prop::option::of(0u64..3_000), age_ms in prop::option::of(0i64..100),
            committed in any::<prop::sample::Index>(),
        ) {
            let batches: Vec<_> = batches.iter().map(|&(n, length, age)| (n, length, NOW_MS - age)).collect();
            let log = log_of(&batches);
            let high_watermark = 100 + committed.index((log.next_offset() - 99) as usize) as i64;
            let (mut start, mut at) = (100, 0);
            let size: u64 = batches.iter().map(|batch| batch.1 as u64).sum();
            let mut excess = bytes.map_or(-1, |bytes| size as i64 - bytes as i64);
            let may_go = |at: usize, start: i64| batches.get(at).filter(|it| start + it.0 <= high_watermark);
            while let Some(batch) = may_go(at, start).filter(|it| excess >= 0 && excess - it.1 as i64 >= 0) {
                excess -= batch.1 as i64;
                (start, at) = (start + batch.0, at + 1);
            }
            while let Some(batch) = may_go(at, start).filter(|it| age_ms.is_some_and(|age| NOW_MS - it.2 > age)) {
                (start, at) = (start + batch.0, at + 1);
            }
            let found = log.retained_from(&Retention { bytes, age_ms }, 100, high_watermark, NOW_MS);
            prop_assert_eq!(found, Some(start).filter(|&start| start > 100));
        }
    }
}
