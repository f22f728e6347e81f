//! Every bound in one place: its default, the configuration key that moves it (if any) and what happens when
//! it is reached. Bounds that must agree are checked against each other at compile time.

/// The unit of direct I/O: alignment of memory, file positions and lengths. Never configurable: it is part of
/// the formats on disk.
pub const BLOCK_BYTES: usize = 4096;

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
