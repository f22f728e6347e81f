//! Named workloads. Names and parameters are those of OpenMessaging Benchmark's files in its folder `workloads`; how
//! records are batched is left to its drivers there, and to `--batch` here.

/// A preset: its name, and flags as `name=value` with spaces between them.
pub const PRESETS: &[(&str, &str)] = &[
    (
        "1-topic-1-partition-100b",
        "topics=1 partitions=1 size=100 producers=1 consumers=1 rate=50000 duration=15m",
    ),
    (
        "1-topic-1-partition-1kb",
        "topics=1 partitions=1 size=1024 producers=1 consumers=1 rate=50000 duration=15m",
    ),
    (
        "1-topic-6-partition-100b",
        "topics=1 partitions=6 size=100 producers=1 consumers=1 rate=50000 duration=15m",
    ),
    (
        "1-topic-16-partition-100b",
        "topics=1 partitions=16 size=100 producers=1 consumers=1 rate=50000 duration=15m",
    ),
    (
        "1-topic-16-partitions-1kb",
        "topics=1 partitions=16 size=1024 producers=1 consumers=1 rate=50000 duration=15m",
    ),
    (
        "1-topic-100-partitions-1kb",
        "topics=1 partitions=100 size=1024 producers=1 consumers=1 rate=50000 duration=15m",
    ),
    (
        "1-topic-100-partitions-1kb-4p-4c-200k",
        "topics=1 partitions=100 size=1024 randomness=0.5 producers=4 consumers=4 rate=200000 duration=5m",
    ),
    (
        "1-topic-100-partitions-1kb-4p-4c-500k",
        "topics=1 partitions=100 size=1024 randomness=0.5 producers=4 consumers=4 rate=500000 duration=5m",
    ),
    // Not of that collection: every record is a request of its own, which is as hard as it gets.
    ("hard", "topics=1 partitions=100 size=100 producers=10 consumers=0 batch=1 rate=50000 duration=1m"),
];

/// The flags of a preset.
pub fn find(name: &str) -> Option<Vec<(String, String)>> {
    let (_, flags) = PRESETS.iter().find(|(preset, _)| *preset == name)?;
    let split = |flag: &str| {
        let (name, value) = flag.split_once('=').expect("presets are written as name=value");
        (name.to_owned(), value.to_owned())
    };
    Some(flags.split(' ').map(split).collect())
}
