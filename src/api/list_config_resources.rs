//! ListConfigResources: what has configs. That is topics and brokers; the other types that Kafka knows have none here.

use std::collections::BTreeSet;

use crate::protocol::messages::describe_configs::ResourceType;
use crate::protocol::messages::list_config_resources::{
    CLIENT_METRICS, ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use crate::protocol::{ErrorCode, RequestHeader};

use super::brokers::brokers;
use super::reply::{Reply, respond, respond_charged, set_aside};
use super::router::Caller;

const TOPIC: i8 = ResourceType::Topic as i8;
const BROKER: i8 = ResourceType::Broker as i8;
const BROKER_LOGGER: i8 = ResourceType::BrokerLogger as i8;
const GROUP: i8 = 32;

/// About the bytes of one resource while the response is put together.
const RESOURCE_BYTES: u64 = 96;

pub(super) async fn handle(
    caller: &Caller,
    header: &RequestHeader,
    request: ListConfigResourcesRequest,
) -> Reply {
    let types: BTreeSet<i8> = match (header.version, &request.resource_types[..]) {
        (0, _) => BTreeSet::from([CLIENT_METRICS]),
        (_, []) => BTreeSet::from([TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP]),
        (_, some) => some.iter().copied().collect(),
    };
    if !types.iter().all(|of| matches!(*of, TOPIC | BROKER | BROKER_LOGGER | CLIENT_METRICS | GROUP)) {
        let error_code = ErrorCode::UnsupportedVersion;
        return respond(header, &ListConfigResourcesResponse { error_code, ..Default::default() });
    }
    let image = caller.shard.image();
    let topic_count = if types.contains(&TOPIC) { image.topics().len() } else { 0 };
    let charge = set_aside(&caller.shard, topic_count as u64 * RESOURCE_BYTES).await;
    let named = |resource_type| move |resource_name| ConfigResource { resource_name, resource_type };
    let mut config_resources = Vec::new();
    if types.contains(&TOPIC) {
        config_resources.extend(image.topics().map(|topic| topic.record.name.clone()).map(named(TOPIC)));
    }
    if types.contains(&BROKER) {
        let ids = brokers(&caller.shard, caller.listener).map(|broker| broker.id.to_string());
        config_resources.extend(ids.map(named(BROKER)));
    }
    respond_charged(header, &ListConfigResourcesResponse { config_resources, ..Default::default() }, charge)
}
