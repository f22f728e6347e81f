//! Where a value comes from that a topic does not set itself: from its broker, in three layers.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use super::table::{
    CLEANER_BACKOFF, CLEANER_DEDUPE_BUFFER, CLEANER_IO_BYTES, PRODUCER_ID_EXPIRATION, broker_config_keys,
    broker_key,
};
use crate::base::ids::BrokerId;
use crate::base::limits::{MESSAGE_BYTES_MAX, PRODUCER_ID_EXPIRATION_MS};
use crate::cluster::Image;

/// Configs that somebody set, by name.
pub type Configs = BTreeMap<String, String>;

/// What holds for the topics of one broker where they say nothing themselves. The layers go by the broker's names
/// of the configs, such as `log.retention.ms` for `retention.ms`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopicDefaults {
    /// Set on this broker while it ran. The strongest layer.
    pub broker: Arc<Configs>,
    /// Set on all brokers while they ran.
    pub cluster: Arc<Configs>,
    /// The broker's configuration, where it is not Kafka's default.
    pub fixed: Arc<Configs>,
    /// The longest batch that the broker's memory and journals take; no config may ask for more.
    pub batch_bytes_max: u32,
    /// `memory.acknowledgement.enable`: whether topics may be set to acknowledge records before they are synced.
    pub memory_acknowledgement: bool,
}

/// How a broker compacts, as far as it can be told while it runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CleanerSettings {
    /// Time between two looks for something to do (`log.cleaner.backoff.ms`).
    pub backoff_ms: u64,
    /// Bytes that are read and written in a second (`log.cleaner.io.max.bytes.per.second`).
    pub bytes_per_second: u64,
    /// Memory for keys (`log.cleaner.dedupe.buffer.size`), in bytes.
    pub key_map_bytes_max: u64,
}

impl Default for TopicDefaults {
    fn default() -> Self {
        let (broker, cluster, fixed) = Default::default();
        let batch_bytes_max = MESSAGE_BYTES_MAX as u32;
        TopicDefaults { broker, cluster, fixed, batch_bytes_max, memory_acknowledgement: false }
    }
}

impl TopicDefaults {
    /// The defaults that a broker's configuration alone makes: the values of its configs by their names. Those that
    /// are Kafka's defaults count as not set.
    pub fn of_configuration(
        values: impl IntoIterator<Item = (&'static str, String)>,
        batch_bytes_max: u32,
    ) -> Self {
        let is_set = |(name, value): &(&'static str, String)| {
            broker_config_keys().any(|key| key.broker_name == Some(name) && key.default != value)
        };
        let set = values.into_iter().filter(is_set).map(|(name, value)| (name.to_owned(), value));
        TopicDefaults { fixed: Arc::new(set.collect()), batch_bytes_max, ..TopicDefaults::default() }
    }

    /// The same with what the image says of the broker and of all brokers.
    pub fn at(&self, image: &Image, broker: BrokerId) -> Self {
        TopicDefaults {
            broker: image.broker_configs(Some(broker)),
            cluster: image.broker_configs(None),
            ..self.clone()
        }
    }

    /// How long the broker's partitions remember an idempotent producer that appends nothing, in ms.
    pub fn producer_id_expiration_ms(&self) -> i64 {
        let set = self.value(PRODUCER_ID_EXPIRATION).and_then(|value| value.parse().ok());
        set.unwrap_or(PRODUCER_ID_EXPIRATION_MS)
    }

    /// How the broker compacts.
    pub fn cleaner(&self) -> CleanerSettings {
        CleanerSettings {
            backoff_ms: self.number(CLEANER_BACKOFF),
            // What is no whole number, or more than there are, comes to the next that is.
            bytes_per_second: self.number::<f64>(CLEANER_IO_BYTES) as u64,
            key_map_bytes_max: self.number(CLEANER_DEDUPE_BUFFER),
        }
    }

    /// A broker's config that is a number: what is set, or its default.
    fn number<T: FromStr>(&self, name: &str) -> T {
        let set = self.value(name).and_then(|value| value.parse().ok());
        set.or_else(|| broker_key(name)?.default.parse().ok()).expect("the table's default is a number")
    }

    /// What the strongest layer that knows the broker's config `name` says of it.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        [&self.broker, &self.cluster, &self.fixed]
            .into_iter()
            .find_map(|layer| layer.get(name))
            .map(String::as_str)
    }
}
