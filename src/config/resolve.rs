//! From settings to [`Config`]: defaults that follow from the machine, and checks of values against each other.

use super::budgets::{self, Budgets};

use super::error::ConfigError;
use super::listener::{Listener, check_ports};
use super::machine::Machine;
use super::settings::Settings;
use super::typed::{Advertise, ClusterPort, Config, LogFormat};
use super::units::format_size;
use super::value::Value;
use super::voters;
use crate::base::ids::{NodeId, SHARDS_PER_NODE_MAX};
use crate::base::limits::*;
use std::time::Duration;

/// Derives what is open in `settings` and in each listener's, and makes the typed configuration.
/// Without listeners of their own, the top-level keys describe the only one.
pub(super) fn resolve(
    settings: &mut Settings,
    listeners: &mut [Settings],
    machine: &Machine,
) -> Result<Config, Vec<ConfigError>> {
    let half = machine.memory_bytes / 2;
    settings.derive("memory", Value::Size(half - half % (1 << 20)));
    let memory_bytes = settings.size("memory");
    let shards_cut_by_memory =
        resolve_shards(settings, machine, memory_bytes).map_err(|error| vec![error])?;
    let shards: u16 = settings.number("shards");
    let shard_bytes = shard_memory(memory_bytes, shards).map_err(|error| vec![error])?;

    derive_the_rest(settings, shard_bytes);
    let mut errors = check_budgets(settings, shard_bytes);
    errors.extend(check_pairs(settings));
    let listeners =
        resolve_listeners(settings, listeners).map_err(|error| errors.push(error)).unwrap_or_default();
    let cluster = resolve_cluster(settings).map_err(|error| errors.push(error)).unwrap_or_default();
    if !errors.is_empty() {
        return Err(errors);
    }
    Ok(typed(settings, (listeners, cluster), shard_bytes, shards_cut_by_memory))
}

/// Settles `shards` and `cpus`. True if it was left open and memory allowed fewer shards than CPUs.
fn resolve_shards(
    settings: &mut Settings,
    machine: &Machine,
    memory_bytes: u64,
) -> Result<bool, ConfigError> {
    let max = usize::from(SHARDS_PER_NODE_MAX);
    if settings.is_set("cpus") {
        let cpus = settings.cpus("cpus").len();
        if cpus > max {
            return Err(ConfigError::TooManyShards { count: cpus, max: SHARDS_PER_NODE_MAX });
        }
        settings.derive("shards", Value::Integer(cpus as i64));
        let shards: u16 = settings.number("shards");
        if usize::from(shards) != cpus {
            let (shards_origin, cpus_origin) =
                (settings.origin("shards").clone(), settings.origin("cpus").clone());
            return Err(ConfigError::ShardsAndCpus { shards, shards_origin, cpus, cpus_origin });
        }
        return Ok(false);
    }
    let allowed = &machine.allowed_cpus;
    if allowed.is_empty() {
        return Err(ConfigError::NoCpu);
    }
    let wanted = allowed.len().min(max);
    let fitting = usize::try_from(budgets::shards_that_fit(memory_bytes)).unwrap_or(max);
    let cut = !settings.is_set("shards") && fitting < wanted;
    settings.derive("shards", Value::Integer(wanted.min(fitting.max(1)) as i64));
    let shards: usize = settings.number("shards");
    settings.derive("cpus", Value::Cpus(allowed.iter().copied().cycle().take(shards).collect()));
    Ok(cut)
}

fn shard_memory(memory_bytes: u64, shards: u16) -> Result<u64, ConfigError> {
    let shard_bytes = budgets::shard_bytes(memory_bytes, shards);
    if shard_bytes >= SHARD_MEMORY_BYTES_MIN {
        return Ok(shard_bytes);
    }
    Err(ConfigError::MemoryTooSmall {
        memory_bytes,
        shards,
        shard_bytes,
        shard_min_bytes: SHARD_MEMORY_BYTES_MIN,
        memory_needed_bytes: budgets::memory_for(SHARD_MEMORY_BYTES_MIN, shards),
        shards_that_fit: budgets::shards_that_fit(memory_bytes),
    })
}

