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

/// Segment files open at once per shard. When reached, the one opened first is closed.
pub const OPEN_SEGMENTS_MAX: usize = 2048;

/// Indexes of sealed segments in memory at once per shard, each at most 24 bytes for every
/// [`INDEX_INTERVAL_BYTES`] of its segment. When reached, the one loaded first is dropped.
pub const CACHED_INDEXES_MAX: usize = 64;

/// A partition's tail up to this length is journaled again rather than written back when its journal file is
/// to be freed: ten thousand small writes would cost more than one long one.
pub const CARRY_BYTES_MAX: u64 = 64 << 10;

/// Partitions that a checkpoint describes before other tasks get a turn.
pub const PARTITIONS_PER_TURN: usize = 64;

/// Idempotent producers that a partition remembers. When one more comes, the sixteenth that has not appended for
/// longest is forgotten: such a producer may go on at any sequence number, but a retry of a batch that it
/// appended before is appended again. Not configurable; that many take about 1.8 MB.
pub const PRODUCERS_PER_PARTITION_MAX: usize = 4096;

/// Batches that a partition remembers of each idempotent producer to recognise their duplicates: clients keep at
/// most as many in flight. A retry of an older one is OUT_OF_ORDER_SEQUENCE_NUMBER. Fixed by the protocol.
pub const PRODUCER_DUPLICATE_WINDOW: usize = 5;

/// Batches that a partition keeps of each idempotent producer. A truncation takes away unacknowledged batches, of
/// which a producer has at most [`PRODUCER_DUPLICATE_WINDOW`]; as many more must be left, or their
/// duplicates would be taken for new. The oldest is forgotten when an eleventh comes.
pub const PRODUCER_BATCHES_KEPT: usize = 10;

const _: () = assert!(PRODUCER_BATCHES_KEPT >= 2 * PRODUCER_DUPLICATE_WINDOW);

/// How long an idle idempotent producer is remembered (`producer.id.expiration.ms`). After that it is unknown, as
/// beyond [`PRODUCERS_PER_PARTITION_MAX`].
pub const PRODUCER_ID_EXPIRATION_MS: i64 = 24 * 60 * 60 * 1000;

/// Leaders' terms that a partition remembers. When one more comes, the oldest is forgotten: who asks where
/// it ended is told where the oldest known one starts, as Kafka does after retention. Not configurable.
pub const EPOCHS_PER_PARTITION_MAX: usize = 1024;
/// Disk operations of one shard that the kernel works on at once: the size of the shard's io_uring. Further ones
/// wait in a queue of the shard.
pub const DISK_OPERATIONS_IN_FLIGHT_MAX: usize = 256;

/// Disk operations of one shard that may wait for a place in its io_uring. A further one fails at once with
/// `ResourceBusy`; nothing above should come near, since journal, write-back and reads have bounds of their own.
pub const DISK_OPERATIONS_WAITING_MAX: usize = 8192;

/// Connections that the kernel keeps for a listener until they are accepted; beyond it clients' SYNs are dropped
/// and tried again. The kernel lowers it to `net.core.somaxconn`.
pub const ACCEPT_BACKLOG: i32 = 4096;

const _: () = assert!(DISK_OPERATIONS_IN_FLIGHT_MAX.is_power_of_two(), "io_uring rounds up to powers of two");
