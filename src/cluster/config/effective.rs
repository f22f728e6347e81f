//! What holds, and because of whom.

use super::key::ConfigKey;
use super::kind::ConfigKind;
use super::layers::{Configs, TopicDefaults};
use super::table::{broker_config_keys, topic_config_keys};

/// Where a config's value comes from (Kafka's `ConfigSource`), the strongest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ConfigSource {
    /// Set on the topic: DYNAMIC_TOPIC_CONFIG.
    Topic,
    /// Set on the broker while it ran: DYNAMIC_BROKER_CONFIG.
    Broker,
    /// Set on all brokers while they ran: DYNAMIC_DEFAULT_BROKER_CONFIG.
    Cluster,
    /// The broker's configuration: STATIC_BROKER_CONFIG.
    Static,
    /// Nobody set it: DEFAULT_CONFIG.
    Default,
}

/// A place that gives a config a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Synonym {
    /// The config's name there.
    pub name: &'static str,
    /// The value.
    pub value: String,
    /// The place.
    pub source: ConfigSource,
}

/// A config with the value that holds.
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
    /// All places that give it a value, the one that holds first.
    pub synonyms: Vec<Synonym>,
    /// What it is for.
    pub doc: &'static str,
}

/// What holds for a topic with these configs set, for every config there is, in order of their names.
pub fn effective_configs(configs: &Configs, defaults: &TopicDefaults) -> Vec<EffectiveConfig> {
    topic_config_keys().iter().map(|key| effective(key, configs, defaults)).collect()
}

/// What holds for a broker of the configs that can be set while it runs, under its names for them.
pub fn broker_configs(defaults: &TopicDefaults) -> Vec<EffectiveConfig> {
    let described = broker_config_keys().filter_map(|key| {
        let synonyms = broker_synonyms(key, defaults);
        let Synonym { name, value, source } = synonyms.first()?.clone();
        Some(EffectiveConfig { name, kind: key.kind, value, source, synonyms, doc: key.doc })
    });
    described.collect()
}

fn effective(key: &ConfigKey, configs: &Configs, defaults: &TopicDefaults) -> EffectiveConfig {
    let set = configs.get(key.name).map(|value| Synonym {
        name: key.name,
        value: value.clone(),
        source: ConfigSource::Topic,
    });
    let synonyms: Vec<Synonym> = set.into_iter().chain(broker_synonyms(key, defaults)).collect();
    let (value, source) = match synonyms.first() {
        Some(strongest) => (strongest.value.clone(), strongest.source),
        None => (key.default.to_owned(), ConfigSource::Default),
    };
    EffectiveConfig { name: key.name, kind: key.kind, value, source, synonyms, doc: key.doc }
}

/// The places on the broker that give the config a value, and its default, under the broker's name for it.
fn broker_synonyms(key: &ConfigKey, defaults: &TopicDefaults) -> Vec<Synonym> {
    let Some(name) = key.broker_name else { return Vec::new() };
    let layers = [
        (&defaults.broker, ConfigSource::Broker),
        (&defaults.cluster, ConfigSource::Cluster),
        (&defaults.fixed, ConfigSource::Static),
    ];
    let set = layers.into_iter().filter_map(|(layer, source)| {
        layer.get(name).map(|value| Synonym { name, value: value.clone(), source })
    });
    let default = Synonym { name, value: key.default.to_owned(), source: ConfigSource::Default };
    set.chain([default]).collect()
}
