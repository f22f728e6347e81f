//! Configs that a client sets are checked.

use super::key::ConfigKey;
use super::layers::{Configs, TopicDefaults};
use super::table::{broker_config_keys, broker_key, topic_config_keys, topic_key};
use crate::base::limits::CONFIG_VALUE_BYTES_MAX;
use crate::cluster::ClusterError;
use crate::config::keys::KEYS;

/// Checks the configs of a new topic and returns them as they are stored. Of two values for one name the later
/// holds, as in Kafka.
pub(in crate::cluster) fn validate_configs(
    configs: &[(String, Option<String>)],
    defaults: &TopicDefaults,
) -> Result<Configs, ClusterError> {
    let mut valid = Configs::new();
    for (name, value) in configs {
        let key = topic_config(name)?;
        let Some(value) = value else {
            let reason = format!("Null value not supported for topic configs: {name}");
            return Err(ClusterError::InvalidConfig(reason));
        };
        check_value(key, name, value.trim(), defaults)?;
        valid.insert(name.clone(), value.trim().to_owned());
    }
    Ok(valid)
}

/// Checks a value for the config called `name`, which is the key's name or the broker's name for it.
pub(in crate::cluster) fn check_value(
    key: &ConfigKey,
    name: &str,
    value: &str,
    defaults: &TopicDefaults,
) -> Result<(), ClusterError> {
    if value.len() > CONFIG_VALUE_BYTES_MAX {
        let reason = format!("A value of {name} is longer than {CONFIG_VALUE_BYTES_MAX} bytes");
        return Err(ClusterError::InvalidConfig(reason));
    }
    key.check(name, value, defaults).map_err(ClusterError::InvalidConfig)
}

/// The config of topics that is called so.
pub(in crate::cluster) fn topic_config(name: &str) -> Result<&'static ConfigKey, ClusterError> {
    topic_key(name).ok_or_else(|| {
        let names = topic_config_keys().iter().map(|key| key.name);
        ClusterError::InvalidConfig(unknown("topic", name, names))
    })
}

/// The config that brokers can be given by that name while they run: a default for their topics, or one of their own.
pub(in crate::cluster) fn broker_config(name: &str) -> Result<&'static ConfigKey, ClusterError> {
    if let Some(key) = broker_key(name) {
        return Ok(key);
    }
    if KEYS.iter().any(|key| key.name == name) {
        return Err(ClusterError::InvalidRequest(format!(
            "Cannot update these configs dynamically: {name}; set it in the broker's configuration and start the \
             broker again"
        )));
    }
    let names = broker_config_keys().filter_map(|key| key.broker_name);
    Err(ClusterError::InvalidConfig(unknown("broker", name, names)))
}

/// What the unknown name may have meant. The name is a client's: only so much of it is compared and shown.
fn unknown(what: &str, name: &str, known: impl Iterator<Item = &'static str>) -> String {
    let shown: String = name.chars().take(64).collect();
    let nearest = known
        .map(|known| (strsim::normalized_damerau_levenshtein(&shown, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((likeness, nearest)) if likeness > 0.6 => {
            format!("Unknown {what} config name: {shown}; did you mean {nearest}?")
        }
        _ => format!("Unknown {what} config name: {shown}"),
    }
}
