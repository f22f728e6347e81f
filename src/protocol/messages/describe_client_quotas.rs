//! DescribeClientQuotas: bounds on what clients may do (KIP-546).

use crate::protocol::{ErrorCode, Float64};

api! {
    DescribeClientQuotas: DescribeClientQuotasRequest => DescribeClientQuotasResponse,
    versions 0..=1, flexible 1..;

    /// Whose quotas are asked for.
    pub struct DescribeClientQuotasRequest {
        /// What they must match; none for all.
        components: Vec<ComponentData> [0..],
        /// Whether what they are of must have no other part.
        strict: bool [0..],
    }

    /// One part of what quotas are of.
    pub struct ComponentData {
        /// `user`, `client-id` or `ip`.
        entity_type: String [0..],
        /// 0 for a name, 1 for the default, 2 for any name.
        match_type: i8 [0..],
        /// The name.
        r#match: Option<String> [0.., null 0..],
    }

    /// The quotas.
    pub struct DescribeClientQuotasResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// Why there is no answer.
        error_code: ErrorCode [0..],
        /// The same for people.
        error_message: Option<String> [0.., null 0..],
        /// The quotas; `None` if there is no answer.
        entries: Option<Vec<EntryData>> [0.., null 0..] = Some(Vec::new()),
    }

    /// The quotas of one user, client or address.
    pub struct EntryData {
        /// What they are of.
        entity: Vec<EntityData> [0..],
        /// The quotas.
        values: Vec<ValueData> [0..],
    }

    /// One part of what quotas are of.
    pub struct EntityData {
        /// `user`, `client-id` or `ip`.
        entity_type: String [0..],
        /// The name; `None` for the default.
        entity_name: Option<String> [0.., null 0..],
    }

    /// One quota.
    pub struct ValueData {
        /// Its name.
        key: String [0..],
        /// Its value.
        value: Float64 [0..],
    }
}
