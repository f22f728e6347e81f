//! DeleteAcls: rules that are not to hold any more (KIP-140).

use crate::protocol::ErrorCode;

/// The pattern type of a name that stands for itself.
const LITERAL: i8 = 3;

api! {
    DeleteAcls: DeleteAclsRequest => DeleteAclsResponse, versions 1..=3, flexible 2..;

    /// Which rules go.
    pub struct DeleteAclsRequest {
        /// Those that match one of these.
        filters: Vec<DeleteAclsFilter> [1..],
    }

    /// Rules that go.
    pub struct DeleteAclsFilter {
        /// The type of resource, by Kafka's number.
        resource_type_filter: i8 [1..],
        /// The resource's name; `None` for any.
        resource_name_filter: Option<String> [1.., null 1..],
        /// How names are compared, by Kafka's number.
        pattern_type_filter: i8 [1..] = LITERAL,
        /// Who is allowed or denied; `None` for anybody.
        principal_filter: Option<String> [1.., null 1..],
        /// From where; `None` for anywhere.
        host_filter: Option<String> [1.., null 1..],
        /// The operation, by Kafka's number.
        operation: i8 [1..],
        /// Whether it is allowed or denied, by Kafka's number.
        permission_type: i8 [1..],
    }

    /// What became of the rules.
    pub struct DeleteAclsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// One for each filter, in their order.
        filter_results: Vec<DeleteAclsFilterResult> [1..],
    }

    /// What became of one filter's rules.
    pub struct DeleteAclsFilterResult {
        /// Why none was looked for.
        error_code: ErrorCode [1..],
        /// The same for people.
        error_message: Option<String> [1.., null 1..],
        /// The rules that were found.
        matching_acls: Vec<DeleteAclsMatchingAcl> [1..],
    }

    /// One rule that was found.
    pub struct DeleteAclsMatchingAcl {
        /// Why it stays.
        error_code: ErrorCode [1..],
        /// The same for people.
        error_message: Option<String> [1.., null 1..],
        /// The type of resource, by Kafka's number.
        resource_type: i8 [1..],
        /// The resource's name.
        resource_name: String [1..],
        /// How names are compared, by Kafka's number.
        pattern_type: i8 [1..] = LITERAL,
        /// Who is allowed or denied.
        principal: String [1..],
        /// From where.
        host: String [1..],
        /// The operation, by Kafka's number.
        operation: i8 [1..],
        /// Whether it is allowed or denied, by Kafka's number.
        permission_type: i8 [1..],
    }
}
