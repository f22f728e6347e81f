//! Configs of topics and brokers: which there are, which values they take, where values come from, and what they
//! come to.
//!
//! A config that would be stored and not obeyed is worse than one that is refused. So every value is either
//! obeyed, or the one that describes what Corelane does anyway, or an error that names the remedy.

mod effective;
mod key;
mod kind;
mod layers;
mod settings;
mod table;
#[cfg(test)]
mod tests;
mod validate;

pub use effective::{ConfigSource, EffectiveConfig, Synonym, broker_configs, effective_configs};
pub use key::ConfigKey;
pub use kind::ConfigKind;
pub use layers::{CleanerSettings, Configs, TopicDefaults};
pub use settings::{CleanupPolicy, TopicSettings, settings_of, topic_settings};
pub use table::topic_config_keys;
pub(super) use validate::{broker_config, check_value, topic_config, validate_configs};
