//! The table of keys: all that can be configured. A key is added here and read in `resolve`.

use std::time::Duration;

use super::key::Key;
use super::kind::Kind;
use crate::base::ids::{NodeId, SHARDS_PER_NODE_MAX};
use crate::base::limits;

const LISTEN: Key = Key::fixed(
    "listen",
    Kind::Address,
    "127.0.0.1:9092",
    "Bootstrap address that clients are given. Port 0 picks free ports for it and for the shards.",
)
.flag("listen");
const SHARD_PORTS: Key = Key::derived(
    "shard.ports",
    Kind::Port,
    "port of `listen` + 100",
    "Port of shard 0; shard s has the s-th port after it. 0 picks free ports.",
)
.flag("shard-ports");
const ADVERTISED_HOST: Key = Key::derived(
    "advertised.host",
    Kind::Host,
    "host of `listen`",
    "Host that metadata tells clients to connect to. Required where `listen` is a wildcard.",
)
.flag("advertise-host");
const ADVERTISED_PORT: Key = Key::derived(
    "advertised.port",
    Kind::Port,
    "port of `listen`",
    "Bootstrap port as clients reach it, if it is mapped on the way.",
);
const ADVERTISED_SHARD_PORTS: Key = Key::derived(
    "advertised.shard.ports",
    Kind::Port,
    "`shard.ports`",
    "Port of shard 0 as clients reach it, if the shards' ports are mapped on the way.",
);

/// Keys of a `[[listener]]` table: a name, and the keys that elsewhere describe the only listener.
pub static LISTENER_KEYS: [Key; 6] = [
    Key::fixed("name", Kind::Name, "default", "The listener's name, in logs and in endpoints.json."),
    LISTEN,
    SHARD_PORTS,
    ADVERTISED_HOST,
    ADVERTISED_PORT,
    ADVERTISED_SHARD_PORTS,
];

