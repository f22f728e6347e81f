//! InitProducerId: the identity by which duplicates of a producer's batches are recognised.

use crate::protocol::ErrorCode;

api! {
    InitProducerId: InitProducerIdRequest => InitProducerIdResponse, versions 0..=5, flexible 2..;

    /// Who asks.
    pub struct InitProducerIdRequest {
        /// The transactional id, `None` for a producer that is only idempotent.
        transactional_id: Option<String> [0.., null 0..],
        /// When to abort a transaction of this producer that does not go on.
        transaction_timeout_ms: i32 [0..],
        /// The producer id that the producer has, -1 if none (KIP-360).
        producer_id: i64 [3..] = -1,
        /// The epoch that the producer has, -1 if none.
        producer_epoch: i16 [3..] = -1,
    }

    /// The identity given.
    pub struct InitProducerIdResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// Why there is none.
        error_code: ErrorCode [0..],
        /// The producer id.
        producer_id: i64 [0..] = -1,
        /// The producer's epoch.
        producer_epoch: i16 [0..],
    }
}
