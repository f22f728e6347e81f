//! One core's world: its partitions, its journal, who waits for them.

mod append;
mod checkpointer;
mod error;
mod file_cache;
mod hand_off;
mod index_cache;
mod open;
mod read;
mod replica;
mod stop;
mod storage;
mod truncate;
mod write_back;

pub use append::Appended;
pub use error::StorageError;
pub use hand_off::HandOffError;
pub use open::PartitionSpec;
pub use replica::Replica;
pub use storage::{Storage, StorageConfig};
