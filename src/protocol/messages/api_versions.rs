//! ApiVersions: which APIs and versions the broker speaks. The first request of a connection.
//!
//! A version that the broker does not have is answered with a body of version 0 and UNSUPPORTED_VERSION (KIP-511).

use crate::protocol::ErrorCode;

api! {
    ApiVersions: ApiVersionsRequest => ApiVersionsResponse, versions 0..=4, flexible 3..;

    /// Who the client is.
    pub struct ApiVersionsRequest {
        /// The client library's name.
        client_software_name: String [3..],
        /// The client library's version.
        client_software_version: String [3..],
    }

    /// What the broker speaks.
    pub struct ApiVersionsResponse {
        /// [`ErrorCode::UnsupportedVersion`] if the request's version is not known.
        error_code: ErrorCode [0..],
        /// The APIs served.
        api_keys: Vec<ApiVersion> [0..],
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// Features that the broker supports. Before version 4, clients refuse features with `min_version` 0
        /// (KAFKA-17011).
        supported_features: Vec<SupportedFeatureKey> [3.., tag 0],
        /// The epoch of the finalized features, -1 if unknown.
        finalized_features_epoch: i64 [3.., tag 1] = -1,
        /// Features that the cluster has agreed on.
        finalized_features: Vec<FinalizedFeatureKey> [3.., tag 2],
        /// Of no use without ZooKeeper.
        zk_migration_ready: bool [3.., tag 3],
    }

    /// An API and its versions.
    pub struct ApiVersion {
        /// The API's key.
        api_key: i16 [0..],
        /// The lowest version.
        min_version: i16 [0..],
        /// The highest version.
        max_version: i16 [0..],
    }

    /// A feature and the levels that the broker supports.
    pub struct SupportedFeatureKey {
        /// The feature's name.
        name: String [3..],
        /// The lowest level.
        min_version: i16 [3..],
        /// The highest level.
        max_version: i16 [3..],
    }

    /// A feature and the levels that the cluster has agreed on.
    pub struct FinalizedFeatureKey {
        /// The feature's name.
        name: String [3..],
        /// The highest level.
        max_version_level: i16 [3..],
        /// The lowest level.
        min_version_level: i16 [3..],
    }
}
