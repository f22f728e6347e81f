//! DescribeAcls: the rules that allow and deny (KIP-140).

use crate::protocol::ErrorCode;

/// The pattern type of a name that stands for itself.
const LITERAL: i8 = 3;

api! {
    DescribeAcls: DescribeAclsRequest => DescribeAclsResponse, versions 1..=3, flexible 2..;

    /// Which rules are asked for.
    pub struct DescribeAclsRequest {
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

    /// The rules.
    pub struct DescribeAclsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// Why there is no answer.
        error_code: ErrorCode [1..],
        /// The same for people.
        error_message: Option<String> [1.., null 1..],
        /// The resources that have rules.
        resources: Vec<DescribeAclsResource> [1..],
    }

    /// One resource's rules.
    pub struct DescribeAclsResource {
        /// The type of resource, by Kafka's number.
        resource_type: i8 [1..],
        /// The resource's name.
        resource_name: String [1..],
        /// How names are compared, by Kafka's number.
        pattern_type: i8 [1..] = LITERAL,
        /// The rules.
        acls: Vec<AclDescription> [1..],
    }

    /// One rule.
    pub struct AclDescription {
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
