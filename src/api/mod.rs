//! Kafka's requests, one file each: what each means for this broker. The router takes a frame apart and finds the
//! file; `errors` says which Kafka error each refusal is.

mod accept;
mod alter_configs;
mod api_versions;
mod broker_configs;
mod brokers;
mod commands;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_topic_partitions;
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
mod recompress;
mod record_time;
mod reply;
mod router;
#[cfg(test)]
mod tests;
mod timestamps;
mod topics;

pub use guard::is_guarded;
pub use pending_produce::PendingProduce;
pub use reply::{Refused, Reply};
pub use router::{Call, Caller, OtherCall, ProduceCall, decode, is_produce};
