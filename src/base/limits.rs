//! Every bound in one place: its default, the configuration key that moves it (if any) and what happens when
//! it is reached. Bounds that must agree are checked against each other at compile time.

/// The unit of direct I/O: alignment of memory, file positions and lengths. Never configurable: it is part of
/// the formats on disk.
pub const BLOCK_BYTES: usize = 4096;

/// The longest string that Kafka's protocol allows, in bytes of UTF-8. A longer one makes the message malformed.
pub const STRING_BYTES_MAX: usize = i16::MAX as usize;

/// Memory that decoding one message may take, in bytes for each byte received. Real requests take up to 4: a
/// partition in a fetch is 16 bytes on the wire and 56 in memory. A message that wants more is malformed.
pub const DECODED_BYTES_PER_BYTE: usize = 8;

/// Memory that decoding one message may always take, in bytes, so that short messages are never refused.
pub const DECODED_BYTES_MIN: usize = 64 << 10;

/// Memory that decoding one message may never exceed, in bytes, however long the message is: enough for a
/// request that names half a million partitions. Payloads (records) are not copied and do not count.
pub const DECODED_BYTES_MAX: usize = 32 << 20;

const _: () = assert!(DECODED_BYTES_MIN >= STRING_BYTES_MAX && DECODED_BYTES_MIN <= DECODED_BYTES_MAX);
