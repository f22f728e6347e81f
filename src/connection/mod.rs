//! Clients' connections: from bytes on a socket to requests, and from responses to bytes. One connection lives on
//! one shard from its first byte to its last.

mod connections;
mod error;
mod receive;
mod refusals;
mod responses;
mod session;
#[cfg(test)]
mod tests;
mod turn;

pub use connections::Connections;
pub use error::Closed;
