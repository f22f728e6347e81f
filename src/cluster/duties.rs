//! What a shard has to do for the copies that it has: lead or follow.

use std::sync::Arc;

use super::delta::{Closed, Owned};
use super::image::{Image, Topic};
use super::records::{Owner, PartitionRecord};

/// What a shard is to do with its copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    /// Serve clients, and send to the other copies.
    Lead,
    /// Take what this shard sends; `None` while there is no leader.
    Follow(Option<Owner>),
}

impl Duty {
    /// The duty of `owner` in a partition, if it has a copy.
    pub fn of(partition: &PartitionRecord, owner: Owner) -> Option<Self> {
        let replica = partition.replica(owner.node).filter(|replica| replica.shard == owner.shard)?;
        Some(match partition.owner() {
            Some(leader) if leader == replica.owner() => Duty::Lead,
            leader => Duty::Follow(leader),
        })
    }
}

/// What a shard has to do to follow from one image to a later one, for all its copies. Images in between may have been
/// skipped.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Duties {
    /// Copies that it no longer has, to be seen to first.
    pub close: Vec<Closed>,
    /// Copies that are new to it, or of which the partition's record changed: another term, duty or in-sync set.
    pub take_up: Vec<(Owned, Duty)>,
}

impl Duties {
    /// What changes for `owner` from `old` (nothing, at its start) to `new`. Topics that both images share cost a
    /// comparison of pointers. Changes of configs are [`Delta`](super::Delta)'s.
    pub fn between(old: Option<&Image>, new: &Image, owner: Owner) -> Self {
        let mut duties = Duties::default();
        for topic in old.iter().flat_map(|old| old.topics()) {
            let now = new.topic(topic.record.id);
            if now.is_some_and(|now| Arc::ptr_eq(now, topic)) {
                continue;
            }
            let mine = topic.partitions.iter().filter(|partition| Duty::of(partition, owner).is_some());
            duties.close.extend(mine.filter_map(|partition| closed(partition, now, owner)));
        }
        for topic in new.topics() {
            let before = old.and_then(|old| old.topic(topic.record.id));
            if before.is_some_and(|before| Arc::ptr_eq(before, topic)) {
                continue;
            }
            for partition in &topic.partitions {
                let same = before.and_then(|before| before.partition(partition.index)) == Some(partition);
                if let Some(duty) = Duty::of(partition, owner).filter(|_| !same) {
                    duties.take_up.push((Owned { topic: Arc::clone(topic), index: partition.index }, duty));
                }
            }
        }
        duties
    }
}

fn closed(partition: &PartitionRecord, now: Option<&Arc<Topic>>, owner: Owner) -> Option<Closed> {
    match now.and_then(|now| now.partition(partition.index)) {
        None => Some(Closed::Deleted(partition.id())),
        Some(now) if Duty::of(now, owner).is_none() => Some(Closed::Moved(partition.id())),
        Some(_) => None,
    }
}
