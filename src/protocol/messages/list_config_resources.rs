//! ListConfigResources: what has configs (KIP-1142). Version 0 was ListClientMetricsResources (KIP-714).

use crate::protocol::ErrorCode;

/// The only type of resource in version 0: subscriptions to clients' metrics.
pub const CLIENT_METRICS: i8 = 16;

api! {
    ListConfigResources: ListConfigResourcesRequest => ListConfigResourcesResponse, versions 0..=1, flexible 0..;

    /// What is asked for.
    pub struct ListConfigResourcesRequest {
        /// The types of resources, by Kafka's numbers; none for all.
        resource_types: Vec<i8> [1..],
    }

    /// What there is.
    pub struct ListConfigResourcesResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// Why there is no answer.
        error_code: ErrorCode [0..],
        /// The resources.
        config_resources: Vec<ConfigResource> [0..],
    }

    /// One resource.
    pub struct ConfigResource {
        /// Its name.
        resource_name: String [0..],
        /// Its type, by Kafka's number.
        resource_type: i8 [1..] = CLIENT_METRICS,
    }
}
