//! The topic configs that Kafka 4 knows, as Corelane treats them.

use super::key::Rule::{Fixed, Flush, Fraction, MaxMessageBytes, OneOf, Range, Rate, SomeOf};
use super::key::{ConfigKey, Rule};
use super::kind::ConfigKind::{self, Boolean, Double, Int, List, Long, Text};
use crate::base::limits::{
    COMPACTION_MEMORY_BYTES_MAX, REPLICAS_PER_PARTITION_MAX, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN,
};

/// A config with its default and, if brokers can set that for their topics, their name for it.
const fn key(
    (name, broker_name): (&'static str, &'static str),
    kind: ConfigKind,
    default: &'static str,
    rule: Rule,
    doc: &'static str,
) -> ConfigKey {
    let broker_name = if broker_name.is_empty() { None } else { Some(broker_name) };
    ConfigKey { name, broker_name, kind, default, rule, doc }
}

/// The longest number that Kafka has, and so its "never".
const NEVER: &str = "9223372036854775807";
const NO_TIERING: &str = "tiered storage is not supported yet";
const DEFAULT_LEVEL: &str = "the broker compresses at each codec's default level";
const NO_THROTTLE: &str = "replication throttles are not supported yet";
/// `producer` and the names of codecs.
const CODECS: &[&str] = &["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"];

