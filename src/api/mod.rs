//! Kafka's requests, one file each: what each means for this broker. The router takes a frame apart and finds the
//! file; `errors` says which Kafka error each refusal is.

mod accept;
mod alter_configs;
mod api_versions;
mod broker_configs;
mod brokers;
mod commands;
mod cost;
mod create_partitions;
mod create_topics;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_topic_partitions;
mod errors;
mod fetch;
mod find_coordinator;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leader_hints;
mod leave_group;
mod list_groups;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
mod operations;
mod pace;
mod pending_produce;
mod produce;
mod recompress;
mod record_time;
mod reply;
mod router;
mod sync_group;
#[cfg(test)]
mod tests;
mod timestamps;
mod topics;

pub use crate::base::guard::is_guarded;
pub use cost::request_cost;
pub use pace::Pace;
pub use pending_produce::PendingProduce;
pub use reply::{Refused, Reply};
pub use router::{Call, Caller, OtherCall, ProduceCall, decode};
