//! What no sequence of commands may break.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::tests::{DISK, NODE, empty, ids, placing, topic};
use super::*;
use crate::base::ids::{PartitionId, ShardId, TopicId};
use crate::config::Advertise;

/// One command of a random history.
#[derive(Clone, Debug)]
enum Step {
    Create(String, i32),
    Delete(String),
    Extend(String, i32),
    Alter(ConfigResource, i64),
    Restart(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Few names, so that they are reused and collide.
    let step = prop_oneof![
        ("[ab][._][ab]", 1..6i32).prop_map(|(name, count)| Step::Create(name, count)),
        "[ab][._][ab]".prop_map(Step::Delete),
        ("[ab][._][ab]", 1..9i32).prop_map(|(name, count)| Step::Extend(name, count)),
        ("[ab][._][ab]", 1..4i64).prop_map(|(name, ms)| Step::Alter(ConfigResource::Topic(name), ms)),
        (proptest::option::of(1000..1004), 1..4i64)
            .prop_map(|(broker, ms)| Step::Alter(ConfigResource::Broker(broker), ms)),
        (1u16..5).prop_map(Step::Restart),
    ];
    proptest::collection::vec(step, 0..40)
}

/// Sets how long the resource's records are kept.
fn retention(resource: &ConfigResource, ms: i64) -> ConfigAlteration {
    let name = match resource {
        ConfigResource::Topic(_) => "retention.ms",
        ConfigResource::Broker(_) => "log.retention.ms",
    };
    let changes = vec![(name.to_owned(), ConfigChange::Set(ms.to_string()))];
    ConfigAlteration { resource: resource.clone(), replaces_all: false, changes }
}

/// What a shard knows of a partition in an image.
fn known(image: &Image, owned: &Owned) -> (PartitionRecord, TopicSettings) {
    let defaults = TopicDefaults::default().at(image, 1000);
    (owned.partition().clone(), topic_settings(&owned.topic.record.configs, &defaults))
}

/// What a shard has after it followed every delta.
fn follow(open: &mut HashMap<PartitionId, (PartitionRecord, TopicSettings)>, delta: &Delta, image: &Image) {
    for closed in &delta.close {
        let (Closed::Deleted(id) | Closed::Moved(id)) = closed;
        assert!(open.remove(id).is_some(), "only what is open is closed");
    }
    for owned in &delta.open {
        assert!(open.insert(owned.id(), known(image, owned)).is_none(), "opened once");
    }
    for owned in &delta.changed {
        assert!(open.insert(owned.id(), known(image, owned)).is_some(), "changed while open");
    }
}

proptest! {
    #[test]
    fn no_history_breaks_the_invariants(steps in steps(), skip in 1usize..4) {
        let mut new_id = ids();
        let mut shards = 2;
        let mut incarnation = 1;
        let mut image = Arc::new(empty());
        let mut epochs: HashMap<PartitionId, i32> = HashMap::new();
        let mut ever: HashSet<TopicId> = HashSet::new();
        let owner = Owner { node: NODE, shard: ShardId(0) };
        let (mut seen, mut open) = (Arc::clone(&image), HashMap::new());
        for (at, step) in steps.iter().enumerate() {
            let mut draft = Draft::of(&image);
            match step {
                Step::Create(name, count) => {
                    let new = [topic(name, *count)];
                    let results = create_topics(&mut draft, &new, &placing(shards, Advertise::Shard), 0, &mut new_id);
                    if let Ok(created) = &results[0] {
                        prop_assert!(ever.insert(created.id), "an id is never used again");
                    }
                }
                Step::Delete(name) => {
                    delete_topics(&mut draft, &[TopicRef::Name(name.clone())]);
                }
                Step::Extend(name, count) => {
                    let new = NewPartitions { topic: name.clone(), count: *count, assignments: None };
                    let before = image.topic_named(name).map(|topic| topic.partitions.len() as i32);
                    let results = create_partitions(&mut draft, &[new], &placing(shards, Advertise::Shard));
                    prop_assert_eq!(results[0].is_ok(), before.is_some_and(|before| before < *count));
                }
                Step::Alter(resource, ms) => {
                    let placing = placing(shards, Advertise::Shard);
                    let results = alter_configs(&mut draft, &[retention(resource, *ms)], &placing);
                    let exists = match resource {
                        ConfigResource::Topic(name) => image.topic_named(name).is_some(),
                        ConfigResource::Broker(broker) => broker.is_none_or(|broker| broker < 1000 + i32::from(shards)),
                    };
                    prop_assert_eq!(results[0].is_ok(), exists);
                }
                Step::Restart(count) => {
                    incarnation += 1;
                    shards = *count;
                    let start = Incarnation { node: NODE, disk: DISK, incarnation, shards };
                    prop_assert_eq!(begin_incarnation(&mut draft, &start), Ok(()));
                }
            }
            let before = Arc::clone(&image);
            let changes = draft.changes().to_vec();
            image = Arc::new(draft.finish());
            prop_assert_eq!(image.version(), before.version() + 1);

            let names: HashSet<String> = image.topics().map(|topic| topic.record.name.replace('.', "_")).collect();
            prop_assert_eq!(names.len(), image.topics().len());
            for partition in image.partitions() {
                prop_assert!(partition.owner().unwrap().shard.0 < shards);
                let last = epochs.insert(partition.id(), partition.leader_epoch);
                prop_assert!(last.is_none_or(|last| last <= partition.leader_epoch), "epochs never go down");
                let Some(old) = before.partition(partition.id()) else { continue };
                if matches!(step, Step::Restart(_)) || old.owner() != partition.owner() {
                    prop_assert!(old.leader_epoch < partition.leader_epoch);
                }
            }
            // The changes alone, from the store, lead to the same image.
            let mut replayed = (*before).clone();
            changes.iter().for_each(|change| replayed.apply(change));
            replayed.set_version(image.version());
            prop_assert_eq!(&replayed, &*image);

            // A shard that sees only some images still ends with what it owns.
            if at % skip == 0 {
                follow(&mut open, &Delta::between(&seen, &image, owner), &image);
                seen = Arc::clone(&image);
                let mine = Delta::initial(&image, owner).open;
                let mine: HashMap<_, _> = mine.iter().map(|owned| (owned.id(), known(&image, owned))).collect();
                prop_assert_eq!(&open, &mine);
                prop_assert_eq!(image.partitions_of(owner).count(), mine.len());
            }
        }
    }
}