fn derive_the_rest(settings: &mut Settings, shard_bytes: u64) {
    let integer = |bytes: u64| Value::Integer(i64::try_from(bytes).expect("limits are far below"));
    let request = REQUEST_BYTES_DEFAULT.min(budgets::request_bytes(shard_bytes));
    let fetch = FETCH_BYTES_DEFAULT.min(budgets::fetch_bytes(shard_bytes) / FETCHES_AT_ONCE);
    let connections = CONNECTIONS_DEFAULT_MAX.min(budgets::connections_that_fit(shard_bytes));
    settings.derive("journal.dir", Value::Text(settings.text("data.dir")));
    settings.derive("broker.rack", Value::Text(format!("node-{}", settings.number::<u32>("node.id"))));
    settings.derive("num.partitions", Value::Integer(settings.number("shards")));
    settings.derive("journal.bytes", Value::Size(budgets::journal_bytes_default(shard_bytes)));
    settings
        .refine("journal.bytes", Value::Size(budgets::whole_journal_files(settings.size("journal.bytes"))));
    settings.derive("socket.request.max.bytes", integer(request));
    settings.derive("fetch.max.bytes", integer(fetch));
    settings.derive("max.connections", integer(connections));
}

/// One key against the budget that it draws on.
struct Demand {
    key: &'static str,
    /// What the key makes the budget hold, in bytes.
    demand_bytes: u64,
    budget: &'static str,
    budget_bytes: u64,
    /// The budget's share of a shard's memory.
    share_percent: u64,
    /// The key's value, and the largest that fits.
    value: String,
    largest: String,
}

fn check_budgets(settings: &Settings, shard_bytes: u64) -> Vec<ConfigError> {
    let shards: u16 = settings.number("shards");
    let plain = |key| settings.number::<u64>(key);
    let journal = settings.size("journal.bytes");
    let journal_max = budgets::journal_bytes_that_fit(shard_bytes);
    let demands = [
        Demand {
            key: "journal.bytes",
            demand_bytes: journal,
            budget: "replaying the journal",
            budget_bytes: journal_max,
            share_percent: JOURNAL_MEMORY_PERCENT_MAX,
            value: format_size(journal),
            largest: format_size(journal_max),
        },
        plain_demand(
            ("message.max.bytes", plain("message.max.bytes"), UNDURABLE_GROUPS_MIN),
            ("records not yet durable", budgets::undurable_bytes(shard_bytes), UNDURABLE_MEMORY_PERCENT),
        ),
        plain_demand(
            ("socket.request.max.bytes", plain("socket.request.max.bytes"), 1),
            ("produce requests in flight", budgets::request_bytes(shard_bytes), REQUEST_MEMORY_PERCENT),
        ),
        plain_demand(
            ("fetch.max.bytes", plain("fetch.max.bytes"), 1),
            ("fetch responses", budgets::fetch_bytes(shard_bytes), FETCH_MEMORY_PERCENT),
        ),
        plain_demand(
            ("max.connections", plain("max.connections"), CONNECTION_BYTES),
            (
                "connections",
                budgets::connections_that_fit(shard_bytes) * CONNECTION_BYTES,
                CONNECTION_MEMORY_PERCENT,
            ),
        ),
    ];
    demands
        .into_iter()
        .filter(|demand| demand.demand_bytes > demand.budget_bytes)
        .map(|d| d.refuse(shards))
        .collect()
}

fn plain_demand(key: (&'static str, u64, u64), budget: (&'static str, u64, u64)) -> Demand {
    let ((key, value, bytes_each), (budget, budget_bytes, share_percent)) = (key, budget);
    Demand {
        key,
        demand_bytes: value * bytes_each,
        budget,
        budget_bytes,
        share_percent,
        value: value.to_string(),
        largest: (budget_bytes / bytes_each).to_string(),
    }
}

