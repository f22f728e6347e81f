//! IncrementalAlterConfigs: single configs of a resource are changed (KIP-339).

use crate::protocol::ErrorCode;

api! {
    IncrementalAlterConfigs: IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse,
    versions 0..=1, flexible 1..;

    /// Resources whose configs are to be changed.
    pub struct IncrementalAlterConfigsRequest {
        /// The resources.
        resources: Vec<AlterConfigsResource> [0..],
        /// Whether to check only, and change nothing.
        validate_only: bool [0..],
    }

    /// A resource.
    pub struct AlterConfigsResource {
        /// See [`ResourceType`](super::describe_configs::ResourceType).
        resource_type: i8 [0..],
        /// The resource's name.
        resource_name: String [0..],
        /// The configs to change.
        configs: Vec<AlterableConfig> [0..],
    }

    /// A change of one config.
    pub struct AlterableConfig {
        /// The key.
        name: String [0..],
        /// 0 to set it, 1 to unset it, 2 to append to a list, 3 to take from a list.
        config_operation: i8 [0..],
        /// The value.
        value: Option<String> [0.., null 0..],
    }

    /// What was changed.
    pub struct IncrementalAlterConfigsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// The resources.
        responses: Vec<AlterConfigsResourceResponse> [0..],
    }

    /// The outcome for one resource.
    pub struct AlterConfigsResourceResponse {
        /// Why nothing was changed.
        error_code: ErrorCode [0..],
        /// What is wrong, for people.
        error_message: Option<String> [0.., null 0..],
        /// See [`ResourceType`](super::describe_configs::ResourceType).
        resource_type: i8 [0..],
        /// The resource's name.
        resource_name: String [0..],
    }
}
