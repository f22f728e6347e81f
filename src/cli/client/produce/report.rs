//! What came of the records.

use std::collections::BTreeMap;

use serde::Serialize;

/// How many failures are told one by one; what follows is only counted.
const TOLD_FAILURES: u64 = 10;

/// What came of the records so far.
#[derive(Default, Debug)]
pub struct Report {
    records: u64,
    failed: u64,
    partitions: BTreeMap<i32, PartitionReport>,
}

/// What came of the records that went to one partition.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct PartitionReport {
    partition: i32,
    records: u64,
    /// Lowest and highest offset; null if the broker was not asked to say.
    first_offset: Option<i64>,
    last_offset: Option<i64>,
}

/// The whole, as programs get it.
#[derive(Serialize)]
pub struct Summary<'a> {
    topic: &'a str,
    records: u64,
    failed: u64,
    partitions: Vec<&'a PartitionReport>,
}

impl Report {
    /// A record was written.
    pub fn written(&mut self, partition: i32, offset: Option<i64>) {
        self.records += 1;
        let fresh = PartitionReport { partition, records: 0, first_offset: offset, last_offset: offset };
        let report = self.partitions.entry(partition).or_insert(fresh);
        report.records += 1;
        // A retried batch may be acknowledged behind a later one.
        report.first_offset = report.first_offset.into_iter().chain(offset).min();
        report.last_offset = report.last_offset.into_iter().chain(offset).max();
    }

    /// A record was not written. Returns whether to say so.
    pub fn failed(&mut self) -> bool {
        self.failed += 1;
        self.failed <= TOLD_FAILURES
    }

    /// How many were written, and how many were not.
    pub fn counts(&self) -> (u64, u64) {
        (self.records, self.failed)
    }

    /// For programs.
    pub fn summary<'a>(&'a self, topic: &'a str) -> Summary<'a> {
        let partitions = self.partitions.values().collect();
        Summary { topic, records: self.records, failed: self.failed, partitions }
    }

    /// For people.
    pub fn text(&self, topic: &str) -> String {
        format!("{} written to {topic}\n", counted(self.records))
    }
}

/// "1 record", "2 records".
pub fn counted(records: u64) -> String {
    format!("{records} record{}", if records == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_counted_with_their_offsets() {
        let mut report = Report::default();
        for (partition, offset) in [(1, Some(7)), (0, Some(3)), (1, Some(6)), (1, Some(9)), (2, None)] {
            report.written(partition, offset);
        }
        assert!(report.failed());
        let json = serde_json::to_value(report.summary("t")).unwrap();
        let row = |partition: i32, records: u64, first: Option<i64>, last: Option<i64>| serde_json::json!({ "partition": partition, "records": records, "first_offset": first, "last_offset": last });
        let rows = [row(0, 1, Some(3), Some(3)), row(1, 3, Some(6), Some(9)), row(2, 1, None, None)];
        assert_eq!(json, serde_json::json!({ "topic": "t", "records": 5, "failed": 1, "partitions": rows }));
        assert_eq!(report.text("t"), "5 records written to t\n");
        assert_eq!(report.counts(), (5, 1));
    }

    #[test]
    fn not_every_failure_is_told() {
        let mut report = Report::default();
        assert_eq!((0..100).filter(|_| report.failed()).count(), 10);
        assert_eq!(counted(1), "1 record");
    }
}
