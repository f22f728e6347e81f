//! What a partition decides: offsets, duplicates, terms, what is committed and what may be read. Pure and
//! synchronous: it owns no bytes, does no I/O and reads no clock. The shard acts on its decisions.

mod append;
mod epochs;
mod producers;
mod progress;
mod read;
mod state;
mod window;

#[cfg(test)]
mod append_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod producers_tests;
#[cfg(test)]
mod replicated_tests;
#[cfg(test)]
mod state_tests;
#[cfg(test)]
mod test_support;

pub use append::{AppendDecision, AppendError};
pub use epochs::{EpochEnd, EpochHistory, EpochWentBack};
pub use producers::{ActiveProducer, InvalidProducerState, ProducerError, ProducerTable, Verdict};
pub use progress::Progress;
pub use read::{FetchError, LeaderEpochError, OffsetNotAvailable};
pub use state::{LogStartError, Partition, ReplayError, RestoreError, TruncateError};
