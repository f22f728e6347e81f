//! Commands on an image: what they refuse, and in whose words.

use std::collections::HashSet;
use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::base::ids::{NodeId, PartitionId, ShardId, TopicId};
use crate::config::Advertise;
use crate::protocol::batch::Compression;

pub(super) const NODE: NodeId = NodeId(1);
pub(super) const DISK: DiskId = DiskId(Uuid::from_u128(0xd15c));

pub(super) fn empty() -> Image {
    Image::new(ClusterRecord {
        format_version: METADATA_FORMAT_VERSION,
        cluster_id: KafkaUuid(Uuid::from_u128(1)),
    })
}

pub(super) fn placing(shards: u16, advertise: Advertise) -> Placing {
    Placing {
        node: NODE,
        disk: DISK,
        shards,
        advertise,
        num_partitions: 3,
        default_replication_factor: 1,
        replicas_max: crate::base::limits::REPLICAS_PER_PARTITION_MAX,
        defaults: TopicDefaults::default(),
    }
}

pub(super) fn topic(name: &str, num_partitions: i32) -> NewTopic {
    NewTopic { num_partitions, ..NewTopic::with_defaults(name) }
}

fn config(key: &str, value: &str) -> NewTopic {
    let configs = vec![(key.to_owned(), Some(value.to_owned()))];
    NewTopic { configs, ..NewTopic::with_defaults("t") }
}

fn assign(places: &[(i32, &[i32])]) -> NewTopic {
    let assignments = places
        .iter()
        .map(|(index, brokers)| ReplicaAssignment { index: *index, broker_ids: brokers.to_vec() })
        .collect();
    NewTopic { assignments, ..NewTopic::with_defaults("t") }
}

/// Ids from a counter, as random ones are: each new.
pub(super) fn ids() -> impl FnMut() -> TopicId {
    let mut last = 0u128;
    move || {
        last += 1;
        TopicId(Uuid::from_u128(last))
    }
}

fn create_on(
    image: &Image,
    new: &[NewTopic],
    placing: &Placing,
) -> (Image, Vec<Result<CreatedTopic, ClusterError>>) {
    let mut draft = Draft::of(image);
    let mut id = Uuid::from_u128(image.topics().len() as u128 + 1000).as_u128();
    let mut next = || {
        id += 1;
        TopicId(Uuid::from_u128(id))
    };
    let results = create_topics(&mut draft, new, placing, 7, &mut next);
    (draft.finish(), results)
}

fn refusal(new: NewTopic) -> ClusterError {
    let (image, mut results) = create_on(&empty(), &[new], &placing(2, Advertise::Shard));
    assert_eq!(image.topics().len(), 0, "a refusal leaves nothing behind");
    results.remove(0).expect_err("refused")
}

#[test]
fn topics_get_defaults_and_balanced_shards() {
    let (image, results) =
        create_on(&empty(), &[topic("a", -1), topic("b", 4), topic("c", 1)], &placing(4, Advertise::Shard));
    let counts: Vec<i32> = results.iter().map(|result| result.as_ref().unwrap().num_partitions).collect();
    assert_eq!(counts, [3, 4, 1]);
    for shard in 0..4 {
        assert_eq!(image.partitions_of(Owner { node: NODE, shard: ShardId(shard) }).count(), 2);
    }
    let a = image.topic_named("a").unwrap();
    assert_eq!((a.record.created_ms, a.record.internal), (7, false));
    assert_eq!(image.topic(a.record.id).unwrap(), a);
    assert_eq!(image.partition(PartitionId { topic: a.record.id, index: 2 }).unwrap().leader_epoch, 0);
    assert_eq!(image.partition(PartitionId { topic: a.record.id, index: 3 }), None);
    assert_eq!(image.partition(PartitionId { topic: a.record.id, index: -1 }), None);
}

