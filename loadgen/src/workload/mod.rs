//! What is sent: values, keys, batches, and how they are read again.

mod batch;
mod keys;
mod records;
mod stamp;
mod values;

pub use batch::{BatchMaker, Identity, MadeBatch, Supplies};
pub use records::records;
pub use stamp::{STAMP_BYTES, Stamp};
