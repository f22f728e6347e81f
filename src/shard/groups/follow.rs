//! Groups follow the metadata: partitions that the shard leads are taken up, and what was deleted is let go of.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::ask::OFFSETS_TOPIC;
use crate::base::ids::{LeaderEpoch, PartitionId, TopicId};
use crate::cluster::Image;
use crate::shard::shard::Shard;

impl Shard {
    /// The shard has applied a newer image than `before`.
    pub(in crate::shard) fn follow_groups(self: &Rc<Self>, before: &Image) {
        let image = self.image();
        let is_gone = |id: TopicId| image.topic(id).is_none();
        let deleted = before.topics().filter(|topic| is_gone(topic.record.id));
        let deleted: BTreeSet<String> = deleted.map(|topic| topic.record.name.clone()).collect();
        if !deleted.is_empty() {
            self.groups.step(|core, _| core.forget_topics(deleted));
        }
        self.take_up_groups();
    }

    /// Lets go of all groups and reads them again, as a restart does.
    #[cfg(any(test, feature = "test-support"))]
    pub fn reload_groups(self: &Rc<Self>) {
        self.groups
            .step(|core, _| core.partitions().into_iter().for_each(|partition| core.unload(partition)));
        self.groups.unreadable.borrow_mut().clear();
        self.take_up_groups();
    }

    /// Begins to coordinate what the metadata gives this shard, and ends what it does not give it any more.
    pub(super) fn take_up_groups(self: &Rc<Self>) {
        let image = self.image();
        let topic = image.topic_named(OFFSETS_TOPIC);
        let topic_id = topic.map_or(TopicId::ZERO, |topic| topic.record.id);
        let led: BTreeMap<i32, (PartitionId, LeaderEpoch)> = topic
            .iter()
            .flat_map(|topic| &topic.partitions)
            .filter(|partition| partition.owner() == Some(self.owner()))
            .map(|partition| (partition.index, (partition.id(), partition.leader_epoch)))
            .collect();
        let is_other_topic = self.groups.topic.replace(topic_id) != topic_id;
        if is_other_topic {
            self.groups.wanted.borrow_mut().clear();
        }
        // Images may be passed over: also who leads again may not know what another one has appended meanwhile.
        let read_in = |partition| self.groups.loads.borrow().get(&partition).map(|load| load.leader_epoch);
        let led_in = |partition| led.get(&partition).map(|(_, leader_epoch)| *leader_epoch);
        self.groups.step(|core, _| {
            for partition in core.partitions() {
                if is_other_topic || led_in(partition).is_none() || led_in(partition) != read_in(partition) {
                    core.unload(partition);
                    self.groups.forget_partition(partition);
                }
            }
        });
        for (index, (id, leader_epoch)) in led {
            if self.groups.step(|core, _| core.has_partition(index)) {
                continue;
            }
            let Some(replica) = self.storage.replica(id) else {
                tracing::error!(partition = %id, "the groups of a partition that is offline are out of service");
                continue;
            };
            self.groups.step(|core, _| core.begin_load(index));
            let load = self.groups.new_load(index, leader_epoch);
            self.spawn(Rc::clone(self).load_groups(replica, load));
        }
    }
}
