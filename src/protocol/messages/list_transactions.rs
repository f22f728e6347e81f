//! ListTransactions: the transactions that a broker coordinates (KIP-664, KIP-994, KIP-1152).

use crate::protocol::ErrorCode;

api! {
    ListTransactions: ListTransactionsRequest => ListTransactionsResponse, versions 0..=2, flexible 0..;

    /// Which transactions are asked for.
    pub struct ListTransactionsRequest {
        /// States by Kafka's names; none for all.
        state_filters: Vec<String> [0..],
        /// Producers; none for all.
        producer_id_filters: Vec<i64> [0..],
        /// How long they have been open at least, in ms; below 0 for all.
        duration_filter: i64 [1..] = -1,
        /// What their transactional ids must match; `None`, or nothing, for all.
        transactional_id_pattern: Option<String> [2.., null 2..],
    }

    /// The transactions.
    pub struct ListTransactionsResponse {
        /// How long the client should wait because of a quota.
        throttle_time_ms: i32 [0..],
        /// Why some may be missing.
        error_code: ErrorCode [0..],
        /// States that were asked for and that there are not.
        unknown_state_filters: Vec<String> [0..],
        /// The transactions.
        transaction_states: Vec<TransactionState> [0..],
    }

    /// One transaction.
    pub struct TransactionState {
        /// Its transactional id.
        transactional_id: String [0..],
        /// Its producer.
        producer_id: i64 [0..],
        /// Its state, by Kafka's name.
        transaction_state: String [0..],
    }
}