impl Demand {
    fn refuse(self, shards: u16) -> ConfigError {
        let shard_bytes = budgets::shard_bytes_for(self.demand_bytes, self.share_percent);
        ConfigError::BeyondBudget {
            key: self.key,
            value: self.value,
            budget: self.budget,
            budget_bytes: self.budget_bytes,
            largest: self.largest,
            memory_needed_bytes: budgets::memory_for(shard_bytes, shards),
        }
    }
}

/// Keys that must not be smaller than what another lets in.
fn check_pairs(settings: &Settings) -> Vec<ConfigError> {
    let batch: u64 = settings.number("message.max.bytes");
    let number = |key| settings.number::<u64>(key);
    let pairs = [
        ("socket.request.max.bytes", number("socket.request.max.bytes"), batch + REQUEST_OVERHEAD_BYTES),
        ("log.segment.bytes", number("log.segment.bytes"), batch),
        ("journal.bytes", settings.size("journal.bytes"), budgets::journal_bytes_for(batch)),
    ];
    let too_small = |(key, value, least): (&'static str, u64, u64)| {
        let error =
            ConfigError::TooSmallFor { key, value, other: "message.max.bytes", other_value: batch, least };
        (value < least).then_some(error)
    };
    pairs.into_iter().filter_map(too_small).collect()
}

fn resolve_listeners(
    settings: &mut Settings,
    records: &mut [Settings],
) -> Result<Vec<Listener>, ConfigError> {
    let shards = match advertise(settings) {
        Advertise::Shard => settings.number("shards"),
        // The one port of the node is the bootstrap port.
        Advertise::Node => 0,
    };
    let mut listeners: Vec<Listener> = Vec::new();
    if records.is_empty() {
        listeners.push(Listener::resolve(settings, "default".to_string(), shards)?);
    }
    for record in records {
        let name = record.text("name");
        if listeners.iter().any(|listener| listener.name == name) {
            return Err(ConfigError::ListenerNameTwice(name));
        }
        listeners.push(Listener::resolve(record, name, shards)?);
    }
    check_ports(&listeners, shards, settings.optional_address("admin.listen").as_ref())?;
    Ok(listeners)
}

/// The node among others, if it is.
fn resolve_cluster(settings: &Settings) -> Result<Option<ClusterPort>, ConfigError> {
    // What cannot be read was refused before.
    let voters = voters::parse(&settings.text("voters")).ok();
    let (listen, voters) = match (settings.optional_address("cluster.listen"), voters) {
        (None, None) => return Ok(None),
        (Some(listen), Some(voters)) => (listen, voters),
        (Some(_), None) => {
            return Err(ConfigError::HalfACluster { set: "cluster.listen", missing: "voters" });
        }
        (None, Some(_)) => {
            return Err(ConfigError::HalfACluster { set: "voters", missing: "cluster.listen" });
        }
    };
    let node = NodeId(settings.number("node.id"));
    let as_voter = voters.iter().find(|voter| voter.node == node).map(|voter| voter.address.clone());
    let advertised = as_voter.or(settings.optional_address("cluster.advertised")).unwrap_or(listen.clone());
    if advertised.is_wildcard() || advertised.port == 0 || listen.port == 0 {
        return Err(ConfigError::ClusterAddress(advertised.to_string()));
    }
    Ok(Some(ClusterPort { listen, advertised, voters }))
}

fn advertise(settings: &Settings) -> Advertise {
    match settings.text("advertise").as_str() {
        "shard" => Advertise::Shard,
        _ => Advertise::Node,
    }
}