#[test]
fn a_name_is_taken_once_and_must_not_collide() {
    let placing = placing(1, Advertise::Shard);
    let (image, results) =
        create_on(&empty(), &[topic("a.b", 1), topic("a.b", 1), topic("a_b", 1)], &placing);
    assert!(results[0].is_ok());
    assert_eq!(results[1], Err(ClusterError::TopicExists("a.b".into())));
    assert_eq!(results[1].as_ref().unwrap_err().to_string(), "Topic 'a.b' already exists.");
    let collision = ClusterError::InvalidName("Topic 'a_b' collides with existing topic: a.b".into());
    assert_eq!(results[2], Err(collision));
    assert!(image.topic_named("a.b").is_some() && image.topic_named("a_b").is_none());

    let mut draft = Draft::of(&image);
    let refs = [TopicRef::Name("a_b".into()), TopicRef::Name("a.b".into()), TopicRef::Name("a.b".into())];
    let deleted = delete_topics(&mut draft, &refs);
    assert_eq!(deleted[0], Err(ClusterError::UnknownTopic));
    assert_eq!(deleted[1].as_ref().unwrap().name, "a.b");
    assert_eq!(deleted[2], Err(ClusterError::UnknownTopic));
    assert_eq!(
        delete_topics(&mut draft, &[TopicRef::Id(TopicId::ZERO)]),
        [Err(ClusterError::UnknownTopicId)]
    );
    let (_, results) = create_on(&draft.finish(), &[topic("a_b", 1)], &placing);
    assert!(results[0].is_ok(), "the name is free again");
}

#[test]
fn counts_out_of_bounds_are_refused() {
    for count in [0, -2, i32::MIN] {
        assert!(matches!(refusal(topic("t", count)), ClusterError::InvalidPartitions(_)));
    }
    assert!(matches!(refusal(topic("t", 10_001)), ClusterError::InvalidPartitions(_)));
    assert!(matches!(refusal(topic("t", i32::MAX)), ClusterError::InvalidPartitions(_)));
    for (factor, part) in [(0, "larger than 0"), (-2, "larger than 0"), (3, "replication factor of 1 or -1")]
    {
        let error = refusal(NewTopic { replication_factor: factor, ..topic("t", 1) });
        assert!(
            matches!(&error, ClusterError::InvalidReplicationFactor(why) if why.contains(part)),
            "{error}"
        );
    }
    let (_, results) = create_on(
        &empty(),
        &[topic("a", 6000), topic("b", 6000), topic("c", 4000)],
        &placing(2, Advertise::Shard),
    );
    assert!(matches!(results[1], Err(ClusterError::PolicyViolation(_))));
    assert!(results[0].is_ok() && results[2].is_ok(), "what fits is created");
}

#[test]
fn a_shard_takes_no_more_partitions_than_it_may() {
    let one = placing(1, Advertise::Shard);
    let (image, _) = create_on(&empty(), &[topic("a", 10_000)], &one);
    let (image, results) = create_on(&image, &[topic("b", 9_999)], &one);
    assert!(results[0].is_ok());
    let (_, results) = create_on(&image, &[topic("c", 2), topic("d", 1)], &one);
    assert!(matches!(results[0], Err(ClusterError::PolicyViolation(_))));
    assert!(results[1].is_ok());

    let two = placing(2, Advertise::Shard);
    let (image, _) = create_on(&image, &[topic("e", 9_000)], &two);
    let start = Incarnation { node: NODE, disk: DISK, incarnation: 1, shards: 1 };
    let refused = begin_incarnation(&mut Draft::of(&image), &start);
    assert_eq!(refused, Err(IncarnationError::TooFewShards { partitions: 28_999, shards: 1, needed: 2 }));
}

