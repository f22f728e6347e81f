//! The configs of brokers as DescribeConfigs tells them: those that can be set while a broker runs, most of which are the
//! defaults of its topics', and those of its configuration that tools look at.

use crate::base::ids::BrokerId;
use crate::cluster::{
    ConfigKind, ConfigSource, EffectiveConfig, Synonym, broker_configs as effective_broker_configs,
};
use crate::config::Config;
use crate::config::key::Fallback;
use crate::config::keys::KEYS;
use crate::protocol::ErrorCode;
use crate::shard::{Shard, configured_defaults};

use super::brokers::own_brokers;
use super::commands::Refusal;
use super::describe_configs::Described;
use super::router::Caller;

/// The configs of one of the brokers, in order of their names.
pub(super) fn broker_configs(caller: &Caller, broker: BrokerId) -> Result<Vec<Described>, Refusal> {
    let shard = &caller.shard;
    if !own_brokers(shard, caller.listener).any(|known| known.id == broker) {
        return Err((ErrorCode::InvalidRequest, format!("There is no broker {broker}.")));
    }
    let defaults = configured_defaults(&shard.config).at(&shard.image(), broker);
    let changeable = effective_broker_configs(&defaults).into_iter();
    let mut all: Vec<Described> = changeable
        .map(|config| Described { config, is_read_only: false })
        .chain(configured(&shard.config, broker))
        .collect();
    all.sort_by_key(|described| described.config.name);
    Ok(all)
}

/// What is set for all brokers while they run. What is not is not told, as in Kafka.
pub(super) fn cluster_configs(shard: &Shard) -> Vec<Described> {
    let image = shard.image();
    let set = image.broker_configs(None);
    let all = effective_broker_configs(&configured_defaults(&shard.config)).into_iter();
    let known = all.filter_map(|config| {
        let value = set.get(config.name)?.clone();
        let source = ConfigSource::Cluster;
        let synonyms = vec![Synonym { name: config.name, value: value.clone(), source }];
        Some(Described { config: EffectiveConfig { value, source, synonyms, ..config }, is_read_only: false })
    });
    known.collect()
}

/// What only the broker's configuration says.
fn configured(config: &Config, broker: BrokerId) -> impl Iterator<Item = Described> {
    use ConfigKind::{Boolean, Int, Text};
    let values = [
        ("auto.create.topics.enable", config.auto_create_topics_enable.to_string(), Boolean),
        ("broker.id", broker.to_string(), Int),
        ("broker.rack", config.broker_rack.clone(), Text),
        ("default.replication.factor", config.default_replication_factor.to_string(), Int),
        ("delete.topic.enable", "true".to_owned(), Boolean),
        ("fetch.max.bytes", config.fetch_max_bytes.to_string(), Int),
        ("log.dirs", config.data_dir.display().to_string(), Text),
        ("max.connections", config.max_connections.to_string(), Int),
        ("max.incremental.fetch.session.cache.slots", config.fetch_sessions_max.to_string(), Int),
        ("node.id", config.node_id.to_string(), Int),
        ("num.partitions", config.num_partitions.to_string(), Int),
        ("offsets.topic.num.partitions", config.offsets_topic_num_partitions.to_string(), Int),
        ("offsets.topic.replication.factor", config.offsets_topic_replication_factor.to_string(), Int),
        ("socket.request.max.bytes", config.socket_request_max_bytes.to_string(), Int),
    ];
    values.into_iter().map(|(name, value, kind)| {
        let key = KEYS.iter().find(|key| key.name == name);
        let is_default = key.is_none_or(|key| matches!(key.fallback, Fallback::Fixed(text) if text == value));
        let source = if is_default { ConfigSource::Default } else { ConfigSource::Static };
        let synonyms = vec![Synonym { name, value: value.clone(), source }];
        let doc = key.map_or("", |key| key.doc);
        let config = EffectiveConfig { name, kind, value, source, synonyms, doc };
        Described { config, is_read_only: true }
    })
}