/// All keys, in the order in which they are shown.
pub static KEYS: [Key; 60] = [
    Key::fixed(
        "data.dir",
        Kind::Path,
        "./corelane-data",
        "Directory of everything that the broker stores. Created if absent.",
    )
    .flag("data-dir"),
    Key::derived(
        "journal.dir",
        Kind::Path,
        "`data.dir`",
        "Directory of the shards' journals, to put them on a device of their own.",
    )
    .flag("journal-dir"),
    Key::fixed(
        "node.id",
        Kind::Integer { min: 0, max: NodeId::MAX.0 as i64 },
        "1",
        "The node's number. Shard s of node n is broker n * 1000 + s to clients.",
    )
    .flag("node-id"),
    Key::derived(
        "broker.rack",
        Kind::Name,
        "`node-` and `node.id`",
        "Rack that metadata gives for the node's brokers.",
    ),
    LISTEN,
    SHARD_PORTS,
    ADVERTISED_HOST,
    ADVERTISED_PORT,
    ADVERTISED_SHARD_PORTS,
    Key::fixed(
        "advertise",
        Kind::Choice(&["shard", "node"]),
        "shard",
        "`shard`: metadata lists a broker and a port for each shard, so that clients reach the core that owns \
         a partition. `node`: one broker and one port, for firewalls; requests are forwarded between cores.",
    ),
    Key::fixed(
        "admin.listen",
        Kind::OptionalAddress,
        "127.0.0.1:9644",
        "Address of the admin port, which serves /metrics, /healthz and /readyz by HTTP. Port 0 picks a free one; \
         `none` opens none.",
    )
    .flag("admin"),
    Key::fixed(
        "cluster.listen",
        Kind::OptionalAddress,
        "none",
        "Address of the cluster port, by which nodes reach each other; it is not for clients. `none`: the node is on its \
         own.",
    )
    .flag("cluster-listen"),
    Key::fixed(
        "cluster.advertised",
        Kind::OptionalAddress,
        "none",
        "Address by which other nodes reach the cluster port of a node that is no voter, if it is not `cluster.listen`. A \
         voter's is in `voters`.",
    ),
    Key::fixed(
        "voters",
        Kind::Voters,
        "none",
        "The nodes that keep the metadata and elect a controller, as ID@HOST:PORT,... with their cluster ports: 1, 3 or \
         5, the same on all nodes. Other nodes follow them.",
    )
    .flag("voters"),
    Key::derived(
        "shards",
        Kind::Integer { min: 1, max: SHARDS_PER_NODE_MAX as i64 },
        "one per allowed CPU, fewer if `memory` is short",
        "Number of shards, each pinned to a CPU.",
    )
    .flag("shards"),
    Key::derived(
        "cpus",
        Kind::Cpus,
        "the first allowed ones",
        "CPUs to run on, one shard each, such as 0-3,8. Instead of `shards`.",
    )
    .flag("cpus"),
    Key::derived(
        "memory",
        Kind::Size { min: limits::PROCESS_MEMORY_BYTES, max: 1 << 46 },
        "half of RAM or of the cgroup's limit",
        "Memory of the process. All budgets derive from it; a shard needs at least 256MiB.",
    )
    .flag("memory"),
    Key::derived(
        "journal.bytes",
        Kind::Size { min: limits::JOURNAL_BYTES_MIN, max: limits::JOURNAL_BYTES_MAX },
        "a quarter of a shard's memory, 192MiB to 512MiB",
        "Length of each shard's journal, in whole files of 64MiB (below 192MiB in three shorter ones). Bounds the \
         time of a restart; at most three quarters of a shard's memory. A journal that exists keeps its length.",
    ),
    Key::fixed(
        "journal.bypass.bytes",
        Kind::Size { min: limits::EXTENT_BYTES_MIN, max: 1 << 40 },
        "256KiB",
        "Record batches of this length or more are written to their segment at once, and the journal gets little more \
         than their header. That halves the bytes that are written; a lone batch waits for two writes instead of one. \
         Above `message.max.bytes`: never, as may suit a journal on a faster device.",
    ),
    Key::fixed(
        "disk.free.min",
        Kind::Size { min: 0, max: limits::DISK_FREE_BYTES_MAX },
        "1GiB",
        "Free space on the disk of `data.dir` below which produce is refused; consuming and deleting go on. It is \
         accepted again when a little more is free. 0: only when there is none.",
    ),
    Key::fixed(
        "auto.create.topics.enable",
        Kind::Boolean,
        "true",
        "Whether a client's metadata request creates the topics that it names, if the client allows it.",
    ),
    Key::derived(
        "num.partitions",
        Kind::Integer { min: 1, max: limits::TOPIC_PARTITIONS_MAX },
        "`shards`",
        "Partitions of a topic that is created without a number.",
    ),
    Key::fixed(
        "default.replication.factor",
        Kind::Integer { min: 1, max: limits::REPLICAS_PER_PARTITION_MAX as i64 },
        "1",
        "Copies of the partitions of a topic that is created without a number of them, or by a client that asks for it \
         in metadata. What counts is what the controller's node has here: give all voters the same.",
    ),
    Key::fixed(
        "unstable.replication.enable",
        Kind::Boolean,
        "false",
        "Whether topics may have copies on other nodes. A preview: docs/faults.md says what is known to be wrong. What counts \
         is what the controller's node has here: give all voters the same.",
    ),
    Key::fixed(
        "message.max.bytes",
        Kind::Bytes { min: 0, max: limits::MESSAGE_BYTES_MAX },
        "1048588",
        "Longest record batch that produce accepts.",
    ),
    Key::derived(
        "socket.request.max.bytes",
        Kind::Bytes { min: 1, max: limits::REQUEST_MEMORY_BYTES_MAX },
        "104857600, less if `memory` is short",
        "Longest request frame; a longer one closes the connection.",
    ),
    Key::derived(
        "fetch.max.bytes",
        Kind::Bytes { min: 1024, max: limits::FETCH_MEMORY_BYTES_MAX },
        "57671680, less if `memory` is short",
        "Most record bytes in one fetch response, but for a first batch that is longer.",
    ),
    Key::fixed(
        "max.incremental.fetch.session.cache.slots",
        Kind::Integer { min: 0, max: limits::FETCH_SESSIONS_MAX as i64 },
        "1000",
        "Incremental fetch sessions of each shard; further clients fetch without one, or take an old one's place.",
    ),
    Key::fixed(
        "log.segment.bytes",
        Kind::Bytes { min: limits::SEGMENT_BYTES_MIN, max: limits::SEGMENT_BYTES_MAX },
        "1073741824",
        "Length at which a segment file is sealed and the next begun.",
    ),
    Key::fixed(
        "log.roll.ms",
        Kind::Integer { min: 1, max: i64::MAX },
        "604800000",
        "Age in ms at which a segment file is sealed.",
    ),
    Key::fixed(
        "log.retention.ms",
        Kind::Integer { min: -1, max: i64::MAX },
        "604800000",
        "How long records are kept, in ms; -1: for ever.",
    ),
    Key::fixed(
        "log.retention.bytes",
        Kind::Integer { min: -1, max: i64::MAX },
        "-1",
        "Bytes of each partition that are kept; -1: all.",
    ),
    Key::fixed(
        "log.cleaner.backoff.ms",
        Kind::Integer { min: 1, max: 1_000_000_000_000 },
        "15000",
        "How often compaction looks for something to do, in ms.",
    ),
    Key::fixed(
        "log.cleaner.dedupe.buffer.size",
        Kind::Bytes { min: 1 << 20, max: limits::COMPACTION_MEMORY_BYTES_MAX },
        "134217728",
        "Memory for the keys of a pass of compaction, for each shard; at most 2.5 % of its part of memory.",
    ),
    Key::fixed(
        "log.cleaner.io.max.bytes.per.second",
        Kind::Bytes { min: 1, max: i64::MAX as u64 },
        "33554432",
        "Bytes that compaction reads and writes in a second at most, for each shard.",
    ),
    Key::fixed(
        "log.retention.check.interval.ms",
        Kind::Integer { min: 1, max: 1_000_000_000_000 },
        "300000",
        "How often retention and segments' ages are looked at, in ms.",
    ),
    Key::fixed(
        "producer.id.expiration.ms",
        Kind::Integer { min: 1, max: i32::MAX as i64 },
        "86400000",
        "How long a partition remembers an idempotent producer that appends nothing, in ms: as long, retries of its \
         batches are recognised.",
    ),
    Key::fixed(
        "scrub.bytes.per.second",
        Kind::Size { min: 0, max: limits::SCRUB_BYTES_PER_SECOND_MAX },
        "4MiB",
        "How fast each shard reads its sealed segments in the background to find damage, all of them once a day at \
         most. 0: never.",
    ),
    Key::fixed(
        "log.message.timestamp.type",
        Kind::Choice(&["CreateTime", "LogAppendTime"]),
        "CreateTime",
        "Whose clock gives records their timestamps: the producer's or the broker's.",
    ),
    Key::fixed(
        "log.message.timestamp.before.max.ms",
        Kind::Integer { min: 0, max: i64::MAX },
        "9223372036854775807",
        "How far a producer's timestamp may lie in the past, in ms.",
    ),
    Key::fixed(
        "log.message.timestamp.after.max.ms",
        Kind::Integer { min: 0, max: i64::MAX },
        "3600000",
        "How far a producer's timestamp may lie in the future, in ms.",
    ),
    Key::fixed(
        "log.flush.interval.messages",
        Kind::Choice(&["9223372036854775807", "1"]),
        "9223372036854775807",
        "Records between two syncs of a partition. Both values mean what is done: records are synced before they \
         are acknowledged. Topics can ask for less, see `memory.acknowledgement.enable`.",
    ),
    Key::fixed(
        "log.flush.interval.ms",
        Kind::Choice(&["9223372036854775807", "0", "1"]),
        "9223372036854775807",
        "Time between two syncs of a partition, in ms; as above.",
    ),
    Key::fixed(
        "memory.acknowledgement.enable",
        Kind::Boolean,
        "false",
        "Whether topics may be set to acknowledge records from memory, by `flush.messages` or `flush.ms`. A crash \
         or power loss loses such records although they were acknowledged.",
    ),
    Key::fixed(
        "compression.type",
        Kind::Choice(&["producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"]),
        "producer",
        "The codec of stored batches; `producer`: the one that they came with.",
    ),
    Key::fixed(
        "offsets.topic.num.partitions",
        Kind::Integer { min: 1, max: limits::TOPIC_PARTITIONS_MAX },
        "50",
        "Partitions of `__consumer_offsets`, in which groups are kept, when it is created with the first group.",
    ),
    Key::fixed(
        "offsets.topic.replication.factor",
        Kind::Integer { min: 1, max: limits::REPLICAS_PER_PARTITION_MAX as i64 },
        "3",
        "Copies of the partitions of `__consumer_offsets` when it is created, but no more than there are `voters`, or \
         nodes if there are more of those. There are no groups before as many nodes are alive.",
    ),
    Key::fixed(
        "offsets.retention.minutes",
        Kind::Integer { min: 1, max: i32::MAX as i64 },
        "10080",
        "How long a group's offsets are kept after its last member left, or after they were committed where there \
         are no members.",
    ),
    Key::fixed(
        "offsets.retention.check.interval.ms",
        Kind::Integer { min: 1, max: 1_000_000_000_000 },
        "600000",
        "How often the age of offsets is looked at, in ms.",
    ),
    Key::fixed(
        "offset.metadata.max.bytes",
        Kind::Bytes { min: 0, max: 32_767 },
        "4096",
        "Longest metadata that a client may commit with an offset.",
    ),
    Key::fixed(
        "group.initial.rebalance.delay.ms",
        Kind::Integer { min: 0, max: 3_600_000 },
        "3000",
        "How long the first rebalance of an empty group waits for more members, in ms.",
    ),
    Key::fixed(
        "group.min.session.timeout.ms",
        Kind::Integer { min: 1, max: i32::MAX as i64 },
        "6000",
        "Shortest session timeout that a member may ask for, in ms.",
    ),
    Key::fixed(
        "group.max.session.timeout.ms",
        Kind::Integer { min: 1, max: i32::MAX as i64 },
        "1800000",
        "Longest session timeout that a member may ask for, in ms.",
    ),
    Key::fixed(
        "group.max.size",
        Kind::Integer { min: 1, max: limits::GROUP_MEMBERS_MAX },
        "2000",
        "Members that a group may have. A rebalance of many keeps the shard from its other work for about 1 us each.",
    ),
    Key::derived(
        "max.connections",
        Kind::Integer { min: 1, max: limits::CONNECTIONS_MAX as i64 },
        "8192, fewer if `memory` is short",
        "Connections of each shard, which is a broker to its clients; more are closed at once.",
    ),
    Key::fixed(
        "max.in.flight.requests.per.connection",
        Kind::Integer { min: 1, max: limits::CONNECTION_REQUESTS_MAX },
        "128",
        "Requests of one connection that are read and not yet answered; then reading waits.",
    ),
    Key::fixed(
        "max.in.flight.bytes.per.connection",
        Kind::Size { min: 64 << 10, max: limits::REQUEST_MEMORY_BYTES_MAX },
        "16MiB",
        "Bytes of such requests; then reading waits. A longer request is taken alone.",
    ),
    Key::fixed(
        "shutdown.timeout",
        Kind::Duration { max: Duration::from_secs(600) },
        "5s",
        "How long a stop waits for requests in flight before it closes their connections.",
    ),
    Key::fixed(
        "log.level",
        Kind::LogFilter,
        "info",
        "What is logged to stderr: a level, or directives such as info,corelane::log=debug.",
    ),
    Key::fixed("log.format", Kind::Choice(&["human", "json"]), "human", "How it is logged, always in UTC."),
];

