//! Configs that a client sets are checked.

use super::key::ConfigKey;
use super::layers::{Configs, TopicDefaults};
use super::table::{topic_config_keys, topic_key};
use crate::base::limits::CONFIG_VALUE_BYTES_MAX;
use crate::cluster::ClusterError;

/// Checks the configs of a new topic and returns them as they are stored. Of two values for one name the later
/// holds, as in Kafka.
pub(in crate::cluster) fn validate_configs(
    configs: &[(String, Option<String>)],
    defaults: &TopicDefaults,
) -> Result<Configs, ClusterError> {
    let mut valid = Configs::new();
    for (name, value) in configs {
        let refused = |reason: String| Err(ClusterError::InvalidConfig(reason));
        let Some(key) = topic_key(name) else { return refused(unknown(name)) };
        let Some(value) = value else {
            return refused(format!("Null value not supported for topic configs: {name}"));
        };
        if value.len() > CONFIG_VALUE_BYTES_MAX {
            return refused(format!("A value of {name} is longer than {CONFIG_VALUE_BYTES_MAX} bytes"));
        }
        if let Err(reason) = key.check(name, value.trim(), defaults) {
            return refused(reason);
        }
        valid.insert(name.clone(), value.trim().to_owned());
    }
    Ok(valid)
}

fn unknown(name: &str) -> String {
    let names = topic_config_keys().iter().map(|key: &ConfigKey| key.name);
    unknown_name("topic", name, names)
}

/// What the unknown name may have meant. The name is a client's: only so much of it is compared and shown.
fn unknown_name(what: &str, name: &str, known: impl Iterator<Item = &'static str>) -> String {
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
