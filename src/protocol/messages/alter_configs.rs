//! AlterConfigs: all configs of a resource are replaced. IncrementalAlterConfigs has taken its place.

use crate::protocol::ErrorCode;

api! {
    AlterConfigs: AlterConfigsRequest => AlterConfigsResponse, versions 0..=2, flexible 2..;

    /// Resources whose configs are to be replaced.
    pub struct AlterConfigsRequest {
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
        /// All configs that it is to have.
        configs: Vec<AlterableConfig> [0..],
    }

    /// A config.
    pub struct AlterableConfig {
        /// The key.
        name: String [0..],
        /// The value.
        value: Option<String> [0.., null 0..],
    }

    /// What was changed.
    pub struct AlterConfigsResponse {
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