#[test]
fn manual_assignments_are_honoured() {
    let new = assign(&[(1, &[1001]), (0, &[1001]), (2, &[1000])]);
    let (image, results) = create_on(&empty(), std::slice::from_ref(&new), &placing(2, Advertise::Shard));
    assert_eq!(results[0].as_ref().unwrap().num_partitions, 3);
    let shards: Vec<u16> = image.partitions().map(|partition| partition.owner().unwrap().shard.0).collect();
    assert_eq!(shards, [1, 1, 0]);

    let (image, _) =
        create_on(&empty(), &[assign(&[(0, &[1000]), (1, &[1000])])], &placing(2, Advertise::Node));
    let shards: HashSet<u16> =
        image.partitions().map(|partition| partition.owner().unwrap().shard.0).collect();
    assert_eq!(shards.len(), 2, "in node mode the node spreads what it is given");
    let other = [new, assign(&[(0, &[1])])];
    let (_, results) = create_on(&empty(), &other, &placing(2, Advertise::Node));
    for (result, id) in results.iter().zip([1001, 1]) {
        let part = format!("includes broker {id}, but no such");
        assert!(result.as_ref().unwrap_err().to_string().contains(&part), "nobody is told of such a broker");
    }
}

#[test]
fn manual_assignments_are_checked_as_kafka_checks_them() {
    let cases: [(NewTopic, &str); 8] = [
        (assign(&[(0, &[])]), "empty replica list"),
        (assign(&[(0, &[1002])]), "includes broker 1002, but no such broker is registered"),
        (assign(&[(0, &[-1])]), "includes broker -1, but no such"),
        (assign(&[(0, &[i32::MIN])]), "but no such"),
        (assign(&[(0, &[1000, 1000])]), "the broker 1000 more than once"),
        (assign(&[(0, &[1000, 1001])]), "cores of one node"),
        (
            assign(&[(0, &[1000]), (0, &[1000])]),
            "Found multiple manual partition assignments for partition 0",
        ),
        (assign(&[(1, &[1000])]), "consecutive 0-based"),
    ];
    for (new, part) in cases {
        let error = refusal(new);
        assert!(
            matches!(&error, ClusterError::InvalidReplicaAssignment(why) if why.contains(part)),
            "{error}"
        );
    }
    for new in [
        NewTopic { num_partitions: 1, ..assign(&[(0, &[1000])]) },
        NewTopic { replication_factor: 1, ..assign(&[(0, &[1000])]) },
    ] {
        assert!(matches!(refusal(new), ClusterError::InvalidRequest(_)));
    }
}

#[test]
fn configs_are_obeyed_or_refused() {
    for (key, value) in [
        ("retention.ms", "-1"),
        ("retention.ms", "604800000"),
        ("compression.type", "zstd"),
        ("message.timestamp.type", "LogAppendTime"),
        ("max.message.bytes", "10485760"),
        ("flush.messages", "1"),
        ("flush.ms", "9223372036854775807"),
        ("segment.bytes", " 1048576 "),
        ("max.message.bytes", "1000"),
        ("min.cleanable.dirty.ratio", "0.50"),
        ("preallocate", "FALSE"),
        ("cleanup.policy", "delete"),
        ("cleanup.policy", "compact"),
        ("cleanup.policy", "compact, delete"),
        ("min.cleanable.dirty.ratio", "0"),
        ("max.compaction.lag.ms", "1"),
    ] {
        let (_, results) = create_on(&empty(), &[config(key, value)], &placing(1, Advertise::Shard));
        assert_eq!(results[0].as_ref().unwrap().configs[key], value.trim());
    }
    for (key, value, part) in [
        ("retention.ms", "-2", "Value must be at least -1"),
        ("compression.type", "brotli", "String must be one of: uncompressed, zstd"),
        ("message.timestamp.type", "logappendtime", "one of: CreateTime, LogAppendTime"),
        ("compression.gzip.level", "5", "leave it unset or set it to -1"),
        ("cleanup.policy", "compact,keep", "Each must be one of: compact, delete"),
        ("cleanup.policy", "", "Each must be one of: compact, delete"),
        ("min.cleanable.dirty.ratio", "1.1", "from 0 to 1"),
        ("min.cleanable.dirty.ratio", "NaN", "from 0 to 1"),
        ("max.compaction.lag.ms", "0", "at least 1"),
        ("min.insync.replicas", "0", "from 1 to 16"),
        ("max.message.bytes", "15728641", "need more memory for each shard"),
        ("segment.bytes", "14", "from 1048576 to 2147483647"),
        ("segment.bytes", "soon", "Not a number of type INT"),
        ("retention.ms", "1e3", "Not a number of type LONG"),
        ("preallocate", "yes", "either true or false"),
        ("retention.mss", "1", "did you mean retention.ms?"),
        ("x", "1", "Unknown topic config name: x"),
    ] {
        let error = refusal(config(key, value));
        assert!(matches!(&error, ClusterError::InvalidConfig(why) if why.contains(part)), "{error}");
    }
    let null = NewTopic { configs: vec![("retention.ms".into(), None)], ..topic("t", 1) };
    assert_eq!(refusal(null).to_string(), "Null value not supported for topic configs: retention.ms");
}

