//! Topic configs: which there are, which values they take, and what they come to.
//!
//! A config that would be stored and not obeyed is worse than one that is refused. So every value is either
//! obeyed, or the one that describes what Corelane does anyway, or an error that names the remedy.

use std::collections::BTreeMap;

use super::config_table::TOPIC_CONFIGS;
use super::error::ClusterError;
use crate::base::limits::{
    MESSAGE_BYTES_DEFAULT, SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN,
};

/// The type of a config as DescribeConfigs gives it (KIP-569).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigKind {
    /// `true` or `false`.
    Boolean,
    /// Any text.
    Text,
    /// A signed number of 32 bits.
    Int,
    /// A signed number of 64 bits.
    Long,
    /// A decimal fraction.
    Double,
    /// Words with commas between them.
    List,
}

/// Which values a config takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// The default and the values named, all of which mean what is done anyway; and why that is so.
    Fixed(&'static [&'static str], &'static str),
    /// Lengths up to the broker's `message.max.bytes`.
    MaxMessageBytes,
    /// Lengths of segments.
    SegmentBytes,
}

/// A topic config that the broker knows.
#[derive(Clone, Copy, Debug)]
pub struct TopicConfigKey {
    /// Its name, Kafka's.
    pub name: &'static str,
    /// Its type.
    pub kind: ConfigKind,
    /// What holds where neither the topic nor the broker says otherwise.
    pub default: &'static str,
    /// What it is for.
    pub doc: &'static str,
    pub(super) rule: Rule,
}

/// The broker's own configs that topics take their defaults from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TopicDefaults {
    /// `message.max.bytes`; also the most that a topic may ask for.
    pub message_max_bytes: u32,
    /// `log.segment.bytes`.
    pub segment_bytes: u32,
}

impl Default for TopicDefaults {
    fn default() -> Self {
        TopicDefaults {
            message_max_bytes: MESSAGE_BYTES_DEFAULT as u32,
            segment_bytes: SEGMENT_BYTES_DEFAULT as u32,
        }
    }
}

/// Where a config's value comes from (Kafka's `ConfigSource`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigSource {
    /// Set on the topic: DYNAMIC_TOPIC_CONFIG.
    Topic,
    /// The broker's configuration: STATIC_BROKER_CONFIG.
    Broker,
    /// Nobody set it: DEFAULT_CONFIG.
    Default,
}

/// A config with the value that holds for a topic.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EffectiveConfig {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: ConfigKind,
    /// The value.
    pub value: String,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// What it is for.
    pub doc: &'static str,
}

/// The configs that change what a shard does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TopicSettings {
    /// The largest batch that the topic takes.
    pub max_message_bytes: u32,
    /// The length at which a segment is sealed.
    pub segment_bytes: u32,
}

/// All configs that a topic can have, in order of their names.
pub fn known_configs() -> &'static [TopicConfigKey] {
    &TOPIC_CONFIGS
}

fn known(name: &str) -> Option<&'static TopicConfigKey> {
    TOPIC_CONFIGS.binary_search_by(|key| key.name.cmp(name)).ok().map(|at| &TOPIC_CONFIGS[at])
}

/// Checks the configs of a new topic and returns them as they are stored. Of two values for one name the later
/// holds, as in Kafka.
pub(super) fn validate_configs(
    configs: &[(String, Option<String>)],
    defaults: &TopicDefaults,
) -> Result<BTreeMap<String, String>, ClusterError> {
    let mut valid = BTreeMap::new();
    for (name, value) in configs {
        let refused = |reason: String| Err(ClusterError::InvalidConfig(reason));
        let Some(key) = known(name) else { return refused(unknown(name)) };
        let Some(value) = value else {
            return refused(format!("Null value not supported for topic configs: {name}"));
        };
        if let Err(reason) = key.check(value.trim(), defaults) {
            return refused(reason);
        }
        valid.insert(name.clone(), value.trim().to_owned());
    }
    Ok(valid)
}

