//! AlterClientQuotas: bounds on what clients may do (KIP-546).

use crate::protocol::{ErrorCode, Float64};

api! {
    AlterClientQuotas: AlterClientQuotasRequest => AlterClientQuotasResponse, versions 0..=1, flexible 1..;

    /// The quotas that are to hold.
    pub struct AlterClientQuotasRequest {
        /// By what they are of.
        entries: Vec<EntryData> [0..],
        /// Whether to check only, and change nothing.
        validate_only: bool [0..],
    }

    /// The quotas of one user, client or address.
    pub struct EntryData {
        /// What they are of.
        entity: Vec<EntityData> [0..],
        /// What is done to them.
        ops: Vec<OpData> [0..],
    }

    /// One part of what quotas are of.
    pub struct EntityData {
        /// `user`, `client-id` or `ip`.
        entity_type: String [0..],
        /// The name; `None` for the default.
        entity_name: Option<String> [0.., null 0..],
    }

    /// What is done to one quota.
    pub struct OpData {
        /// Its name.
        key: String [0..],
        /// Its new value.
        value: Float64 [0..],
        /// Whether it is not to be set any more.
        remove: bool [0..],
    }

    /// What became of the quotas.
    pub struct AlterClientQuotasResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// One for each entry, in their order.
        entries: Vec<EntryResponse> [0..],
    }

    /// What became of one entry.
    pub struct EntryResponse {
        /// Why nothing was changed.
        error_code: ErrorCode [0..],
        /// The same for people.
        error_message: Option<String> [0.., null 0..],
        /// What the quotas are of.
        entity: Vec<EntityData> [0..],
    }
}