#[test]
fn the_config_table_is_sound() {
    let names: Vec<&str> = topic_config_keys().iter().map(|key| key.name).collect();
    assert!(names.is_sorted(), "look-ups are binary searches");
    for key in topic_config_keys() {
        let (_, results) =
            create_on(&empty(), &[config(key.name, key.default)], &placing(1, Advertise::Shard));
        assert!(results[0].is_ok(), "{} takes its own default", key.name);
    }
}

#[test]
fn a_config_comes_from_the_strongest_place_that_sets_it() {
    let set = |pairs: &[(&str, &str)]| -> Configs {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let values = [("log.retention.ms", "5".to_owned()), ("log.roll.ms", "604800000".to_owned())];
    let mut defaults = TopicDefaults::of_configuration(values, 5000);
    let topic = set(&[("segment.bytes", "2000000"), ("compression.type", "zstd")]);
    let find = |topic: &Configs, defaults: &TopicDefaults, name: &str| {
        let config = effective_configs(topic, defaults).into_iter().find(|config| config.name == name);
        let config = config.expect("a known config");
        let synonyms: Vec<_> = config.synonyms.iter().map(|synonym| (synonym.name, synonym.source)).collect();
        (config.value, config.source, synonyms)
    };
    let retention = "log.retention.ms";
    assert_eq!(find(&topic, &defaults, "segment.bytes").1, ConfigSource::Topic);
    assert_eq!(find(&topic, &defaults, "segment.ms").1, ConfigSource::Default, "set to Kafka's default");
    assert_eq!(
        find(&topic, &defaults, "retention.ms"),
        (
            "5".to_owned(),
            ConfigSource::Static,
            vec![(retention, ConfigSource::Static), (retention, ConfigSource::Default)]
        )
    );
    let settings = topic_settings(&topic, &defaults);
    assert_eq!((settings.max_message_bytes, settings.segment_bytes), (5000, 2_000_000));
    assert_eq!((settings.retention_ms, settings.retention_bytes), (Some(5), None));
    assert_eq!((settings.compression, settings.unsynced_records_max), (Some(Compression::Zstd), None));

    defaults.cluster = Arc::new(set(&[(retention, "6")]));
    assert_eq!(topic_settings(&topic, &defaults).retention_ms, Some(6));
    defaults.broker = Arc::new(set(&[(retention, "-1"), ("compression.type", "lz4")]));
    assert_eq!(topic_settings(&topic, &defaults).retention_ms, None);
    assert_eq!(topic_settings(&topic, &defaults).compression, Some(Compression::Zstd));
    assert_eq!(topic_settings(&Configs::new(), &defaults).compression, Some(Compression::Lz4));
    let (value, source, synonyms) = find(&set(&[("retention.ms", "7")]), &defaults, "retention.ms");
    assert_eq!((value.as_str(), source), ("7", ConfigSource::Topic));
    let sources: Vec<ConfigSource> = synonyms.iter().map(|(_, source)| *source).collect();
    assert!(synonyms[0].0 == "retention.ms" && sources.is_sorted() && sources.len() == 5);
}

#[test]
fn an_image_is_not_made_of_records_that_disagree() {
    let (image, _) = create_on(&empty(), &[topic("a", 2)], &placing(1, Advertise::Shard));
    let a = Record::Topic(image.topic_named("a").unwrap().record.clone());
    let partitions: Vec<PartitionRecord> = image.partitions().cloned().collect();
    let load = |records: Vec<Record>| Image::from_records(image.cluster().clone(), records.into_iter());
    let put = |partition: &PartitionRecord| Record::Partition(partition.clone());

    assert!(load(vec![a.clone(), put(&partitions[0]), put(&partitions[1])]).is_ok());
    assert!(load(vec![put(&partitions[0])]).is_err(), "no topic");
    assert!(load(vec![a.clone(), put(&partitions[1])]).is_err(), "a gap");
    let mut other = image.topic_named("a").unwrap().record.clone();
    other.id = TopicId::ZERO;
    assert!(load(vec![a.clone(), Record::Topic(other)]).is_err(), "one name twice");
    let stranger = PartitionRecord { leader: Some(NodeId(9)), ..partitions[0].clone() };
    assert!(load(vec![a.clone(), put(&stranger)]).is_err(), "a leader without a replica");
    let negative = PartitionRecord { leader_epoch: -1, ..partitions[0].clone() };
    assert!(load(vec![a, put(&negative)]).is_err(), "a negative epoch");
}

#[test]
fn an_old_copy_or_another_disk_begins_no_incarnation() {
    let start = Incarnation { node: NODE, disk: DISK, incarnation: 5, shards: 1 };
    let mut draft = Draft::of(&empty());
    assert_eq!(begin_incarnation(&mut draft, &start), Ok(()));
    assert!(matches!(begin_incarnation(&mut draft, &start), Err(IncarnationError::Stale { .. })));
    let other = Incarnation { disk: DiskId(Uuid::nil()), incarnation: 6, ..start };
    assert!(matches!(begin_incarnation(&mut draft, &other), Err(IncarnationError::OtherDisk { .. })));
}

#[test]
fn a_start_that_was_registered_in_part_is_followed_by_a_whole_one() {
    let start = |incarnation, shards| Incarnation { node: NODE, disk: DISK, incarnation, shards };
    let mut draft = Draft::of(&empty());
    begin_incarnation(&mut draft, &start(1, 2)).unwrap();
    let (image, _) = create_on(&draft.finish(), &[topic("e", 12)], &placing(2, Advertise::Shard));
    let mut cut_off = Draft::of(&image);
    begin_incarnation(&mut cut_off, &start(2, 4)).unwrap();
    let changes = cut_off.changes();
    assert!(matches!(changes.last(), Some(Change::Put(Record::Node(_)))), "without it nothing has happened");
    for count in 0..changes.len() {
        let mut partial = image.clone();
        changes[..count].iter().for_each(|change| partial.apply(change));
        for shards in [1, 2, 4] {
            let mut draft = Draft::of(&partial);
            begin_incarnation(&mut draft, &start(2, shards)).unwrap();
            let whole = draft.finish();
            assert_eq!(whole.node(NODE).unwrap().shards, shards);
            for (after, before) in whole.partitions().zip(partial.partitions()) {
                assert!(after.owner().expect("led").shard.0 < shards, "a shard that is there");
                assert!(after.leader_epoch > before.leader_epoch);
            }
        }
    }
}

#[test]
fn producer_ids_are_given_once_and_run_out_without_a_panic() {
    let mut draft = Draft::of(&empty());
    assert_eq!(draft.allocate_producer_ids(), Some(ProducerIdBlock { first: 0, count: 1000 }));
    assert_eq!(draft.allocate_producer_ids(), Some(ProducerIdBlock { first: 1000, count: 1000 }));
    let last = Record::ProducerIds(ProducerIdsRecord { next_producer_id: i64::MAX - 5 });
    let full = Image::from_records(empty().cluster().clone(), [last].into_iter()).unwrap();
    assert_eq!(Draft::of(&full).allocate_producer_ids(), None);
}
