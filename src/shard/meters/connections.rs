//! What is counted of connections.

use crate::base::meter::Counter;

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConnectionEnd {
    /// The client left, or its socket failed.
    Client,
    /// The shard stopped.
    Stop,
    /// What was sent could not be read, or could not be answered.
    Request,
    /// The client did not go on with a request, or did not read responses, for too long.
    Stall,
    /// There were too many connections: it was closed at once.
    Refused,
}

impl ConnectionEnd {
    /// All of them, in the order of their numbers.
    pub const ALL: [ConnectionEnd; 5] = [
        ConnectionEnd::Client,
        ConnectionEnd::Stop,
        ConnectionEnd::Request,
        ConnectionEnd::Stall,
        ConnectionEnd::Refused,
    ];

    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            ConnectionEnd::Client => "client",
            ConnectionEnd::Stop => "stop",
            ConnectionEnd::Request => "request",
            ConnectionEnd::Stall => "stall",
            ConnectionEnd::Refused => "refused",
        }
    }
}

/// Of all connections of a shard.
#[derive(Default, Debug)]
pub struct ConnectionMeters([Counter; 5]);

impl ConnectionMeters {
    /// Connections that ended so.
    pub fn ended(&self, end: ConnectionEnd) -> &Counter {
        &self.0[end as usize]
    }
}
