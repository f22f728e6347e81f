//! Every bound in one place: its default, the configuration key that moves it (if any) and what happens when
//! it is reached. Bounds that must agree are checked against each other at compile time.

/// The unit of direct I/O: alignment of memory, file positions and lengths. Never configurable: it is part of
/// the formats on disk.
pub const BLOCK_BYTES: usize = 4096;

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