fn typed(
    settings: &Settings,
    (listeners, cluster): (Vec<Listener>, Option<ClusterPort>),
    shard_bytes: u64,
    shards_cut_by_memory: bool,
) -> Config {
    let journal_bytes = settings.size("journal.bytes");
    let in_flight_bytes = settings.size("max.in.flight.bytes.per.connection");
    let replicas_max =
        if settings.boolean("unstable.replication.enable") { REPLICAS_PER_PARTITION_MAX } else { 1 };
    Config {
        data_dir: settings.text("data.dir").into(),
        journal_dir: settings.text("journal.dir").into(),
        node_id: NodeId(settings.number("node.id")),
        broker_rack: settings.text("broker.rack"),
        listeners,
        advertise: advertise(settings),
        admin: settings.optional_address("admin.listen"),
        cluster,
        shard_cpus: settings.cpus("cpus"),
        shards_cut_by_memory,
        memory_bytes: settings.size("memory"),
        budgets: Budgets::divide(shard_bytes, journal_bytes, settings.number("max.connections")),
        journal_bytes,
        journal_bypass_bytes: settings.size("journal.bypass.bytes"),
        disk_free_bytes_min: settings.size("disk.free.min"),
        auto_create_topics_enable: settings.boolean("auto.create.topics.enable"),
        num_partitions: settings.number("num.partitions"),
        default_replication_factor: settings.number("default.replication.factor"),
        replicas_max,
        message_max_bytes: settings.number("message.max.bytes"),
        socket_request_max_bytes: settings.number("socket.request.max.bytes"),
        fetch_max_bytes: settings.number("fetch.max.bytes"),
        log_segment_bytes: settings.number("log.segment.bytes"),
        log_roll_ms: settings.number("log.roll.ms"),
        log_retention_ms: settings.number("log.retention.ms"),
        log_retention_bytes: settings.number("log.retention.bytes"),
        log_cleaner_backoff: Duration::from_millis(settings.number("log.cleaner.backoff.ms")),
        log_cleaner_dedupe_buffer_size: settings.number("log.cleaner.dedupe.buffer.size"),
        log_cleaner_io_max_bytes_per_second: settings.number("log.cleaner.io.max.bytes.per.second"),
        log_retention_check_interval: Duration::from_millis(
            settings.number("log.retention.check.interval.ms"),
        ),
        producer_id_expiration_ms: settings.number("producer.id.expiration.ms"),
        scrub_bytes_per_second: settings.size("scrub.bytes.per.second"),
        log_message_timestamp_type: settings.text("log.message.timestamp.type"),
        log_message_timestamp_before_max_ms: settings.number("log.message.timestamp.before.max.ms"),
        log_message_timestamp_after_max_ms: settings.number("log.message.timestamp.after.max.ms"),
        log_flush_interval_messages: settings.text("log.flush.interval.messages"),
        log_flush_interval_ms: settings.text("log.flush.interval.ms"),
        memory_acknowledgement_enable: settings.boolean("memory.acknowledgement.enable"),
        compression_type: settings.text("compression.type"),
        offsets_topic_num_partitions: settings.number("offsets.topic.num.partitions"),
        offsets_topic_replication_factor: settings
            .number::<i16>("offsets.topic.replication.factor")
            .min(i16::try_from(replicas_max).unwrap_or(i16::MAX)),
        offsets_retention: Duration::from_secs(60 * settings.number::<u64>("offsets.retention.minutes")),
        offsets_retention_check_interval: Duration::from_millis(
            settings.number("offsets.retention.check.interval.ms"),
        ),
        offset_metadata_max_bytes: settings.number("offset.metadata.max.bytes"),
        group_initial_rebalance_delay: Duration::from_millis(
            settings.number("group.initial.rebalance.delay.ms"),
        ),
        group_min_session_timeout_ms: settings.number("group.min.session.timeout.ms"),
        group_max_session_timeout_ms: settings.number("group.max.session.timeout.ms"),
        group_max_size: settings.number("group.max.size"),
        fetch_sessions_max: settings.number("max.incremental.fetch.session.cache.slots"),
        max_connections: settings.number("max.connections"),
        max_in_flight_requests_per_connection: settings.number("max.in.flight.requests.per.connection"),
        max_in_flight_bytes_per_connection: usize::try_from(in_flight_bytes)
            .expect("within the kind's range"),
        shutdown_timeout: settings.duration("shutdown.timeout"),
        log_filter: settings.text("log.level"),
        log_format: if settings.text("log.format") == "json" { LogFormat::Json } else { LogFormat::Human },
    }
}
