//! The bounds of producers' timestamps, as Kafka's `LogValidator` keeps them.

use crate::base::limits::RECORD_ERRORS_MAX;
use crate::cluster::TopicSettings;
use crate::protocol::batch::{BatchHeader, NO_TIMESTAMP, TimestampRange, TimestampType, record_times};
use crate::protocol::messages::produce::BatchIndexAndErrorMessage;

/// The timestamps that a topic takes now, in ms since 1970, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TimestampBounds {
    earliest: i64,
    latest: i64,
}

impl TimestampBounds {
    /// Those of a topic when the broker's clock says `now_ms`. There are none where the broker sets the timestamps.
    pub(super) fn of(settings: &TopicSettings, now_ms: i64) -> Self {
        match settings.timestamp_type {
            TimestampType::LogAppendTime => TimestampBounds { earliest: i64::MIN, latest: i64::MAX },
            TimestampType::CreateTime => TimestampBounds {
                earliest: match settings.timestamp_before_max_ms {
                    i64::MAX => i64::MIN,
                    before_max_ms => now_ms.saturating_sub(before_max_ms),
                },
                latest: now_ms.saturating_add(settings.timestamp_after_max_ms),
            },
        }
    }

    /// Whether a batch of records with these timestamps is taken.
    pub(super) fn include(&self, timestamps: TimestampRange) -> bool {
        self.earliest <= timestamps.least && timestamps.largest <= self.latest
    }

    /// Whether the header of compressed records is enough to take them. It tells the largest timestamp, which says
    /// how long they are kept, but not the least.
    pub(super) fn include_all_of(&self, header: &BatchHeader) -> bool {
        self.earliest == i64::MIN && header.max_timestamp <= self.latest
    }

    /// The records out of bounds among these, which are well-formed and not compressed; the first
    /// [`RECORD_ERRORS_MAX`] of them. A record without a timestamp is within any bounds.
    pub(super) fn violations(&self, records: &[u8], header: &BatchHeader) -> Vec<BatchIndexAndErrorMessage> {
        let bounds = self.earliest..=self.latest;
        record_times(records, header)
            .flatten()
            .filter(|(_, timestamp)| *timestamp != NO_TIMESTAMP && !bounds.contains(timestamp))
            .take(RECORD_ERRORS_MAX)
            .map(|(offset, timestamp)| BatchIndexAndErrorMessage {
                batch_index: i32::try_from(offset - header.base_offset).unwrap_or(i32::MAX),
                batch_index_error_message: Some(format!(
                    "Timestamp {timestamp} of message with offset {offset} is out of range. The timestamp should \
                     be within [{}, {}]",
                    self.earliest, self.latest
                )),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::batch::{BatchBuilder, BatchView};

    const NOW_MS: i64 = 1_000_000;

    fn bounds(before_max_ms: i64, after_max_ms: i64) -> TimestampBounds {
        let settings = TopicSettings {
            timestamp_before_max_ms: before_max_ms,
            timestamp_after_max_ms: after_max_ms,
            ..TopicSettings::default()
        };
        TimestampBounds::of(&settings, NOW_MS)
    }

    #[test]
    fn both_bounds_belong_to_what_is_taken() {
        let range = |least, largest| TimestampRange { least, largest };
        let bounds = bounds(100, 200);
        assert!(bounds.include(range(NOW_MS - 100, NOW_MS + 200)));
        assert!(!bounds.include(range(NOW_MS - 101, NOW_MS)));
        assert!(!bounds.include(range(NOW_MS, NOW_MS + 201)));
    }

    #[test]
    fn the_longest_bounds_are_none() {
        let all = TimestampRange { least: i64::MIN, largest: i64::MAX };
        assert!(bounds(i64::MAX, i64::MAX).include(all));
        let stamped =
            TopicSettings { timestamp_type: TimestampType::LogAppendTime, ..TopicSettings::default() };
        assert!(TimestampBounds::of(&stamped, NOW_MS).include(all));
    }

    #[test]
    fn each_record_out_of_bounds_is_named() {
        let batch = BatchBuilder::new()
            .record(NOW_MS, None, None)
            .record(NOW_MS + 201, None, None)
            .record(NO_TIMESTAMP, None, None)
            .record(5, None, None)
            .build();
        let view = BatchView::parse(&batch).expect("our own");
        let violations = bounds(100, 200).violations(view.records(), view.header());
        assert_eq!(violations.iter().map(|record| record.batch_index).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(
            violations[0].batch_index_error_message.as_deref(),
            Some(
                "Timestamp 1000201 of message with offset 1 is out of range. The timestamp should be within \
                 [999900, 1000200]"
            )
        );
    }

    #[test]
    fn the_list_of_violations_is_bounded() {
        let builder = (0..RECORD_ERRORS_MAX + 50).fold(BatchBuilder::new(), |b, _| b.record(0, None, None));
        let batch = builder.build();
        let view = BatchView::parse(&batch).expect("our own");
        assert_eq!(bounds(100, 200).violations(view.records(), view.header()).len(), RECORD_ERRORS_MAX);
    }
}
