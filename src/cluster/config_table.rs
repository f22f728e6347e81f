//! The topic configs that Kafka 4 knows, as Corelane treats them.

use super::config::ConfigKind::{Boolean, Double, Int, List, Long, Text};
use super::config::Rule::{Fixed, MaxMessageBytes, SegmentBytes};
use super::config::{ConfigKind, Rule, TopicConfigKey};

const fn key(
    name: &'static str,
    kind: ConfigKind,
    default: &'static str,
    rule: Rule,
    doc: &'static str,
) -> TopicConfigKey {
    TopicConfigKey { name, kind, default, rule, doc }
}

/// The longest number that Kafka has, and so its "never".
const NEVER: &str = "9223372036854775807";
const SYNCED: &str = "every record is synced before it is acknowledged";
const NO_COMPACTION: &str = "log compaction is not supported yet";
const KEPT: &str = "records are kept for ever until retention is supported";
const NO_TIERING: &str = "tiered storage is not supported yet";
const AS_PRODUCED: &str = "batches are stored as the producer compressed them";
const NO_THROTTLE: &str = "replication throttles are not supported yet";
const ANY_TIMESTAMP: &str = "producers' timestamps are stored as they come";

/// All topic configs, in order of their names.
pub(super) const TOPIC_CONFIGS: [TopicConfigKey; 35] = [
    key("cleanup.policy", List, "delete", Fixed(&[], NO_COMPACTION), "What happens to old segments."),
    key("compression.gzip.level", Int, "-1", Fixed(&[], AS_PRODUCED), "Level where the broker compresses."),
    key("compression.lz4.level", Int, "9", Fixed(&[], AS_PRODUCED), "Level where the broker compresses."),
    key("compression.type", Text, "producer", Fixed(&[], AS_PRODUCED), "The codec of stored batches."),
    key("compression.zstd.level", Int, "3", Fixed(&[], AS_PRODUCED), "Level where the broker compresses."),
    key("delete.retention.ms", Long, "86400000", Fixed(&[], NO_COMPACTION), "How long tombstones stay."),
    key(
        "file.delete.delay.ms",
        Long,
        "60000",
        Fixed(&[], "a deleted topic's files go at once"),
        "How long a deleted file stays.",
    ),
    key("flush.messages", Long, NEVER, Fixed(&["1"], SYNCED), "Records between two syncs."),
    key("flush.ms", Long, NEVER, Fixed(&["1"], SYNCED), "Time between two syncs, in ms."),
    key(
        "follower.replication.throttled.replicas",
        List,
        "",
        Fixed(&[], NO_THROTTLE),
        "Replicas that fetch at a limited rate.",
    ),
    key(
        "index.interval.bytes",
        Int,
        "4096",
        Fixed(&[], "the interval of index entries is fixed"),
        "Bytes between two entries of a segment's index.",
    ),
    key(
        "leader.replication.throttled.replicas",
        List,
        "",
        Fixed(&[], NO_THROTTLE),
        "Replicas that serve followers at a limited rate.",
    ),
    key("local.retention.bytes", Long, "-2", Fixed(&[], NO_TIERING), "Bytes of a partition kept locally."),
    key("local.retention.ms", Long, "-2", Fixed(&[], NO_TIERING), "How long records are kept locally."),
    key("max.compaction.lag.ms", Long, NEVER, Fixed(&[], NO_COMPACTION), "Longest wait for compaction."),
    key(
        "max.message.bytes",
        Int,
        "1048588",
        MaxMessageBytes,
        "The largest record batch that the topic takes, as the producer compressed it.",
    ),
    key(
        "message.timestamp.after.max.ms",
        Long,
        NEVER,
        Fixed(&[], ANY_TIMESTAMP),
        "How far in the future a record's timestamp may lie.",
    ),
    key(
        "message.timestamp.before.max.ms",
        Long,
        NEVER,
        Fixed(&[], ANY_TIMESTAMP),
        "How far in the past a record's timestamp may lie.",
    ),
    key(
        "message.timestamp.type",
        Text,
        "CreateTime",
        Fixed(&[], "LogAppendTime is not supported yet"),
        "Whose clock gives records their timestamps.",
    ),
    key("min.cleanable.dirty.ratio", Double, "0.5", Fixed(&[], NO_COMPACTION), "When compaction pays."),
    key("min.compaction.lag.ms", Long, "0", Fixed(&[], NO_COMPACTION), "Shortest wait for compaction."),
    key(
        "min.insync.replicas",
        Int,
        "1",
        Fixed(&[], "a single node has one replica of each partition"),
        "Replicas that must have a record before acks=all is answered.",
    ),
    key(
        "preallocate",
        Boolean,
        "false",
        Fixed(&[], "segments get their space in steps"),
        "Whether a new segment gets its whole space at once.",
    ),
    key("remote.copy.lag.bytes", Long, "0", Fixed(&[], NO_TIERING), "Bytes that are not copied out yet."),
    key("remote.copy.lag.ms", Long, "0", Fixed(&[], NO_TIERING), "How long records are not copied out."),
    key("remote.log.copy.disable", Boolean, "false", Fixed(&[], NO_TIERING), "Whether copying out stops."),
    key(
        "remote.log.delete.on.disable",
        Boolean,
        "false",
        Fixed(&[], NO_TIERING),
        "Whether turning tiered storage off deletes what was copied out.",
    ),
    key("remote.storage.enable", Boolean, "false", Fixed(&[], NO_TIERING), "Whether storage is tiered."),
    key("retention.bytes", Long, "-1", Fixed(&[], KEPT), "Bytes of a partition kept; -1: all."),
    key("retention.ms", Long, "-1", Fixed(&[], KEPT), "How long records are kept; -1: for ever."),
    key("segment.bytes", Int, "1073741824", SegmentBytes, "The length at which a segment is sealed."),
    key(
        "segment.index.bytes",
        Int,
        "10485760",
        Fixed(&[], "indexes are as large as their segments need"),
        "The largest index of a segment.",
    ),
    key(
        "segment.jitter.ms",
        Long,
        "0",
        Fixed(&[], "segments are sealed by length alone"),
        "Random part of segment.ms.",
    ),
    key(
        "segment.ms",
        Long,
        "604800000",
        Fixed(&[], "segments are sealed by length alone"),
        "The age at which a segment is sealed.",
    ),
    key(
        "unclean.leader.election.enable",
        Boolean,
        "false",
        Fixed(&[], "a replica that is not in sync never leads"),
        "Whether a replica that is not in sync may lead.",
    ),
];
