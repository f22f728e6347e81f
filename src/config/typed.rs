//! The configuration as the rest of the broker reads it: resolved, checked, in units that names state.

use std::path::PathBuf;
use std::time::Duration;

use super::address::HostPort;
use super::budgets::{Budgets, message_bytes_that_fit};
use super::listener::Listener;
use super::voters::Voter;
use crate::base::ids::{BrokerId, NodeId, ShardId};
use crate::base::limits::{MESSAGE_BYTES_MAX, REQUEST_OVERHEAD_BYTES, UNDURABLE_GROUPS_MIN};

/// Which brokers metadata lists for a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Advertise {
    /// One for each shard, each with a port of its own.
    Shard,
    /// One, with the bootstrap port. Shards have no ports of their own.
    Node,
}

impl Advertise {
    /// The broker id that stands for a shard of a node, wherever clients see or send one: in metadata, in
    /// assignments, as the name of a config's resource.
    pub fn broker_id(self, node: NodeId, shard: ShardId) -> BrokerId {
        match self {
            Advertise::Shard => node.broker_id(shard),
            Advertise::Node => node.broker_id(ShardId(0)),
        }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// What makes a node one among others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClusterPort {
    /// `cluster.listen`
    pub listen: HostPort,
    /// Where other nodes reach it.
    pub advertised: HostPort,
    /// `voters`, in order of their ids.
    pub voters: Vec<Voter>,
}

/// Everything that was configured or derived; `docs/configuration.md` describes the keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// `data.dir`
    pub data_dir: PathBuf,
    /// `journal.dir`
    pub journal_dir: PathBuf,
    /// `node.id`
    pub node_id: NodeId,
    /// `broker.rack`
    pub broker_rack: String,
    /// The listeners, at least one, their names and ports distinct.
    pub listeners: Vec<Listener>,
    /// `advertise`
    pub advertise: Advertise,
    /// `admin.listen`; port 0 for a free one
    pub admin: Option<HostPort>,
    /// `cluster.listen`, `cluster.advertised` and `voters`; none for a node on its own.
    pub cluster: Option<ClusterPort>,
    /// The CPU of each shard; its length is the number of shards, at least 1.
    pub shard_cpus: Vec<usize>,
    /// Whether the number of shards was left to us and `memory` allowed fewer than there are CPUs.
    pub shards_cut_by_memory: bool,
    /// `memory`
    pub memory_bytes: u64,
    /// One shard's memory by use.
    pub budgets: Budgets,
    /// `journal.bytes`, of one shard, whole files.
    pub journal_bytes: u64,
    /// `journal.bypass.bytes`
    pub journal_bypass_bytes: u64,
    /// `disk.free.min`
    pub disk_free_bytes_min: u64,
    /// `auto.create.topics.enable`
    pub auto_create_topics_enable: bool,
    /// `num.partitions`
    pub num_partitions: i32,
    /// `default.replication.factor`
    pub default_replication_factor: i16,
    /// Copies that a partition may have; from `unstable.replication.enable`.
    pub replicas_max: usize,
    /// `message.max.bytes`
    pub message_max_bytes: usize,
    /// `socket.request.max.bytes`
    pub socket_request_max_bytes: usize,
    /// `fetch.max.bytes`
    pub fetch_max_bytes: usize,
    /// `max.incremental.fetch.session.cache.slots`, of one shard.
    pub fetch_sessions_max: usize,
    /// `log.segment.bytes`
    pub log_segment_bytes: u64,
    /// `log.roll.ms`
    pub log_roll_ms: i64,
    /// `log.retention.ms`; -1: for ever
    pub log_retention_ms: i64,
    /// `log.retention.bytes`; -1: all
    pub log_retention_bytes: i64,
    /// `log.cleaner.backoff.ms`
    pub log_cleaner_backoff: Duration,
    /// `log.cleaner.dedupe.buffer.size`, for each shard
    pub log_cleaner_dedupe_buffer_size: u64,
    /// `log.cleaner.io.max.bytes.per.second`, for each shard
    pub log_cleaner_io_max_bytes_per_second: u64,
    /// `log.retention.check.interval.ms`
    pub log_retention_check_interval: Duration,
    /// `producer.id.expiration.ms`
    pub producer_id_expiration_ms: i64,
    /// `scrub.bytes.per.second`
    pub scrub_bytes_per_second: u64,
    /// `log.message.timestamp.type`: Kafka's word
    pub log_message_timestamp_type: String,
    /// `log.message.timestamp.before.max.ms`
    pub log_message_timestamp_before_max_ms: i64,
    /// `log.message.timestamp.after.max.ms`
    pub log_message_timestamp_after_max_ms: i64,
    /// `log.flush.interval.messages`; all values mean the same
    pub log_flush_interval_messages: String,
    /// `log.flush.interval.ms`; all values mean the same
    pub log_flush_interval_ms: String,
    /// `memory.acknowledgement.enable`
    pub memory_acknowledgement_enable: bool,
    /// `compression.type`: Kafka's word
    pub compression_type: String,
    /// `offsets.topic.num.partitions`
    pub offsets_topic_num_partitions: i32,
    /// `offsets.topic.replication.factor`
    pub offsets_topic_replication_factor: i16,
    /// `offsets.retention.minutes`
    pub offsets_retention: Duration,
    /// `offsets.retention.check.interval.ms`
    pub offsets_retention_check_interval: Duration,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_max_bytes: usize,
    /// `group.initial.rebalance.delay.ms`
    pub group_initial_rebalance_delay: Duration,
    /// `group.min.session.timeout.ms`
    pub group_min_session_timeout_ms: i32,
    /// `group.max.session.timeout.ms`
    pub group_max_session_timeout_ms: i32,
    /// `group.max.size`
    pub group_max_size: usize,
    /// `max.connections`, of one shard.
    pub max_connections: usize,
    /// `max.in.flight.requests.per.connection`
    pub max_in_flight_requests_per_connection: usize,
    /// `max.in.flight.bytes.per.connection`
    pub max_in_flight_bytes_per_connection: usize,
    /// `shutdown.timeout`
    pub shutdown_timeout: Duration,
    /// `log.level`: directives as `tracing_subscriber::EnvFilter` reads them.
    pub log_filter: String,
    /// `log.format`
    pub log_format: LogFormat,
}

impl Config {
    /// The number of shards.
    pub fn shards(&self) -> u16 {
        u16::try_from(self.shard_cpus.len()).expect("checked when resolved")
    }

    /// The shards' ids.
    pub fn shard_ids(&self) -> impl Iterator<Item = ShardId> + use<> {
        (0..self.shards()).map(ShardId)
    }

    /// Shards that have ports and broker ids of their own in metadata: all, or none in node mode.
    pub fn advertised_shards(&self) -> u16 {
        match self.advertise {
            Advertise::Shard => self.shards(),
            Advertise::Node => 0,
        }
    }

    /// The broker id of one of the node's shards; in node mode all have the same.
    pub fn broker_id(&self, shard: ShardId) -> BrokerId {
        self.advertise.broker_id(self.node_id, shard)
    }

    /// The longest batch that memory, requests and journals take, in bytes. `message.max.bytes` and topics'
    /// `max.message.bytes` are at most this.
    pub fn batch_bytes_max(&self) -> u64 {
        let request = (self.socket_request_max_bytes as u64).saturating_sub(REQUEST_OVERHEAD_BYTES);
        let undurable = self.budgets.undurable_bytes / UNDURABLE_GROUPS_MIN;
        MESSAGE_BYTES_MAX.min(request).min(undurable).min(message_bytes_that_fit(self.journal_bytes))
    }
}
