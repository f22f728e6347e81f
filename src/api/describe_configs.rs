//! DescribeConfigs: topics' configs, and the broker's own, which are set in its configuration and nowhere else.

use crate::cluster::{ConfigKind, ConfigSource as Source, EffectiveConfig, effective_configs};
use crate::config::keys::{Fallback, KEYS};
use crate::config::{Config, keys::Key};
use crate::protocol::messages::describe_configs::{
    ConfigSource, ConfigType, DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym, ResourceType,
};
use crate::protocol::{ErrorCode, RequestHeader};
use crate::shard::Shard;

use super::brokers::brokers;
use super::reply::{Reply, respond};
use super::router::Caller;

type Refusal = (ErrorCode, String);

pub(super) fn handle(caller: &Caller, header: &RequestHeader, request: &DescribeConfigsRequest) -> Reply {
    let results = request.resources.iter().map(|resource| describe(caller, request, resource)).collect();
    respond(header, &DescribeConfigsResponse { throttle_time_ms: 0, results })
}

fn describe(
    caller: &Caller,
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
) -> DescribeConfigsResult {
    let found = match resource.resource_type {
        kind if kind == ResourceType::Topic as i8 => topic_configs(&caller.shard, &resource.resource_name),
        kind if kind == ResourceType::Broker as i8 => broker_configs(caller, &resource.resource_name),
        other => Err((ErrorCode::InvalidRequest, format!("Unsupported resource type {other}."))),
    };
    let (error_code, error_message, mut configs) = match found {
        Ok(configs) => (ErrorCode::None, None, configs),
        Err((code, message)) => (code, Some(message), Vec::new()),
    };
    if let Some(wanted) = &resource.configuration_keys {
        configs.retain(|config| wanted.contains(&config.name));
    }
    for config in &mut configs {
        if !request.include_synonyms {
            config.synonyms.clear();
        }
        if !request.include_documentation {
            config.documentation = None;
        }
    }
    DescribeConfigsResult {
        error_code,
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        configs,
    }
}

fn topic_configs(shard: &Shard, name: &str) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    let image = shard.image();
    let topic = image.topic_named(name);
    let topic = topic.ok_or_else(|| {
        (ErrorCode::UnknownTopicOrPartition, ErrorCode::UnknownTopicOrPartition.meaning().to_owned())
    })?;
    let configs = effective_configs(&topic.record.configs, &shard.topic_defaults());
    Ok(configs.into_iter().map(topic_config).collect())
}

fn topic_config(config: EffectiveConfig) -> DescribeConfigsResourceResult {
    let config_type = match config.kind {
        ConfigKind::Boolean => ConfigType::Boolean,
        ConfigKind::Text => ConfigType::String,
        ConfigKind::Int => ConfigType::Int,
        ConfigKind::Long => ConfigType::Long,
        ConfigKind::Double => ConfigType::Double,
        ConfigKind::List => ConfigType::List,
    };
    entry(config.name, config.value, config_source(config.source), config_type, config.doc, false)
}

/// The wire's number for where a topic's config comes from.
pub(super) fn config_source(source: Source) -> ConfigSource {
    match source {
        Source::Topic => ConfigSource::DynamicTopicConfig,
        Source::Broker => ConfigSource::DynamicBrokerConfig,
        Source::Cluster => ConfigSource::DynamicDefaultBrokerConfig,
        Source::Static => ConfigSource::StaticBrokerConfig,
        Source::Default => ConfigSource::DefaultConfig,
    }
}

/// The configs of one of the brokers, or by an empty name what is set for all of them while they run: nothing.
fn broker_configs(caller: &Caller, name: &str) -> Result<Vec<DescribeConfigsResourceResult>, Refusal> {
    if name.is_empty() {
        return Ok(Vec::new());
    }
    let shard = &caller.shard;
    let is_known = brokers(shard, caller.listener).any(|broker| broker.id.to_string() == name);
    if !is_known {
        return Err((ErrorCode::InvalidRequest, format!("There is no broker {name}.")));
    }
    Ok(broker_values(&shard.config).into_iter().map(broker_config).collect())
}

/// The broker's configs that tools look at, with Kafka's types.
fn broker_values(config: &Config) -> Vec<(&'static str, String, ConfigType)> {
    vec![
        ("auto.create.topics.enable", config.auto_create_topics_enable.to_string(), ConfigType::Boolean),
        ("broker.rack", config.broker_rack.clone(), ConfigType::String),
        ("default.replication.factor", "1".to_owned(), ConfigType::Int),
        ("fetch.max.bytes", config.fetch_max_bytes.to_string(), ConfigType::Int),
        ("log.segment.bytes", config.log_segment_bytes.to_string(), ConfigType::Int),
        ("max.connections", config.max_connections.to_string(), ConfigType::Int),
        ("max.incremental.fetch.session.cache.slots", config.fetch_sessions_max.to_string(), ConfigType::Int),
        ("message.max.bytes", config.message_max_bytes.to_string(), ConfigType::Int),
        ("min.insync.replicas", "1".to_owned(), ConfigType::Int),
        ("node.id", config.node_id.to_string(), ConfigType::Int),
        ("num.partitions", config.num_partitions.to_string(), ConfigType::Int),
        ("socket.request.max.bytes", config.socket_request_max_bytes.to_string(), ConfigType::Int),
    ]
}

fn broker_config(
    (name, value, config_type): (&'static str, String, ConfigType),
) -> DescribeConfigsResourceResult {
    let key: Option<&Key> = KEYS.iter().find(|key| key.name == name);
    let is_default = key.is_none_or(|key| matches!(key.fallback, Fallback::Fixed(text) if text == value));
    let source = if is_default { ConfigSource::DefaultConfig } else { ConfigSource::StaticBrokerConfig };
    entry(name, value, source, config_type, key.map_or("", |key| key.doc), true)
}

fn entry(
    name: &str,
    value: String,
    source: ConfigSource,
    config_type: ConfigType,
    doc: &str,
    read_only: bool,
) -> DescribeConfigsResourceResult {
    let synonym =
        DescribeConfigsSynonym { name: name.to_owned(), value: Some(value.clone()), source: source as i8 };
    DescribeConfigsResourceResult {
        name: name.to_owned(),
        value: Some(value),
        read_only,
        config_source: source as i8,
        is_sensitive: false,
        synonyms: vec![synonym],
        config_type: config_type as i8,
        documentation: Some(doc.to_owned()).filter(|doc| !doc.is_empty()),
    }
}
