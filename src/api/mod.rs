//! Kafka's requests, one file each: what each means for this broker. The router takes a frame apart and finds the
//! file; `errors` says which Kafka error each refusal is.

mod api_versions;
mod brokers;
mod create_topics;
mod decompress;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod errors;
mod fetch;
mod guard;
mod init_producer_id;
mod leader_hints;
mod list_offsets;
mod metadata;
mod operations;
mod pending_produce;
mod produce;
mod record_time;
mod reply;
mod router;
#[cfg(test)]
mod tests;
mod topics;

pub use guard::is_guarded;
pub use pending_produce::PendingProduce;
pub use reply::{Refused, Reply};
pub use router::{Call, Caller, OtherCall, ProduceCall, decode, is_produce};
