//! What configs come to: numbers and words that the layers above act on.

use super::key::SYNCED_AT_ONCE;
use super::layers::{Configs, TopicDefaults};
use super::table::topic_key;
use crate::cluster::TopicRecord;
use crate::protocol::batch::{Compression, TimestampType};

/// The configs that change what a shard does with a topic, each from the strongest place that sets it: the topic,
/// its broker or all brokers at run time, the broker's configuration, Kafka's default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TopicSettings {
    /// `max.message.bytes`: the largest batch that the topic takes.
    pub max_message_bytes: u32,
    /// `segment.bytes`: the length at which a segment is sealed.
    pub segment_bytes: u32,
    /// `segment.ms`: the age at which a segment is sealed, in ms; at least 1.
    pub segment_ms: i64,
    /// `retention.ms`: how long records are kept, in ms; `None` for ever.
    pub retention_ms: Option<i64>,
    /// `retention.bytes`: bytes of a partition that are kept; `None` for all.
    pub retention_bytes: Option<u64>,
    /// `cleanup.policy`: what happens to old records.
    pub cleanup: CleanupPolicy,
    /// `delete.retention.ms`: how long tombstones stay after compaction has first seen them, in ms.
    pub delete_retention_ms: i64,
    /// `min.cleanable.dirty.ratio` in millionths: compaction waits until more than this part of a log is new to it.
    pub cleanable_dirty_millionths_min: u32,
    /// `min.compaction.lag.ms`: how old records must be that are compacted, in ms.
    pub compaction_lag_ms_min: i64,
    /// `max.compaction.lag.ms`: after which time they are compacted however few they are, in ms.
    pub compaction_lag_ms_max: i64,
    /// `message.timestamp.type`: whose clock records have their timestamps from.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how far a producer's timestamp may lie behind the broker's clock, in ms;
    /// `i64::MAX` is any.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: the same for timestamps ahead of the broker's clock.
    pub timestamp_after_max_ms: i64,
    /// `compression.type`: the codec of stored batches; `None` for `producer`, the one that they came with.
    pub compression: Option<Compression>,
    /// `flush.messages` and `flush.ms`, where a topic sets one of them to ask for less than the default promise and
    /// the broker allows it: records are acknowledged from memory while fewer than this many of the partition's are
    /// not synced. `None`: records are synced before they are acknowledged.
    pub unsynced_records_max: Option<i64>,
    /// `min.insync.replicas`: replicas that must have a record before `acks=all` is answered.
    pub min_in_sync_replicas: u16,
}

/// What happens to old records; both, or perhaps neither.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CleanupPolicy {
    /// `delete`: they go by age and size.
    pub delete: bool,
    /// `compact`: those go of which a later one with their key is known.
    pub compact: bool,
}

impl CleanupPolicy {
    fn of(words: &str) -> Self {
        let has = |wanted| words.split(',').any(|word| word.trim() == wanted);
        CleanupPolicy { delete: has("delete"), compact: has("compact") }
    }
}

impl Default for TopicSettings {
    fn default() -> Self {
        topic_settings(&Configs::new(), &TopicDefaults::default())
    }
}

/// What a topic with these configs set asks of its shards. A length beyond what the broker now takes (its
/// memory may have changed since it was set) counts as the most that it takes.
pub fn topic_settings(configs: &Configs, defaults: &TopicDefaults) -> TopicSettings {
    let values = Values { configs, defaults };
    TopicSettings {
        max_message_bytes: values.number::<u32>("max.message.bytes").min(defaults.batch_bytes_max),
        segment_bytes: values.number("segment.bytes"),
        segment_ms: values.number("segment.ms"),
        retention_ms: Some(values.number("retention.ms")).filter(|ms| *ms >= 0),
        retention_bytes: u64::try_from(values.number::<i64>("retention.bytes")).ok(),
        cleanup: CleanupPolicy::of(values.text("cleanup.policy")),
        delete_retention_ms: values.number("delete.retention.ms"),
        cleanable_dirty_millionths_min: (values.number::<f64>("min.cleanable.dirty.ratio") * 1e6) as u32,
        compaction_lag_ms_min: values.number("min.compaction.lag.ms"),
        compaction_lag_ms_max: values.number("max.compaction.lag.ms"),
        timestamp_type: match values.text("message.timestamp.type") {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        },
        timestamp_before_max_ms: values.number("message.timestamp.before.max.ms"),
        timestamp_after_max_ms: values.number("message.timestamp.after.max.ms"),
        compression: match values.text("compression.type") {
            "uncompressed" => Some(Compression::None),
            "gzip" => Some(Compression::Gzip),
            "snappy" => Some(Compression::Snappy),
            "lz4" => Some(Compression::Lz4),
            "zstd" => Some(Compression::Zstd),
            _ => None,
        },
        unsynced_records_max: values.unsynced_records_max(),
        min_in_sync_replicas: values.number("min.insync.replicas"),
    }
}

/// What a topic asks of its shards. Those that the broker keeps state of its own in never acknowledge from memory.
pub fn settings_of(topic: &TopicRecord, defaults: &TopicDefaults) -> TopicSettings {
    let settings = topic_settings(&topic.configs, defaults);
    if topic.internal { TopicSettings { unsynced_records_max: None, ..settings } } else { settings }
}

struct Values<'a> {
    configs: &'a Configs,
    defaults: &'a TopicDefaults,
}

impl<'a> Values<'a> {
    fn text(&self, name: &str) -> &'a str {
        let key = topic_key(name).expect("a config of the table");
        let set = self.configs.get(name).map(String::as_str);
        set.or_else(|| self.defaults.value(key.broker_name?)).unwrap_or(key.default)
    }

    /// The number that holds. What was stored was checked; by other rules perhaps, so the default is the last resort.
    fn number<T: std::str::FromStr>(&self, name: &str) -> T {
        let parsed = self.text(name).parse().ok();
        parsed.or_else(|| topic_key(name)?.default.parse().ok()).expect("defaults are numbers of their type")
    }
    /// A topic's own wish counts only; Kafka's default counts as one where a topic sets it. The stricter holds.
    fn unsynced_records_max(&self) -> Option<i64> {
        let is_set = self.configs.contains_key("flush.messages") || self.configs.contains_key("flush.ms");
        let (messages, ms) = (self.number::<i64>("flush.messages"), self.number::<i64>("flush.ms"));
        let is_wished = is_set && messages > SYNCED_AT_ONCE && ms > SYNCED_AT_ONCE;
        (is_wished && self.defaults.memory_acknowledgement).then_some(messages)
    }
}
