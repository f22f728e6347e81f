//! What one look at a cluster finds.

use std::collections::BTreeMap;

use super::super::partitions::TopicPartition;
use super::page::Page;

/// What one look finds.
#[derive(Clone, Default, Debug)]
pub struct Sample {
    /// When the leaders were asked, in milliseconds since 1970: those that are there answer then, and the last one may be
    /// waited for.
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

/// How far a group is behind, as far as that is known.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Lag {
    /// Records that it has not committed, in all partitions of which both is known. None if that is none.
    pub known: Option<i64>,
    /// Of so many partitions that it has committed in, nobody says where they end.
    pub silent_partitions: usize,
}

impl Lag {
    /// All of it; none if a part is not known, which is no progress.
    pub fn whole(self) -> Option<i64> {
        self.known.filter(|_| self.silent_partitions == 0)
    }
}

impl Sample {
    /// How far a group is behind.
    pub fn lag(&self, group: &GroupSample) -> Lag {
        let mut lag = Lag::default();
        for (place, committed) in group.committed.iter().flatten() {
            match self.ends.get(place) {
                // It was deleted.
                None => {}
                Some(None) => lag.silent_partitions += 1,
                Some(Some(end)) => {
                    lag.known = Some(lag.known.unwrap_or(0).saturating_add(behind(*end, *committed)));
                }
            }
        }
        lag
    }

    /// By how much a group has come to be further behind since an earlier look, in the partitions of which all is known
    /// of both. None if that is none.
    pub fn lag_since(&self, group: &GroupSample, before: &Sample, earlier: &GroupSample) -> Option<i64> {
        let change = |(place, committed): (&TopicPartition, &i64)| {
            let now = behind(self.ends.get(place).copied().flatten()?, *committed);
            let earlier_committed = earlier.committed.as_ref()?.get(place)?;
            Some(now.saturating_sub(behind(before.ends.get(place).copied().flatten()?, *earlier_committed)))
        };
        group.committed.iter().flatten().filter_map(change).reduce(i64::saturating_add)
    }
}

/// A log that was cut below what was committed is not behind by less than nothing.
fn behind(end: i64, committed: i64) -> i64 {
    end.saturating_sub(committed).max(0)
}
