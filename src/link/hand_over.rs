//! Connections that other nodes have opened to the cluster port and that are for a shard: on their way from whoever has
//! let them in to the shard's thread. Only carried: nothing here reads or writes them.
//!
//! Whoever serves the cluster port answers the hello ([`super::Gate`]), then calls [`HandOver::give`] with the socket
//! as the standard library's, from which nothing behind the hello was read. With Tokio that is
//! `tokio::net::TcpStream::into_std`.

use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;
use tokio::sync::mpsc;

use super::hello::Hello;
use crate::base::ids::ShardId;
use crate::base::limits::PEER_ARRIVALS_MAX;

/// A connection that was let in.
#[derive(Debug)]
pub struct HandedOver {
    /// What its node said first.
    pub hello: Hello,
    /// The socket. Whether it blocks does not matter.
    pub socket: TcpStream,
}

/// Why a connection cannot be handed over. It is closed; its node tries again.
#[derive(Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum HandOverError {
    /// The node is starting, or the handshake should have refused it.
    #[error("there is no shard {0}, or not yet")]
    UnknownShard(ShardId),
    /// It is not for a shard at all.
    #[error("the connection is not one between shards")]
    NotOfShards,
    /// More have come than the shard takes.
    #[error("shard {0} has too many connections on their way to it")]
    Full(ShardId),
    /// It takes none any more.
    #[error("shard {0} is stopping")]
    Stopping(ShardId),
}

/// The way to the shards of the node; crosses threads. All copies are the same. Leads nowhere before [`HandOver::open`].
#[derive(Clone, Default, Debug)]
pub struct HandOver(Arc<Mutex<Vec<mpsc::Sender<HandedOver>>>>);

/// A shard's end.
pub type Arrivals = mpsc::Receiver<HandedOver>;

/// The way to so many shards, and their ends by their numbers.
pub fn arrivals(shards: usize) -> (HandOver, Vec<Arrivals>) {
    let hand_over = HandOver::default();
    let arrivals = hand_over.open(shards);
    (hand_over, arrivals)
}

impl HandOver {
    /// Leads to so many shards from now on, by these ends, and to none that it led to before.
    pub fn open(&self, shards: usize) -> Vec<Arrivals> {
        let (senders, receivers) = (0..shards).map(|_| mpsc::channel(PEER_ARRIVALS_MAX)).unzip();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = senders;
        receivers
    }

    /// Gives a connection to the shard that it is for. Never waits.
    pub fn give(&self, hello: Hello, socket: TcpStream) -> Result<(), HandOverError> {
        if !hello.kind.is_of_shards() {
            return Err(HandOverError::NotOfShards);
        }
        let shard = hello.to_shard;
        let senders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = senders.get(usize::from(shard.0)).ok_or(HandOverError::UnknownShard(shard))?;
        sender.try_send(HandedOver { hello, socket }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => HandOverError::Full(shard),
            mpsc::error::TrySendError::Closed(_) => HandOverError::Stopping(shard),
        })
    }
}

#[cfg(test)]
const _: fn() = || {
    fn crosses_threads<T: Send>() {}
    crosses_threads::<HandOver>();
    crosses_threads::<HandedOver>();
};

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use uuid::Uuid;

    use super::super::hello::{Start, StreamKind, session_of};
    use super::*;
    use crate::base::ids::NodeId;

    fn give(hand_over: &HandOver, kind: StreamKind, to_shard: u16) -> Result<(), HandOverError> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let socket = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let from = Start { node: NodeId(2), disk: Uuid::from_u128(2), incarnation: 1 };
        let (from_shard, to_shard, session) = (ShardId(0), ShardId(to_shard), session_of(1, 1));
        let hello = Hello { cluster: [1; 16], from, to: NodeId(1), kind, from_shard, to_shard, session };
        hand_over.give(hello, socket)
    }

    #[test]
    fn connections_go_to_the_shards_that_were_started_last() {
        let hand_over = HandOver::default();
        assert_eq!(give(&hand_over, StreamKind::Live, 0), Err(HandOverError::UnknownShard(ShardId(0))));
        let first = hand_over.open(2);
        assert_eq!(give(&hand_over, StreamKind::Quorum, 0), Err(HandOverError::NotOfShards));
        drop(first);
        assert_eq!(give(&hand_over, StreamKind::Live, 1), Err(HandOverError::Stopping(ShardId(1))));
        let mut second = hand_over.open(2);
        assert_eq!(give(&hand_over.clone(), StreamKind::Live, 1), Ok(()));
        let arrived = second[1].try_recv().expect("it is there");
        assert_eq!((arrived.hello.to_shard, second[0].try_recv().is_err()), (ShardId(1), true));
    }
}