/// All topic configs, in order of their names.
static TOPIC_CONFIGS: [ConfigKey; 35] = [
    key(
        ("cleanup.policy", "log.cleanup.policy"),
        List,
        "delete",
        SomeOf(&["compact", "delete"]),
        "What happens to old records: delete by age and size, compact by key, or both.",
    ),
    key(
        ("compression.gzip.level", "compression.gzip.level"),
        Int,
        "-1",
        Fixed(&[], DEFAULT_LEVEL),
        "Level at which the broker compresses.",
    ),
    key(
        ("compression.lz4.level", "compression.lz4.level"),
        Int,
        "9",
        Fixed(&[], DEFAULT_LEVEL),
        "Level at which the broker compresses.",
    ),
    key(
        ("compression.type", "compression.type"),
        Text,
        "producer",
        OneOf(CODECS),
        "The codec of stored batches; producer: the one that they came with.",
    ),
    key(
        ("compression.zstd.level", "compression.zstd.level"),
        Int,
        "3",
        Fixed(&[], DEFAULT_LEVEL),
        "Level at which the broker compresses.",
    ),
    key(
        ("delete.retention.ms", "log.cleaner.delete.retention.ms"),
        Long,
        "86400000",
        Range(0, i64::MAX),
        "How long tombstones stay after compaction has first seen them, in ms.",
    ),
    key(
        ("file.delete.delay.ms", "log.segment.delete.delay.ms"),
        Long,
        "60000",
        Fixed(&[], "a deleted topic's files go at once"),
        "How long a deleted file stays.",
    ),
    key(
        ("flush.messages", "log.flush.interval.messages"),
        Long,
        NEVER,
        Flush(1),
        "Records between two syncs.",
    ),
    key(("flush.ms", "log.flush.interval.ms"), Long, NEVER, Flush(0), "Time between two syncs, in ms."),
    key(
        ("follower.replication.throttled.replicas", ""),
        List,
        "",
        Fixed(&[], NO_THROTTLE),
        "Replicas that fetch at a limited rate.",
    ),
    key(
        ("index.interval.bytes", "log.index.interval.bytes"),
        Int,
        "32768",
        Fixed(&[], "the interval of index entries is fixed"),
        "Bytes between two entries of a segment's index.",
    ),
    key(
        ("leader.replication.throttled.replicas", ""),
        List,
        "",
        Fixed(&[], NO_THROTTLE),
        "Replicas that serve followers at a limited rate.",
    ),
    key(
        ("local.retention.bytes", "log.local.retention.bytes"),
        Long,
        "-2",
        Fixed(&[], NO_TIERING),
        "Bytes of a partition kept locally.",
    ),
    key(
        ("local.retention.ms", "log.local.retention.ms"),
        Long,
        "-2",
        Fixed(&[], NO_TIERING),
        "How long records are kept locally.",
    ),
    key(
        ("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
        Long,
        NEVER,
        Range(1, i64::MAX),
        "How long records wait for compaction at most, in ms.",
    ),
    key(
        ("max.message.bytes", "message.max.bytes"),
        Int,
        "1048588",
        MaxMessageBytes,
        "The largest record batch that a topic takes, as the producer compressed it.",
    ),
    key(
        ("message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms"),
        Long,
        "3600000",
        Range(0, i64::MAX),
        "How far in the future a record's timestamp may lie, in ms.",
    ),
    key(
        ("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms"),
        Long,
        NEVER,
        Range(0, i64::MAX),
        "How far in the past a record's timestamp may lie, in ms.",
    ),
    key(
        ("message.timestamp.type", "log.message.timestamp.type"),
        Text,
        "CreateTime",
        OneOf(&["CreateTime", "LogAppendTime"]),
        "Whose clock gives records their timestamps.",
    ),
    key(
        ("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio"),
        Double,
        "0.5",
        Fraction,
        "The part of a log that must be new to compaction for it to begin.",
    ),
    key(
        ("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms"),
        Long,
        "0",
        Range(0, i64::MAX),
        "How old records must be to be compacted, in ms.",
    ),
    key(
        ("min.insync.replicas", "min.insync.replicas"),
        Int,
        "1",
        Range(1, REPLICAS_PER_PARTITION_MAX as i64),
        "Replicas that must have a record before acks=all is answered.",
    ),
    key(
        ("preallocate", "log.preallocate"),
        Boolean,
        "false",
        Fixed(&[], "segments get their space in steps"),
        "Whether a new segment gets its whole space at once.",
    ),
    key(
        ("remote.copy.lag.bytes", ""),
        Long,
        "0",
        Fixed(&[], NO_TIERING),
        "Bytes that are not copied out yet.",
    ),
    key(
        ("remote.copy.lag.ms", ""),
        Long,
        "0",
        Fixed(&[], NO_TIERING),
        "How long records are not copied out.",
    ),
    key(
        ("remote.log.copy.disable", ""),
        Boolean,
        "false",
        Fixed(&[], NO_TIERING),
        "Whether copying out stops.",
    ),
    key(
        ("remote.log.delete.on.disable", ""),
        Boolean,
        "false",
        Fixed(&[], NO_TIERING),
        "Whether turning tiered storage off deletes what was copied out.",
    ),
    key(
        ("remote.storage.enable", ""),
        Boolean,
        "false",
        Fixed(&[], NO_TIERING),
        "Whether storage is tiered.",
    ),
    key(
        ("retention.bytes", "log.retention.bytes"),
        Long,
        "-1",
        Range(-1, i64::MAX),
        "Bytes of a partition that are kept; -1: all.",
    ),
    key(
        ("retention.ms", "log.retention.ms"),
        Long,
        "604800000",
        Range(-1, i64::MAX),
        "How long records are kept, in ms; -1: for ever.",
    ),
    key(
        ("segment.bytes", "log.segment.bytes"),
        Int,
        "1073741824",
        Range(SEGMENT_BYTES_MIN as i64, SEGMENT_BYTES_MAX as i64),
        "The length at which a segment is sealed.",
    ),
    key(
        ("segment.index.bytes", "log.index.size.max.bytes"),
        Int,
        "10485760",
        Fixed(&[], "indexes are as large as their segments need"),
        "The largest index of a segment.",
    ),
    key(
        ("segment.jitter.ms", "log.roll.jitter.ms"),
        Long,
        "0",
        Fixed(&[], "segments are sealed at the age that segment.ms says"),
        "Random part of segment.ms.",
    ),
    key(
        ("segment.ms", "log.roll.ms"),
        Long,
        "604800000",
        Range(1, i64::MAX),
        "The age at which a segment is sealed, in ms.",
    ),
    key(
        ("unclean.leader.election.enable", "unclean.leader.election.enable"),
        Boolean,
        "false",
        Fixed(&[], "a replica that is not in sync never leads"),
        "Whether a replica that is not in sync may lead.",
    ),
];

/// Configs of brokers that topics know nothing of, and that can be set while a broker runs.
static BROKER_CONFIGS: [ConfigKey; 4] = [
    key(
        (CLEANER_BACKOFF, CLEANER_BACKOFF),
        Long,
        "15000",
        Range(1, 1_000_000_000_000),
        "How often compaction looks for something to do, in ms.",
    ),
    key(
        (CLEANER_DEDUPE_BUFFER, CLEANER_DEDUPE_BUFFER),
        Long,
        "134217728",
        Range(1 << 20, COMPACTION_MEMORY_BYTES_MAX as i64),
        "Memory for the keys of a pass of compaction, for each shard; at most 2.5 % of its part of memory.",
    ),
    key(
        (CLEANER_IO_BYTES, CLEANER_IO_BYTES),
        Double,
        "33554432",
        Rate,
        "Bytes that compaction reads and writes in a second at most, for each shard.",
    ),
    key(
        (PRODUCER_ID_EXPIRATION, PRODUCER_ID_EXPIRATION),
        Int,
        "86400000",
        Range(1, i32::MAX as i64),
        "How long a partition remembers an idempotent producer that appends nothing, in ms.",
    ),
];

/// See [`BROKER_CONFIGS`].
pub(super) const CLEANER_BACKOFF: &str = "log.cleaner.backoff.ms";
/// See [`BROKER_CONFIGS`].
pub(super) const CLEANER_DEDUPE_BUFFER: &str = "log.cleaner.dedupe.buffer.size";
/// See [`BROKER_CONFIGS`].
pub(super) const CLEANER_IO_BYTES: &str = "log.cleaner.io.max.bytes.per.second";
/// See [`BROKER_CONFIGS`].
pub(super) const PRODUCER_ID_EXPIRATION: &str = "producer.id.expiration.ms";

/// All configs that can be set for brokers while they run: the defaults of topics, and those that are brokers' own.
pub(super) fn broker_config_keys() -> impl Iterator<Item = &'static ConfigKey> {
    TOPIC_CONFIGS.iter().filter(|key| key.broker_name.is_some()).chain(&BROKER_CONFIGS)
}

/// All configs that a topic can have, in order of their names.
pub fn topic_config_keys() -> &'static [ConfigKey] {
    &TOPIC_CONFIGS
}

/// The topic config of that name.
pub(super) fn topic_key(name: &str) -> Option<&'static ConfigKey> {
    TOPIC_CONFIGS.binary_search_by(|key| key.name.cmp(name)).ok().map(|at| &TOPIC_CONFIGS[at])
}

/// The config that brokers call by that name.
pub(super) fn broker_key(name: &str) -> Option<&'static ConfigKey> {
    broker_config_keys().find(|key| key.broker_name == Some(name))
}
