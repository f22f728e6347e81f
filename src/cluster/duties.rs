//! What a shard has to do for the copies that it has: lead or follow.

use std::sync::Arc;

use super::delta::{Closed, Owned};
use super::image::{Image, Topic};
use super::records::{Owner, PartitionRecord};
use crate::base::planted::{Bug, is_planted};

/// A shard at one start of its node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holder {
    /// The shard.
    pub owner: Owner,
    /// The epoch of the node's registration at this start; 0 for a node on its own, which nobody registers.
    pub registration_epoch: u64,
}

impl Holder {
    /// Whether terms in this image are this start's to lead in. Those of an image that does not know of the start yet, or
    /// has it as fenced, were granted to the start before it, which may have sent what is not in the log here: one that
    /// led on in them would put other records at the same offsets.
    fn may_lead(&self, image: &Image) -> bool {
        let record = image.node(self.owner.node);
        let is_known =
            record.is_some_and(|it| it.registration_epoch == self.registration_epoch && !it.fenced);
        is_known || is_planted(Bug::ControllerLeadUnknown) || is_planted(Bug::ReplicationKeepEpoch)
    }
}

/// What a shard is to do with its copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    /// Serve clients, and send to the other copies.
    Lead,
    /// Take what this shard sends; `None` while there is no leader, or only an earlier start of this very node.
    Follow(Option<Owner>),
}

impl Duty {
    /// The duty of a shard in a partition of the image, if it has a copy.
    pub fn of(image: &Image, partition: &PartitionRecord, holder: Holder) -> Option<Self> {
        Duty::granted(partition, holder.owner, holder.may_lead(image))
    }

    fn granted(partition: &PartitionRecord, owner: Owner, may_lead: bool) -> Option<Self> {
        has_copy(partition, owner).then(|| match partition.owner() {
            Some(leader) if leader == owner && may_lead => Duty::Lead,
            leader => Duty::Follow(leader.filter(|leader| *leader != owner)),
        })
    }
}

fn has_copy(partition: &PartitionRecord, owner: Owner) -> bool {
    partition.replica(owner.node).is_some_and(|replica| replica.shard == owner.shard)
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
    /// What changes for `holder` from `old` (nothing, at its start) to `new`. Topics that both images share cost a
    /// comparison of pointers, unless the node's own registration has changed. Changes of configs are
    /// [`Delta`](super::Delta)'s.
    pub fn between(old: Option<&Image>, new: &Image, holder: Holder) -> Self {
        let owner = holder.owner;
        let (might_lead, may_lead) = (old.is_some_and(|old| holder.may_lead(old)), holder.may_lead(new));
        let mut duties = Duties::default();
        for topic in old.iter().flat_map(|old| old.topics()) {
            let now = new.topic(topic.record.id);
            if now.is_some_and(|now| Arc::ptr_eq(now, topic)) {
                continue;
            }
            let mine = topic.partitions.iter().filter(|partition| has_copy(partition, owner));
            duties.close.extend(mine.filter_map(|partition| closed(partition, now, owner)));
        }
        for topic in new.topics() {
            let before = old.and_then(|old| old.topic(topic.record.id));
            if might_lead == may_lead && before.is_some_and(|before| Arc::ptr_eq(before, topic)) {
                continue;
            }
            for partition in &topic.partitions {
                let is_known = before.and_then(|before| before.partition(partition.index)) == Some(partition);
                let former = is_known.then(|| Duty::granted(partition, owner, might_lead)).flatten();
                let duty = Duty::granted(partition, owner, may_lead);
                if let Some(duty) = duty.filter(|duty| former != Some(*duty)) {
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
        Some(now) if !has_copy(now, owner) => Some(Closed::Moved(partition.id())),
        Some(_) => None,
    }
}
