//! Configs of topics and brokers are changed: each resource as a whole or not at all.

use serde::{Deserialize, Serialize};

use super::config::{ConfigKey, ConfigKind, Configs, broker_config, check_value, topic_config};
use super::draft::Draft;
use super::error::ClusterError;
use super::placing::Placing;
use super::records::{BrokerConfigsRecord, Record, TopicRecord};
use crate::base::ids::BrokerId;

/// What has configs.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum ConfigResource {
    /// A topic, by its name.
    Topic(String),
    /// A broker; `None` is all of them.
    Broker(Option<BrokerId>),
}

/// What is done to one config (KIP-339).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ConfigChange {
    /// It has this value.
    Set(String),
    /// It is not set any more.
    Delete,
    /// These words, with commas between them, are in its list.
    Append(String),
    /// These words are not in its list.
    Subtract(String),
}

/// Changes of one resource's configs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ConfigAlteration {
    /// The resource.
    pub resource: ConfigResource,
    /// Whether configs that are not named are unset, as AlterConfigs does.
    pub replaces_all: bool,
    /// What is done to which config. A name comes once: requests with duplicates are the API layer's to refuse.
    pub changes: Vec<(String, ConfigChange)>,
}

/// Changes configs; the results are in the order of `alterations`.
pub fn alter_configs(
    draft: &mut Draft,
    alterations: &[ConfigAlteration],
    placing: &Placing,
) -> Vec<Result<(), ClusterError>> {
    alterations.iter().map(|alteration| alter(draft, alteration, placing)).collect()
}

fn alter(draft: &mut Draft, alteration: &ConfigAlteration, placing: &Placing) -> Result<(), ClusterError> {
    match &alteration.resource {
        ConfigResource::Topic(name) => {
            let topic = draft.image().topic_named(name).ok_or(ClusterError::UnknownTopic)?;
            let record = topic.record.clone();
            let configs = changed(&record.configs, alteration, placing)?;
            if configs != record.configs {
                draft.put(Record::Topic(TopicRecord { configs, ..record }));
            }
        }
        ConfigResource::Broker(broker) => {
            let broker = *broker;
            if let Some(unknown) = broker.filter(|broker| !placing.has_broker(draft.image(), *broker)) {
                return Err(ClusterError::UnknownBroker(unknown));
            }
            let before = draft.image().broker_configs(broker);
            let configs = changed(&before, alteration, placing)?;
            if configs != *before {
                draft.put(Record::BrokerConfigs(BrokerConfigsRecord { broker, configs }));
            }
        }
    }
    Ok(())
}

/// The configs as the changes leave them.
fn changed(
    before: &Configs,
    alteration: &ConfigAlteration,
    placing: &Placing,
) -> Result<Configs, ClusterError> {
    let mut after = if alteration.replaces_all { Configs::new() } else { before.clone() };
    for (name, change) in &alteration.changes {
        if *change == ConfigChange::Delete {
            // Also a config that there is not: it is not set.
            after.remove(name);
            continue;
        }
        let key = match alteration.resource {
            ConfigResource::Topic(_) => topic_config(name)?,
            ConfigResource::Broker(_) => broker_config(name)?,
        };
        let value = new_value(key, name, before, change)?;
        check_value(key, name, &value, &placing.defaults)?;
        after.insert(name.clone(), value);
    }
    Ok(after)
}

/// The value that a change makes of what was set before, or of the default.
fn new_value(
    key: &ConfigKey,
    name: &str,
    before: &Configs,
    change: &ConfigChange,
) -> Result<String, ClusterError> {
    let (operation, words) = match change {
        ConfigChange::Set(value) => return Ok(value.trim().to_owned()),
        ConfigChange::Delete => unreachable!("there is no new value"),
        ConfigChange::Append(words) => ("APPEND", words),
        ConfigChange::Subtract(words) => ("SUBTRACT", words),
    };
    if key.kind != ConfigKind::List {
        return Err(ClusterError::InvalidConfig(format!(
            "Can't {operation} to key {name} because its type is not LIST."
        )));
    }
    let split = |list: &'_ str| -> Vec<String> {
        list.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let (mut list, words) = (split(before.get(name).map_or(key.default, String::as_str)), split(words));
    list.retain(|word| !words.contains(word));
    if operation == "APPEND" {
        list.extend(words);
    }
    Ok(list.join(","))
}
