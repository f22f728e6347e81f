//! Talking to brokers: blocking calls to get ready, and the streams that load goes through.

mod blocking;
mod cluster;
mod error;
mod event;
mod offsets;
mod retry;
mod stream;
mod versions;

pub use blocking::{BlockingClient, CLIENT_ID, RESPONSE_BYTES_MAX};
pub use cluster::{Cluster, Partition, address, describe_broker, init_producer_id, prepare};
pub use error::ClientError;
pub use event::Event;
pub use offsets::{LATEST, list_offsets};
pub use retry::{Patience, when_ready};
pub use stream::Stream;
pub use versions::Versions;
