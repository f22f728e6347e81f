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
