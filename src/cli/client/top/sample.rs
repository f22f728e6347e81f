//! What one look at a cluster finds.

use std::collections::BTreeMap;

use super::super::partitions::TopicPartition;
use super::page::Page;

/// What one look finds.
#[derive(Clone, Default, Debug)]
pub struct Sample {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// All partitions, with the offset behind the last record that can be read; none if its leader does not say.
    pub ends: BTreeMap<TopicPartition, Option<i64>>,
    /// Groups, those with members first.
    pub groups: Vec<GroupSample>,
    /// So many more groups were not looked at.
    pub groups_left_out: usize,
    /// The metrics of a Corelane node, if asked for, and when they came: the rest may have waited for somebody.
    pub page: Option<(i64, Page)>,
    /// What could not be had, for people.
    pub notes: Vec<String>,
}

/// A group at that time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupSample {
    /// Its name.
    pub group: String,
    /// Such as `Stable`.
    pub state: String,
    /// How many members it has.
    pub members: usize,
    /// What it has committed; none if its coordinator does not say.
    pub committed: Option<BTreeMap<TopicPartition, i64>>,
}

impl Sample {
    /// Records that a group has not committed, in all partitions of which both is known. None if that is none.
    pub fn lag(&self, group: &GroupSample) -> Option<i64> {
        let known = group.committed.iter().flatten().filter_map(|(place, committed)| {
            let end = self.ends.get(place).copied().flatten()?;
            // A log that was cut below what was committed is not behind by less than nothing.
            Some(end.saturating_sub(*committed).max(0))
        });
        known.reduce(i64::saturating_add)
    }
}
