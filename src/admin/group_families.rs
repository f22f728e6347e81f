//! The metrics of consumer groups.

use super::family::{COUNTER, Family, GAUGE, SECONDS, Source, Value, each, family, one};

/// All of them, in the order in which they are shown.
pub(super) static GROUP_FAMILIES: [Family; 11] = [
    family(
        "corelane_groups",
        GAUGE,
        "Consumer groups that the shard coordinates, by Kafka's states: `Empty` (no members, perhaps offsets), \
         `PreparingRebalance` (members are asked to join again), `CompletingRebalance` (the leader assigns), `Stable`, \
         `Dead` (being forgotten).",
        Source::Shard(|shard| each(&shard.groups.groups, |it| it.0, |it| Value::Whole(it.1))),
    )
    .by("state"),
    family("corelane_group_members", GAUGE, "Their members.", Source::Shard(|shard| one(shard.groups.members))),
    family(
        "corelane_group_offsets",
        GAUGE,
        "Committed offsets that are kept for them.",
        Source::Shard(|shard| one(shard.groups.offsets)),
    ),
    family(
        "corelane_group_partitions",
        GAUGE,
        "Partitions of `__consumer_offsets` that the shard leads: `complete`, or `loading`, whose groups are refused \
         until they have been read. One that stays so cannot be read, and the log says why.",
        Source::Shard(|shard| each(&shard.groups.partitions, |it| it.0, |it| Value::Whole(it.1))),
    )
    .by("state"),
    family(
        "corelane_group_rebalances",
        COUNTER,
        "Rebalances that have begun. One that is begun anew before it ended counts again.",
        Source::Shard(|shard| one(shard.groups.rebalances)),
    ),
    family(
        "corelane_group_rebalance",
        SECONDS,
        "From the beginning of a rebalance until all members can have their shares, with the wait for members to join \
         (`group.initial.rebalance.delay.ms`, and their own slowness).",
        Source::Shard(|shard| {
            vec![(None, Value::Distribution(shard.groups.rebalance_durations.clone()))]
        }),
    ),
    family(
        "corelane_group_commit",
        SECONDS,
        "From when the coordinator was asked to commit offsets until it answered, which is when they are synced.",
        Source::Shard(|shard| vec![(None, Value::Distribution(shard.groups.commit_durations.clone()))]),
    ),
    family(
        "corelane_group_committed_offsets",
        COUNTER,
        "Offsets that were committed. Refused ones are not counted.",
        Source::Shard(|shard| one(shard.groups.committed_offsets)),
    ),
    family(
        "corelane_group_forgotten_offsets",
        COUNTER,
        "Offsets that were forgotten: `expired` (`offsets.retention.minutes`), `deleted` by request, alone or with their \
         group, or with their topic (`topic_deleted`).",
        Source::Shard(|shard| each(&shard.groups.forgotten_offsets, |it| it.0, |it| Value::Whole(it.1))),
    )
    .by("reason"),
    family(
        "corelane_group_load",
        SECONDS,
        "How long it took to read a partition of `__consumer_offsets`, after which its groups are served.",
        Source::Shard(|shard| vec![(None, Value::Distribution(shard.groups.load_durations.clone()))]),
    ),
    family(
        "corelane_group_loaded_records",
        COUNTER,
        "Records that were read for that.",
        Source::Shard(|shard| one(shard.groups.loaded_records)),
    ),
];
