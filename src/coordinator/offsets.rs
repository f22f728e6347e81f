//! The offsets that a group has committed.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::events::{FetchedOffset, NewOffset};
use crate::base::ids::{LeaderEpoch, Offset};
use crate::base::limits::GROUP_OFFSET_COST_BYTES;
use crate::protocol::group_records::{OffsetCommitKey, OffsetCommitValue};

/// A committed offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Committed {
    /// The offset to go on from.
    pub offset: Offset,
    /// The term of the record before it, -1 if unknown.
    pub leader_epoch: LeaderEpoch,
    /// What the group remembers with it.
    pub metadata: Box<str>,
    /// When it was committed, in ms since 1970.
    pub commit_ms: i64,
    /// When it is to be forgotten, in ms since 1970, if its client said so.
    pub expire_ms: Option<i64>,
}

impl Committed {
    /// As it stands in a record.
    pub fn of_record(value: OffsetCommitValue) -> Self {
        Committed {
            offset: value.offset,
            leader_epoch: value.leader_epoch,
            metadata: value.metadata.into(),
            commit_ms: value.commit_timestamp,
            expire_ms: Some(value.expire_timestamp).filter(|ms| *ms >= 0),
        }
    }

    /// As a client commits it.
    pub fn of_commit(new: &NewOffset, commit_ms: i64, retention_ms: Option<i64>) -> Self {
        Committed {
            offset: new.offset,
            leader_epoch: new.leader_epoch,
            metadata: new.metadata.as_str().into(),
            commit_ms,
            expire_ms: retention_ms.map(|retention_ms| commit_ms.saturating_add(retention_ms)),
        }
    }

    /// The value of its record.
    pub fn record(&self) -> OffsetCommitValue {
        OffsetCommitValue {
            offset: self.offset,
            leader_epoch: self.leader_epoch,
            metadata: self.metadata.to_string(),
            commit_timestamp: self.commit_ms,
            expire_timestamp: self.expire_ms.unwrap_or(-1),
            ..Default::default()
        }
    }

    fn bytes(&self) -> usize {
        GROUP_OFFSET_COST_BYTES + self.metadata.len()
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Offsets {
    topics: BTreeMap<Rc<str>, BTreeMap<i32, Committed>>,
    /// How many there are in all.
    count: usize,
}

impl Offsets {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Puts one in; returns by how much the memory has changed.
    pub fn put(&mut self, topic: &str, partition: i32, committed: Committed) -> isize {
        let added = committed.bytes() as isize;
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.into(), BTreeMap::new());
        }
        let partitions = self.topics.get_mut(topic).expect("just made sure");
        let replaced = partitions.insert(partition, committed);
        self.count += usize::from(replaced.is_none());
        added - replaced.map_or(0, |old| old.bytes() as isize)
    }

    /// Takes one out; returns by how much the memory has changed.
    pub fn remove(&mut self, topic: &str, partition: i32) -> isize {
        let Some(partitions) = self.topics.get_mut(topic) else { return 0 };
        let removed = partitions.remove(&partition);
        if partitions.is_empty() {
            self.topics.remove(topic);
        }
        self.count -= usize::from(removed.is_some());
        -removed.map_or(0, |old| old.bytes() as isize)
    }

    /// One of them.
    pub fn get(&self, topic: &str, partition: i32) -> Option<&Committed> {
        self.topics.get(topic)?.get(&partition)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, i32, &Committed)> {
        self.topics.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(move |(partition, committed)| (&**topic, *partition, committed))
        })
    }

    fn fetch_of(&self, topic: String, partitions: &[i32]) -> (String, Vec<FetchedOffset>) {
        let mut seen = BTreeSet::new();
        let once = partitions.iter().filter(|partition| seen.insert(**partition));
        let offsets = once.map(|partition| fetched(*partition, self.get(&topic, *partition))).collect();
        (topic, offsets)
    }

    /// What a client is told of some partitions, or of all that there is.
    pub fn fetch(&self, wanted: Option<Vec<(String, Vec<i32>)>>) -> Vec<(String, Vec<FetchedOffset>)> {
        match wanted {
            Some(topics) => {
                // Each is told once, or short questions would have long answers.
                let mut seen = BTreeSet::new();
                let once = topics.into_iter().filter(|(topic, _)| seen.insert(topic.clone()));
                once.map(|(topic, partitions)| self.fetch_of(topic, &partitions)).collect()
            }
            None => {
                let topic = |(topic, partitions): (&Rc<str>, &BTreeMap<i32, Committed>)| {
                    let one =
                        |(partition, committed): (&i32, &Committed)| fetched(*partition, Some(committed));
                    (topic.to_string(), partitions.iter().map(one).collect())
                };
                self.topics.iter().map(topic).collect()
            }
        }
    }
}

/// What a client is told where nothing was committed.
pub fn nothing_committed(wanted: Option<Vec<(String, Vec<i32>)>>) -> Vec<(String, Vec<FetchedOffset>)> {
    Offsets::default().fetch(wanted)
}

fn fetched(partition: i32, committed: Option<&Committed>) -> FetchedOffset {
    match committed {
        None => FetchedOffset { partition, offset: -1, leader_epoch: -1, metadata: String::new() },
        Some(committed) => FetchedOffset {
            partition,
            offset: committed.offset,
            leader_epoch: committed.leader_epoch,
            metadata: committed.metadata.to_string(),
        },
    }
}

/// The key of an offset's record.
pub fn key(group: &str, topic: &str, partition: i32) -> OffsetCommitKey {
    OffsetCommitKey { group: group.to_owned(), topic: topic.to_owned(), partition }
}
