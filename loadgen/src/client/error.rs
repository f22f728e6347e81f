//! What goes wrong between this program and brokers. Each message names the remedy where there is one.

use std::io;

use corelane::protocol::{ApiKey, DecodeError, ErrorCode, FrameError};
use thiserror::Error;

/// A failure to talk to the cluster.
#[derive(Debug, Error)]
pub enum ClientError {
    /// An address that is not one.
    #[error("`{0}` is no address of a broker; write HOST:PORT")]
    Address(String),
    /// Nobody answers at any of the addresses.
    #[error("no broker can be reached at {brokers}: {source}; is it running, and is --brokers right?")]
    Unreachable {
        /// The addresses tried.
        brokers: String,
        /// What the last one said.
        source: io::Error,
    },
    /// A broker that the cluster names cannot be reached.
    #[error(
        "broker {id}, which the cluster says is at {address}, cannot be reached: {source}; its advertised address must be reachable from here"
    )]
    AdvertisedUnreachable {
        /// The broker's id.
        id: i32,
        /// Its advertised address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The connection broke.
    #[error(
        "the connection to {address} broke: {source}; see the broker's log, and whether it is still running"
    )]
    Broken {
        /// The broker's address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// A frame that cannot be right.
    #[error("{address} sent what is not Kafka's protocol: {source}")]
    Frame {
        /// The broker's address.
        address: String,
        /// What is wrong.
        source: FrameError,
    },
    /// A response that cannot be right.
    #[error("{address} sent a response to {api:?} that cannot be read: {source}")]
    Response {
        /// The broker's address.
        address: String,
        /// What was asked.
        api: ApiKey,
        /// What is wrong.
        source: DecodeError,
    },
    /// Responses out of order.
    #[error("{address} answered request {got} where {expected} was due")]
    OutOfOrder {
        /// The broker's address.
        address: String,
        /// The response that was due.
        expected: i32,
        /// The one that came.
        got: i32,
    },
    /// The broker and this program have no version in common.
    #[error("{address} and this program have no version of {api:?} in common")]
    NoVersion {
        /// The broker's address.
        address: String,
        /// The API.
        api: ApiKey,
    },
    /// The broker refuses something.
    #[error("{what}: {code} ({})", code.meaning())]
    Refused {
        /// What was asked.
        what: String,
        /// The answer.
        code: ErrorCode,
    },
    /// A topic that is not there.
    #[error("topic `{0}` does not exist; give --partitions N to have it created")]
    NoTopic(String),
    /// A topic that is not as asked for.
    #[error(
        "topic `{topic}` has {found} partitions, not {wanted}; choose another --topic, or leave --partitions out"
    )]
    PartitionCount {
        /// The topic.
        topic: String,
        /// Partitions that it has.
        found: usize,
        /// Partitions asked for.
        wanted: i32,
    },
    /// Partitions without a leader.
    #[error("partition {partition} of `{topic}` has no leader: {code}; wait until the cluster is well")]
    NoLeader {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// What metadata says.
        code: ErrorCode,
    },
}

impl ClientError {
    /// The same for a broker that metadata named: its advertised address is what to look at.
    pub fn of_advertised(self, id: i32) -> ClientError {
        match self {
            ClientError::Broken { address, source } => {
                ClientError::AdvertisedUnreachable { id, address, source }
            }
            other => other,
        }
    }
}
