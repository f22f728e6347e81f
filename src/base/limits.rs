//! Every bound in one place: its default, the configuration key that moves it (if any) and what happens when
//! it is reached. Bounds that must agree are checked against each other at compile time.

/// The unit of direct I/O: alignment of memory, file positions and lengths. Never configurable: it is part of
/// the formats on disk.
pub const BLOCK_BYTES: usize = 4096;

/// Journal writes outstanding at once. Two keep the disk busy while replies go out; more only pay for large
/// frames. When reached, the open group goes on filling.
pub const GROUPS_IN_FLIGHT_MAX: usize = 2;

/// Journal files kept free for entries that make room (carried remainders). When only these are left, produce
/// waits.
pub const JOURNAL_RESERVED_FILES: u64 = 1;

/// Length of one write when a journal file is made.
pub const JOURNAL_ZERO_WRITE_BYTES: usize = 1 << 20;
const _: () = assert!(JOURNAL_ZERO_WRITE_BYTES.is_multiple_of(BLOCK_BYTES));

/// Length of one read when the journal is read back.
pub const JOURNAL_READ_BYTES: usize = 1 << 20;

/// Journal space that only recoveries may use: 16 start groups. When even these are used up (as many crashes
/// in a row, each before the next checkpoint, in a full journal), the shard refuses to start.
pub const START_GROUPS_BYTES: u64 = 16 * BLOCK_BYTES as u64;

/// Distance between two entries of a segment's sparse index. Smaller finds positions more exactly and takes
/// more memory: 24 bytes an entry.
pub const INDEX_INTERVAL_BYTES: u64 = 32 << 10;

/// The largest piece of memory for a partition's tail, and so the longest write-back: longer writes block the
/// journal's in the device.
pub const CHUNK_BYTES_MAX: usize = 128 << 10;
const _: () = assert!(CHUNK_BYTES_MAX.is_multiple_of(BLOCK_BYTES) && CHUNK_BYTES_MAX.is_power_of_two());

/// The smallest step in which a segment file is given space; a partition with little data takes this much.
pub const SEGMENT_ALLOCATION_BYTES_MIN: u64 = 64 << 10;

/// The largest step in which a segment file is given space.
pub const SEGMENT_ALLOCATION_BYTES_MAX: u64 = 16 << 20;

/// Length of one read or write of a checkpoint: no longer than a write-back, for the same reason.
pub const CHECKPOINT_IO_BYTES: usize = CHUNK_BYTES_MAX;

/// The shortest read from a segment: shorter ones cost almost as much time.
pub const COLD_READ_BYTES_MIN: usize = 128 << 10;

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

/// `message.max.bytes` by default, Kafka's: 1 MiB and a batch header's length.
pub const MESSAGE_BYTES_DEFAULT: u64 = MIB + 12;

// Topics.

/// Partitions of one topic at most; CreateTopics beyond it is answered with INVALID_PARTITIONS.
pub const TOPIC_PARTITIONS_MAX: i64 = 10_000;
/// `log.segment.bytes` at least.
pub const SEGMENT_BYTES_MIN: u64 = MIB;
/// `log.segment.bytes` by default, Kafka's.
pub const SEGMENT_BYTES_DEFAULT: u64 = 1024 * MIB;
/// `log.segment.bytes` at most, Kafka's: positions in the index are signed 32 bits.
pub const SEGMENT_BYTES_MAX: u64 = i32::MAX as u64;

/// Length of a topic's name at most, Kafka's: with a partition's number it is the name of a directory.
/// CreateTopics beyond it is answered with INVALID_TOPIC_EXCEPTION.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;
/// Partitions that one shard owns at most. Reached: CreateTopics is answered with POLICY_VIOLATION, and a start
/// with fewer shards is refused.
pub const PARTITIONS_PER_SHARD_MAX: usize = 20_000;
/// Partitions that one CreateTopics makes at most, Kafka's. Beyond it: POLICY_VIOLATION.
pub const PARTITIONS_PER_COMMAND_MAX: usize = 10_000;
const _: () = assert!(TOPIC_PARTITIONS_MAX as usize <= PARTITIONS_PER_COMMAND_MAX);
const _: () = assert!(PARTITIONS_PER_COMMAND_MAX <= PARTITIONS_PER_SHARD_MAX);

/// Producer ids that a shard is given at once, Kafka's. The unused ones of a block are lost at a restart.
pub const PRODUCER_ID_BLOCK: i64 = 1000;

// Control.

/// Commands that wait for control. Reached: a shard's sender waits, and with it the request.
pub const CONTROL_COMMANDS_MAX: usize = 256;
/// Commands that control commits in one transaction at most.
pub const CONTROL_COMMANDS_PER_COMMIT_MAX: usize = 64;
/// Replies that wait until every shard has applied the change. Reached: control takes no further commands.
pub const CONTROL_REPLIES_WAITING_MAX: usize = 1024;
const _: () = assert!(CONTROL_COMMANDS_PER_COMMIT_MAX <= CONTROL_REPLIES_WAITING_MAX);

/// Memory in which the metadata store caches its pages.
pub const METADATA_CACHE_BYTES: usize = 8 << 20;
/// One metadata record in the store at most; a longer one counts as corruption. The longest is a topic with
/// every config set.
pub const METADATA_RECORD_BYTES_MAX: usize = 64 << 10;
/// Disk space reserved for deletions on a full disk, at least. It grows with the metadata store, which may
/// double in one commit.
pub const BALLAST_BYTES_MIN: u64 = 4 << 20;
/// DATA_DIR/node.json at most; a longer one counts as corruption.
pub const NODE_FILE_BYTES_MAX: u64 = 64 << 10;
