//! DescribeConfigs: the configuration of topics and brokers.

use crate::protocol::ErrorCode;

/// What a configuration belongs to, as `resource_type` says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum ResourceType {
    /// A topic by name.
    Topic = 2,
    /// A broker by id, or the defaults of all brokers by an empty name.
    Broker = 4,
    /// A broker's log levels.
    BrokerLogger = 8,
}

/// Where a configuration value comes from, as `config_source` says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum ConfigSource {
    /// Set on the topic.
    DynamicTopicConfig = 1,
    /// Set on the broker while it ran.
    DynamicBrokerConfig = 2,
    /// Set on all brokers while they ran.
    DynamicDefaultBrokerConfig = 3,
    /// Set when the broker started.
    StaticBrokerConfig = 4,
    /// Not set.
    DefaultConfig = 5,
}

/// The type of a configuration value, as `config_type` says it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i8)]
pub enum ConfigType {
    /// Not known.
    Unknown = 0,
    /// true or false.
    Boolean = 1,
    /// Text.
    String = 2,
    /// 32 bits.
    Int = 3,
    /// 16 bits.
    Short = 4,
    /// 64 bits.
    Long = 5,
    /// Floating point.
    Double = 6,
    /// Values with commas between them.
    List = 7,
    /// The name of a class.
    Class = 8,
    /// A secret.
    Password = 9,
}

api! {
    DescribeConfigs: DescribeConfigsRequest => DescribeConfigsResponse, versions 1..=4, flexible 4..;

    /// What the client asks about.
    pub struct DescribeConfigsRequest {
        /// The resources.
        resources: Vec<DescribeConfigsResource> [1..],
        /// Whether all places where a value could come from are asked for.
        include_synonyms: bool [1..],
        /// Whether explanations are asked for.
        include_documentation: bool [3..],
    }

    /// A resource.
    pub struct DescribeConfigsResource {
        /// See [`ResourceType`].
        resource_type: i8 [1..],
        /// The resource's name.
        resource_name: String [1..],
        /// The keys asked for, `None` for all.
        configuration_keys: Option<Vec<String>> [1.., null 1..],
    }

    /// The configurations.
    pub struct DescribeConfigsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// The resources.
        results: Vec<DescribeConfigsResult> [1..],
    }

    /// One resource's configuration.
    pub struct DescribeConfigsResult {
        /// Why the resource cannot be described.
        error_code: ErrorCode [1..],
        /// What is wrong, for people.
        error_message: Option<String> [1.., null 1..],
        /// See [`ResourceType`].
        resource_type: i8 [1..],
        /// The resource's name.
        resource_name: String [1..],
        /// The entries.
        configs: Vec<DescribeConfigsResourceResult> [1..],
    }

    /// A configuration entry.
    pub struct DescribeConfigsResourceResult {
        /// The key.
        name: String [1..],
        /// The value.
        value: Option<String> [1.., null 1..],
        /// Whether it cannot be changed.
        read_only: bool [1..],
        /// See [`ConfigSource`].
        config_source: i8 [1..] = -1,
        /// Whether the value is kept secret.
        is_sensitive: bool [1..],
        /// The places where the value could come from, the one that counts first.
        synonyms: Vec<DescribeConfigsSynonym> [1..],
        /// See [`ConfigType`].
        config_type: i8 [3..],
        /// What the entry does.
        documentation: Option<String> [3.., null 3..],
    }

    /// A place where a value could come from.
    pub struct DescribeConfigsSynonym {
        /// The key there.
        name: String [1..],
        /// The value there.
        value: Option<String> [1.., null 1..],
        /// See [`ConfigSource`].
        source: i8 [1..],
    }
}
