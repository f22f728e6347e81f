//! CreateAcls: rules that allow and deny (KIP-140).

use crate::protocol::ErrorCode;

/// The pattern type of a name that stands for itself.
const LITERAL: i8 = 3;

api! {
    CreateAcls: CreateAclsRequest => CreateAclsResponse, versions 1..=3, flexible 2..;

    /// The rules that are to hold.
    pub struct CreateAclsRequest {
        /// The rules.
        creations: Vec<AclCreation> [1..],
    }

    /// One rule.
    pub struct AclCreation {
        /// The type of resource, by Kafka's number.
        resource_type: i8 [1..],
        /// The resource's name.
        resource_name: String [1..],
        /// How names are compared, by Kafka's number.
        resource_pattern_type: i8 [1..] = LITERAL,
        /// Who is allowed or denied.
        principal: String [1..],
        /// From where.
        host: String [1..],
        /// The operation, by Kafka's number.
        operation: i8 [1..],
        /// Whether it is allowed or denied, by Kafka's number.
        permission_type: i8 [1..],
    }

    /// What became of the rules.
    pub struct CreateAclsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [1..],
        /// One for each, in their order.
        results: Vec<AclCreationResult> [1..],
    }

    /// What became of one rule.
    pub struct AclCreationResult {
        /// Why it does not hold.
        error_code: ErrorCode [1..],
        /// The same for people.
        error_message: Option<String> [1.., null 1..],
    }
}
