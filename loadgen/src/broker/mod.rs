//! What a broker shows of itself apart from Kafka's protocol: its memory, and the metrics of its admin port.

mod exposition;
mod watch;

pub use watch::{Watch, WatchError};
