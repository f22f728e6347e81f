//! Kafka's record batch, version 2 (KIP-98): the unit that producers send, that the log keeps and that consumers
//! get, byte for byte. Nothing here allocates, but for the builder, or does I/O.

mod builder;
mod header;
mod record;
mod records;
mod stored;
mod times;
mod validate;
mod walk;

#[cfg(test)]
mod interop_tests;

pub use builder::BatchBuilder;
pub use header::{
    Attributes, BatchHeader, BatchView, Compression, HEADER_BYTES, HeaderError, MAGIC, NO_LEADER_EPOCH,
    NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP, TimestampType, advance_sequence,
};
pub use record::{Record, records};
pub use records::{BadRecord, RecordFault, TimestampRange};
pub use stored::{RecordWalk, StoredRecord};
pub use times::record_times;
pub use validate::{InvalidBatch, RecordsCheck, ValidBatch, validate};
pub use walk::{BatchAt, Batches, CorruptBatch, Corruption};
