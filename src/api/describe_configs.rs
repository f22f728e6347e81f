//! DescribeConfigs: what holds for topics and brokers, who says so, and what would hold otherwise.

use std::collections::HashSet;

use crate::base::limits::DESCRIBED_PER_TURN;
use crate::cluster::{
    ConfigKind, ConfigResource, ConfigSource as Source, EffectiveConfig, Synonym, effective_configs,
    validate_topic_name,
};
use crate::protocol::messages::describe_configs::{
    ConfigSource, ConfigType, DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use crate::protocol::{ErrorCode, RequestHeader};
use crate::shard::Shard;

use super::alter_configs::resource;
use super::broker_configs::{broker_configs, cluster_configs};
use super::commands::Refusal;
use super::errors::cluster_error;
use super::reply::{Reply, respond_charged, set_aside};
use super::router::Caller;

/// About the bytes of one described resource while the response is put together, explanations included.
const RESOURCE_BYTES: u64 = 16 << 10;

/// The same of one config.
const CONFIG_BYTES: u64 = 512;

/// A config as it is described.
pub(super) struct Described {
    pub(super) config: EffectiveConfig,
    pub(super) is_read_only: bool,
}

pub(super) async fn handle(
    caller: &Caller,
    header: &RequestHeader,
    request: &DescribeConfigsRequest,
) -> Reply {
    let about_bytes = request.resources.iter().map(|resource| match &resource.configuration_keys {
        Some(keys) => RESOURCE_BYTES.min(keys.len() as u64 * CONFIG_BYTES),
        None => RESOURCE_BYTES,
    });
    let charge = set_aside(&caller.shard, about_bytes.sum()).await;
    let mut seen = HashSet::new();
    let mut results = Vec::new();
    for (number, resource) in request.resources.iter().enumerate() {
        // A response must not be longer than the configs because a resource is named again and again.
        let is_short = resource.configuration_keys.is_some();
        let is_new = is_short || seen.insert((resource.resource_type, resource.resource_name.as_str()));
        results.push(describe(caller, request, resource, is_new));
        if number % DESCRIBED_PER_TURN == DESCRIBED_PER_TURN - 1 {
            caller.shard.runtime.yield_now().await;
        }
    }
    respond_charged(header, &DescribeConfigsResponse { throttle_time_ms: 0, results }, charge)
}

fn describe(
    caller: &Caller,
    request: &DescribeConfigsRequest,
    resource: &DescribeConfigsResource,
    is_new: bool,
) -> DescribeConfigsResult {
    let found = match is_new {
        true => configs_of(caller, resource),
        false => Err((ErrorCode::InvalidRequest, "Each resource must appear at most once.".to_owned())),
    };
    let (error_code, error_message, configs) = match found {
        Ok(configs) => (ErrorCode::None, None, configs),
        Err((code, message)) => (code, Some(message), Vec::new()),
    };
    let wanted: Option<HashSet<&str>> =
        resource.configuration_keys.as_ref().map(|keys| keys.iter().map(String::as_str).collect());
    let is_wanted =
        |described: &Described| wanted.as_ref().is_none_or(|wanted| wanted.contains(described.config.name));
    let configs = configs.into_iter().filter(is_wanted).map(|described| entry(described, request));
    DescribeConfigsResult {
        error_code,
        error_message,
        resource_type: resource.resource_type,
        resource_name: resource.resource_name.clone(),
        configs: configs.collect(),
    }
}

fn configs_of(caller: &Caller, wanted: &DescribeConfigsResource) -> Result<Vec<Described>, Refusal> {
    match resource(wanted.resource_type, &wanted.resource_name)? {
        ConfigResource::Topic(name) => topic_configs(&caller.shard, &name),
        ConfigResource::Broker(Some(broker)) => broker_configs(caller, broker),
        ConfigResource::Broker(None) => Ok(cluster_configs(&caller.shard)),
    }
}

fn topic_configs(shard: &Shard, name: &str) -> Result<Vec<Described>, Refusal> {
    validate_topic_name(name).map_err(|error| (cluster_error(&error), error.to_string()))?;
    let image = shard.image();
    let unknown = ErrorCode::UnknownTopicOrPartition;
    let topic = image.topic_named(name).ok_or_else(|| (unknown, unknown.meaning().to_owned()))?;
    let configs = effective_configs(&topic.record.configs, &shard.topic_defaults());
    Ok(configs.into_iter().map(|config| Described { config, is_read_only: false }).collect())
}

fn entry(described: Described, request: &DescribeConfigsRequest) -> DescribeConfigsResourceResult {
    let Described { config, is_read_only } = described;
    let synonyms = match request.include_synonyms {
        true => config.synonyms.into_iter().map(synonym).collect(),
        false => Vec::new(),
    };
    let documentation = Some(config.doc).filter(|doc| request.include_documentation && !doc.is_empty());
    DescribeConfigsResourceResult {
        name: config.name.to_owned(),
        value: Some(config.value),
        read_only: is_read_only,
        config_source: config_source(config.source) as i8,
        is_sensitive: false,
        synonyms,
        config_type: config_type(config.kind) as i8,
        documentation: documentation.map(str::to_owned),
    }
}

fn synonym(synonym: Synonym) -> DescribeConfigsSynonym {
    DescribeConfigsSynonym {
        name: synonym.name.to_owned(),
        value: Some(synonym.value),
        source: config_source(synonym.source) as i8,
    }
}

/// The wire's number for where a config comes from.
pub(super) fn config_source(source: Source) -> ConfigSource {
    match source {
        Source::Topic => ConfigSource::DynamicTopicConfig,
        Source::Broker => ConfigSource::DynamicBrokerConfig,
        Source::Cluster => ConfigSource::DynamicDefaultBrokerConfig,
        Source::Static => ConfigSource::StaticBrokerConfig,
        Source::Default => ConfigSource::DefaultConfig,
    }
}

fn config_type(kind: ConfigKind) -> ConfigType {
    match kind {
        ConfigKind::Boolean => ConfigType::Boolean,
        ConfigKind::Text => ConfigType::String,
        ConfigKind::Int => ConfigType::Int,
        ConfigKind::Long => ConfigType::Long,
        ConfigKind::Double => ConfigType::Double,
        ConfigKind::List => ConfigType::List,
    }
}
