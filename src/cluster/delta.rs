//! What lies between two images for one shard.

use std::sync::Arc;

use super::image::{Image, Topic};
use super::records::{Owner, PartitionRecord};
use crate::base::ids::PartitionId;

/// A partition of which a shard has a copy, with its topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owned {
    /// The topic.
    pub topic: Arc<Topic>,
    /// The partition's index in it.
    pub index: i32,
}

impl Owned {
    /// The partition's identity.
    pub fn id(&self) -> PartitionId {
        self.partition().id()
    }

    /// The partition's record.
    pub fn partition(&self) -> &PartitionRecord {
        self.topic.partition(self.index).expect("made from the topic's partitions")
    }
}

/// Why a shard no longer owns a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closed {
    /// The topic was deleted, and its data goes.
    Deleted(PartitionId),
    /// Another shard owns it now; the data stays.
    Moved(PartitionId),
}

/// What a shard has to do to follow from one image to a later one. Images in between may have been skipped: a
/// topic that was deleted and made anew under its name shows as one closed and one opened.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Delta {
    /// Partitions to close, first.
    pub close: Vec<Closed>,
    /// Partitions to open.
    pub open: Vec<Owned>,
    /// Partitions that stay, with a new epoch, other replicas or other configs, perhaps of the brokers.
    pub changed: Vec<Owned>,
}

impl Delta {
    /// All that `owner` has in `image`, to open.
    pub fn initial(image: &Image, owner: Owner) -> Self {
        let all = image.topics().flat_map(|topic| topic.partitions.iter().map(move |of_it| (topic, of_it)));
        let open = all
            .filter(|(_, partition)| has_copy(partition, owner))
            .map(|(topic, partition)| Owned { topic: Arc::clone(topic), index: partition.index });
        Delta { open: open.collect(), ..Delta::default() }
    }

    /// What changes for `owner` from `old` to `new`. Topics that both images share cost a comparison of
    /// pointers.
    pub fn between(old: &Image, new: &Image, owner: Owner) -> Self {
        let mut delta = Delta::default();
        for topic in old.topics().filter(|topic| new.topic(topic.record.id).is_none()) {
            let mine = topic.partitions.iter().filter(|partition| has_copy(partition, owner));
            delta.close.extend(mine.map(|partition| Closed::Deleted(partition.id())));
        }
        let same_defaults = new.has_broker_configs_of(old);
        for topic in new.topics() {
            match old.topic(topic.record.id) {
                Some(before) if same_defaults && Arc::ptr_eq(before, topic) => {}
                before => delta.compare(before, topic, owner, same_defaults),
            }
        }
        delta
    }

    fn compare(
        &mut self,
        before: Option<&Arc<Topic>>,
        topic: &Arc<Topic>,
        owner: Owner,
        same_defaults: bool,
    ) {
        let same_record = same_defaults && before.is_some_and(|before| before.record == topic.record);
        for partition in &topic.partitions {
            let before = before.and_then(|before| before.partition(partition.index));
            let owned_before = before.is_some_and(|before| has_copy(before, owner));
            let owned = Owned { topic: Arc::clone(topic), index: partition.index };
            match (owned_before, has_copy(partition, owner)) {
                (true, false) => self.close.push(Closed::Moved(partition.id())),
                (false, true) => self.open.push(owned),
                (true, true) if !same_record || before != Some(partition) => self.changed.push(owned),
                (true, true) | (false, false) => {}
            }
        }
    }

    /// Whether the shard has nothing to do.
    pub fn is_empty(&self) -> bool {
        self.close.is_empty() && self.open.is_empty() && self.changed.is_empty()
    }
}

/// Whether a shard has a copy, whoever leads: a node that is fenced keeps what it has.
fn has_copy(partition: &PartitionRecord, owner: Owner) -> bool {
    partition.replica(owner.node).is_some_and(|replica| replica.owner() == owner)
}
