//! Why a connection was closed.

use crate::api::Refused;
use crate::protocol::FrameError;
use crate::shard::ConnectionEnd;

/// The reason for a connection's end, for the log.
#[derive(Debug, thiserror::Error)]
pub enum Closed {
    /// The client left.
    #[error("the client left")]
    ByClient,
    /// The socket failed.
    #[error("socket: {0}")]
    Socket(#[from] std::io::Error),
    /// What was sent is no frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A request cannot be answered.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A request names more than there is memory to answer.
    #[error("a request of {length} bytes would take {cost_bytes} bytes of memory, {total_bytes} are all")]
    TooCostly {
        /// The request's length, in bytes.
        length: usize,
        /// What it would take.
        cost_bytes: u64,
        /// All memory for requests.
        total_bytes: u64,
    },
    /// A request was begun and did not go on.
    #[error("a request stopped in its middle")]
    RequestStalled,
    /// Responses are not read, and others need the memory that they take.
    #[error("responses are not read, and others wait for the memory that they take")]
    ResponsesStalled,
    /// The shard stops.
    #[error("the shard stops")]
    Stopping,
}

impl Closed {
    /// As it is counted.
    pub(super) fn end(&self) -> ConnectionEnd {
        match self {
            Closed::ByClient | Closed::Socket(_) => ConnectionEnd::Client,
            Closed::Frame(_) | Closed::Refused(_) | Closed::TooCostly { .. } => ConnectionEnd::Request,
            Closed::RequestStalled | Closed::ResponsesStalled => ConnectionEnd::Stall,
            Closed::Stopping => ConnectionEnd::Stop,
        }
    }
}