/// The known name that is most like a wrong one, if any is like it.
pub fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LIKENESS_MIN: f64 = 0.75;
    known
        .map(|name| (strsim::jaro_winkler(&wrong.to_ascii_lowercase(), &name.to_ascii_lowercase()), name))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::key::Fallback;
    use super::*;

    #[test]
    fn names_are_unique_and_fixed_defaults_are_legal() {
        for keys in [&KEYS[..], &LISTENER_KEYS[..]] {
            let names: HashSet<_> = keys.iter().map(|key| key.name).collect();
            assert_eq!(names.len(), keys.len());
            let variables: HashSet<_> = keys.iter().map(Key::variable).collect();
            assert_eq!(variables.len(), keys.len());
        }
        for key in &KEYS {
            assert!(key.doc.ends_with('.') && !key.doc.contains("  "), "{}", key.name);
            if let Fallback::Fixed(text) = key.fallback {
                assert_eq!(key.kind.parse(text).unwrap().to_string(), text, "{}", key.name);
            }
        }
    }

    #[test]
    fn documented_numbers_are_the_limits() {
        assert_eq!(limits::MESSAGE_BYTES_DEFAULT, 1_048_588);
        assert_eq!(limits::REQUEST_BYTES_DEFAULT, 104_857_600);
        assert_eq!(limits::FETCH_BYTES_DEFAULT, 57_671_680);
        assert_eq!(limits::SEGMENT_BYTES_DEFAULT, 1_073_741_824);
        assert_eq!(limits::CONNECTIONS_DEFAULT_MAX, 8192);
        assert_eq!(limits::DISK_FREE_BYTES_DEFAULT, 1 << 30);
        assert_eq!(limits::FETCH_SESSIONS_DEFAULT, 1000);
        assert_eq!(limits::GROUP_MEMBERS_DEFAULT, 2000);
        assert_eq!(limits::PRODUCER_ID_EXPIRATION_MS, 86_400_000);
        assert_eq!(limits::SHARD_MEMORY_BYTES_MIN, 256 << 20);
    }

    #[test]
    fn the_nearest_key() {
        let near = |wrong| nearest(wrong, KEYS.iter().map(|key| key.name));
        assert_eq!(near("log.segment.byte"), Some("log.segment.bytes"));
        assert_eq!(near("num.partition"), Some("num.partitions"));
        assert_eq!(near("datadir"), Some("data.dir"));
        assert_eq!(near("zzz"), None);
    }
}
