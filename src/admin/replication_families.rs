//! The table of the metrics of replication.

use super::family::{BYTES_COUNTER, BYTES_GAUGE, COUNTER, Family, GAUGE, Source, Value, each, family, one};

pub(super) static REPLICATION_FAMILIES: [Family; 9] = [
    family(
        "corelane_replicas",
        GAUGE,
        "Replicas of the shard that have others, by what they do: `lead` them, or `follow` one, or wait for a leader.",
        Source::Shard(|shard| {
            let roles = [("lead", shard.replication.leaders), ("follow", shard.replication.followers)];
            each(&roles, |it| it.0, |it| Value::Whole(it.1))
        }),
    )
    .by("role"),
    family(
        "corelane_under_replicated_partitions",
        GAUGE,
        "Partitions that the shard leads and that have a replica which is not in sync.",
        Source::Shard(|shard| one(shard.replication.under_replicated)),
    ),
    family(
        "corelane_under_min_isr_partitions",
        GAUGE,
        "Those with fewer in-sync replicas than `min.insync.replicas` asks for: they take nothing with `acks=all`.",
        Source::Shard(|shard| one(shard.replication.under_min_in_sync)),
    ),
    family(
        "corelane_replication_lag_records",
        GAUGE,
        "Records that the follower who is furthest behind has not synced, of any partition that the shard leads.",
        Source::Shard(|shard| one(shard.replication.lag_records_max)),
    ),
    family(
        "corelane_replication_window_used",
        BYTES_GAUGE,
        "Bytes on their way to a peer shard that it has not answered, of the connection with most of them. At 32 MiB \
         its partitions are read from the log instead.",
        Source::Shard(|shard| one(shard.replication.window_bytes_max)),
    ),
    family(
        "corelane_replication_sessions",
        COUNTER,
        "Sessions with peer shards that have begun, whoever leads. One for each pair at a start; more say that \
         connections break.",
        Source::Shard(|shard| one(shard.replication.sessions)),
    ),
    family(
        "corelane_replication_catch_up",
        BYTES_COUNTER,
        "Bytes that were read of logs for followers that are behind.",
        Source::Shard(|shard| one(shard.replication.catch_up_bytes)),
    ),
    family(
        "corelane_replication_followed",
        BYTES_COUNTER,
        "Bytes of batches that were appended as follower.",
        Source::Shard(|shard| one(shard.replication.followed_bytes)),
    ),
    family(
        "corelane_replication_cuts",
        COUNTER,
        "Logs that were cut to agree with their leaders'.",
        Source::Shard(|shard| one(shard.replication.cuts)),
    ),
];