/// What the unknown name may have meant. The name is a client's: only so much of it is compared and shown.
fn unknown(name: &str) -> String {
    let shown: String = name.chars().take(64).collect();
    let nearest = TOPIC_CONFIGS
        .iter()
        .map(|key| (strsim::normalized_damerau_levenshtein(&shown, key.name), key.name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((likeness, nearest)) if likeness > 0.6 => {
            format!("Unknown topic config name: {shown}; did you mean {nearest}?")
        }
        _ => format!("Unknown topic config name: {shown}"),
    }
}

impl TopicConfigKey {
    fn check(&self, value: &str, defaults: &TopicDefaults) -> Result<(), String> {
        let (name, default) = (self.name, self.default);
        let shown: String = value.chars().take(64).collect();
        if let Some(reason) = self.kind.misfit(value) {
            return Err(format!("Invalid value {shown} for configuration {name}: {reason}"));
        }
        let range = |least: u64, most: u64, remedy: &str| match value.parse::<u64>() {
            Ok(bytes) if (least..=most).contains(&bytes) => Ok(()),
            _ => Err(format!(
                "Invalid value {shown} for configuration {name}: Value must be from {least} to {most}{remedy}"
            )),
        };
        match self.rule {
            Rule::Fixed(others, because) => {
                let accepted =
                    self.kind.same(value, default) || others.iter().any(|other| self.kind.same(value, other));
                let default = if default.is_empty() { "nothing" } else { default };
                accepted.then_some(()).ok_or_else(|| {
                    format!(
                        "Invalid value {shown} for configuration {name}: {because}; leave it unset or set it \
                         to {default}"
                    )
                })
            }
            Rule::MaxMessageBytes => {
                let most = u64::from(defaults.message_max_bytes);
                range(0, most, "; raise the broker's message.max.bytes for more")
            }
            Rule::SegmentBytes => range(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX, ""),
        }
    }

    /// What holds for the topic, and because of whom.
    fn effective(
        &self,
        configs: &BTreeMap<String, String>,
        defaults: &TopicDefaults,
    ) -> (String, ConfigSource) {
        if let Some(value) = configs.get(self.name) {
            return (value.clone(), ConfigSource::Topic);
        }
        let value = match self.rule {
            Rule::MaxMessageBytes => defaults.message_max_bytes.to_string(),
            Rule::SegmentBytes => defaults.segment_bytes.to_string(),
            Rule::Fixed(..) => self.default.to_owned(),
        };
        let source = if value == self.default { ConfigSource::Default } else { ConfigSource::Broker };
        (value, source)
    }
}

impl ConfigKind {
    /// What is wrong with a value that is not of this type, in Kafka's words.
    fn misfit(self, value: &str) -> Option<&'static str> {
        let (fits, reason) = match self {
            ConfigKind::Boolean => (
                value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
                "Expected value to be either true or false",
            ),
            ConfigKind::Int => (value.parse::<i32>().is_ok(), "Not a number of type INT"),
            ConfigKind::Long => (value.parse::<i64>().is_ok(), "Not a number of type LONG"),
            ConfigKind::Double => (value.parse::<f64>().is_ok(), "Not a number of type DOUBLE"),
            ConfigKind::Text | ConfigKind::List => (true, ""),
        };
        (!fits).then_some(reason)
    }

    /// Whether two values that parse mean the same.
    fn same(self, a: &str, b: &str) -> bool {
        match self {
            ConfigKind::Boolean => a.eq_ignore_ascii_case(b),
            ConfigKind::Int | ConfigKind::Long => a.parse::<i64>() == b.parse::<i64>(),
            ConfigKind::Double => a.parse::<f64>() == b.parse::<f64>(),
            ConfigKind::Text | ConfigKind::List => a == b,
        }
    }
}

/// What holds for a topic with these configs set, for every config there is, in order of their names.
pub fn effective_configs(
    configs: &BTreeMap<String, String>,
    defaults: &TopicDefaults,
) -> Vec<EffectiveConfig> {
    let effective = TOPIC_CONFIGS.iter().map(|key| {
        let (value, source) = key.effective(configs, defaults);
        EffectiveConfig { name: key.name, kind: key.kind, value, source, doc: key.doc }
    });
    effective.collect()
}

/// What a topic with these configs set asks of its shards. A value beyond what the broker now allows (its
/// configuration may have changed since) counts as the most that it allows.
pub fn topic_settings(configs: &BTreeMap<String, String>, defaults: &TopicDefaults) -> TopicSettings {
    let set = |name: &str| configs.get(name).and_then(|value| value.parse::<u32>().ok());
    TopicSettings {
        max_message_bytes: set("max.message.bytes")
            .unwrap_or(defaults.message_max_bytes)
            .min(defaults.message_max_bytes),
        segment_bytes: set("segment.bytes").unwrap_or(defaults.segment_bytes),
    }
}
