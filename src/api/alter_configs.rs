//! AlterConfigs and IncrementalAlterConfigs: both come to the same command.

use std::collections::{HashMap, HashSet};

use crate::cluster::{ConfigAlteration, ConfigChange, ConfigResource};
use crate::protocol::messages::alter_configs::{
    AlterConfigsRequest, AlterConfigsResource, AlterConfigsResourceResponse, AlterConfigsResponse,
};
use crate::protocol::messages::describe_configs::ResourceType;
use crate::protocol::messages::incremental_alter_configs::{
    self as incremental, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::commands::Refusal;
use super::errors::{cluster_error, metadata_unavailable};
use super::reply::{Reply, respond};
use super::router::Caller;

/// Replaces all configs of each resource.
pub(super) async fn handle(caller: &Caller, header: &RequestHeader, request: AlterConfigsRequest) -> Reply {
    let resources = request.resources.into_iter().map(|resource| {
        let AlterConfigsResource { resource_type, resource_name, configs } = resource;
        let changes = configs.into_iter().map(|config| (config.name, Operation::Set as i8, config.value));
        (resource_type, resource_name, changes.collect())
    });
    let outcomes = alter(caller, resources.collect(), true, request.validate_only).await;
    let responses = outcomes.into_iter().map(|outcome| AlterConfigsResourceResponse {
        error_code: outcome.error_code,
        error_message: outcome.error_message,
        resource_type: outcome.resource_type,
        resource_name: outcome.resource_name,
    });
    respond(header, &AlterConfigsResponse { throttle_time_ms: 0, responses: responses.collect() })
}

/// Changes single configs of each resource.
pub(super) async fn handle_incremental(
    caller: &Caller,
    header: &RequestHeader,
    request: IncrementalAlterConfigsRequest,
) -> Reply {
    let resources = request.resources.into_iter().map(|resource| {
        let incremental::AlterConfigsResource { resource_type, resource_name, configs } = resource;
        let changes = configs.into_iter().map(|config| (config.name, config.config_operation, config.value));
        (resource_type, resource_name, changes.collect())
    });
    let responses = alter(caller, resources.collect(), false, request.validate_only).await;
    respond(header, &IncrementalAlterConfigsResponse { throttle_time_ms: 0, responses })
}

/// The operations' numbers on the wire (org.apache.kafka.clients.admin.AlterConfigOp).
#[derive(Clone, Copy)]
enum Operation {
    Set = 0,
    Delete = 1,
    Append = 2,
    Subtract = 3,
}

/// A config's name, operation and value.
type Change = (String, i8, Option<String>);

async fn alter(
    caller: &Caller,
    resources: Vec<(i8, String, Vec<Change>)>,
    replaces_all: bool,
    validate_only: bool,
) -> Vec<incremental::AlterConfigsResourceResponse> {
    let mut times: HashMap<(i8, String), usize> = HashMap::new();
    resources.iter().for_each(|(kind, name, _)| *times.entry((*kind, name.clone())).or_default() += 1);
    let mut alterations = Vec::new();
    let mut checked = Vec::with_capacity(resources.len());
    for (kind, name, changes) in resources {
        let resource = (kind, name);
        let alteration = match times[&resource] {
            1 => alteration(kind, &resource.1, changes, replaces_all),
            _ => Err((ErrorCode::InvalidRequest, "Each resource must appear at most once.".to_owned())),
        };
        checked.push((resource, alteration.map(|alteration| alterations.push(alteration))));
    }
    let mut outcomes = carry_out(caller, alterations, validate_only).await.into_iter();
    let respond = |((resource_type, resource_name), checked): ((i8, String), Result<(), Refusal>)| {
        let outcome = checked.and_then(|()| outcomes.next().expect("an outcome for each alteration"));
        let (error_code, error_message) = outcome.err().unzip();
        let error_code = error_code.unwrap_or_default();
        incremental::AlterConfigsResourceResponse { error_code, error_message, resource_type, resource_name }
    };
    checked.into_iter().map(respond).collect()
}

/// What comes of each alteration.
async fn carry_out(
    caller: &Caller,
    alterations: Vec<ConfigAlteration>,
    validate_only: bool,
) -> Vec<Result<(), Refusal>> {
    let count = alterations.len();
    if count == 0 {
        return Vec::new();
    }
    match caller.shard.metadata.alter_configs(alterations, validate_only).await {
        Ok(outcomes) => outcomes
            .into_iter()
            .map(|outcome| outcome.map_err(|error| (cluster_error(&error), error.to_string())))
            .collect(),
        Err(error) => vec![Err((metadata_unavailable(&error), error.to_string())); count],
    }
}

fn alteration(
    resource_type: i8,
    name: &str,
    changes: Vec<Change>,
    replaces_all: bool,
) -> Result<ConfigAlteration, Refusal> {
    let refused = |reason: &str| Err((ErrorCode::InvalidRequest, reason.to_owned()));
    let resource = resource(resource_type, name)?;
    let mut seen = HashSet::new();
    if !changes.iter().all(|(name, ..)| seen.insert(name.as_str())) {
        return refused("Error due to duplicate config keys");
    }
    let needs_value =
        |(_, operation, value): &&Change| value.is_none() && *operation != Operation::Delete as i8;
    if let Some((name, ..)) = changes.iter().find(needs_value) {
        let shown: String = name.chars().take(64).collect();
        return refused(&format!("Null value not supported for : {shown}"));
    }
    let changes = changes.into_iter().map(change).collect::<Result<_, _>>()?;
    Ok(ConfigAlteration { resource, replaces_all, changes })
}

fn change((name, operation, value): Change) -> Result<(String, ConfigChange), Refusal> {
    let value = value.unwrap_or_default();
    let change = match operation {
        known if known == Operation::Set as i8 => ConfigChange::Set(value),
        known if known == Operation::Delete as i8 => ConfigChange::Delete,
        known if known == Operation::Append as i8 => ConfigChange::Append(value),
        known if known == Operation::Subtract as i8 => ConfigChange::Subtract(value),
        unknown => return Err((ErrorCode::InvalidRequest, format!("Unknown operation {unknown}"))),
    };
    Ok((name, change))
}

/// The resource that a request names.
pub(super) fn resource(resource_type: i8, name: &str) -> Result<ConfigResource, Refusal> {
    let refused = |reason: String| Err((ErrorCode::InvalidRequest, reason));
    match resource_type {
        of if of == ResourceType::Topic as i8 => Ok(ConfigResource::Topic(name.to_owned())),
        of if of == ResourceType::Broker as i8 => match name.parse() {
            _ if name.is_empty() => Ok(ConfigResource::Broker(None)),
            Ok(broker) => Ok(ConfigResource::Broker(Some(broker))),
            Err(_) => refused("Unable to parse broker name as a base 10 number.".to_owned()),
        },
        of if of == ResourceType::BrokerLogger as i8 => refused(
            "Log levels cannot be read or changed at run time; set log.level and start again.".to_owned(),
        ),
        other => refused(format!("Resource type {other} has no configs here.")),
    }
}
