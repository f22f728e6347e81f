//! This node's cluster port: who comes, whether it is let in, and what it says.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::greet::{GreetError, read_hello};
use super::links::Arrival;
use super::quorum_frames::QuorumFrames;
use crate::base::limits::{ACCEPT_PAUSE_MS, LINK_CONNECTIONS_MAX, LINK_HANDSHAKE_MS, LINK_KEEP_ALIVE_S};
use crate::link::{FrameReader, Gate, Hello, Refused, StreamId};
use crate::quorum::{FrameError, RaftId};
use crate::runtime::tokio::{sleep, within};

/// Probes without an answer after which the peer's machine counts as gone.
const KEEP_ALIVE_PROBES: u32 = 3;

/// Why a connection has ended.
#[derive(Error, Debug)]
enum Ended {
    #[error("nothing that could be a handshake came in time")]
    NoHandshake,
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("it speaks for member {found}, and is member {expected}")]
    OtherMember { expected: RaftId, found: RaftId },
    #[error("a newer connection of the same node has taken its place")]
    Superseded,
    #[error("its node has closed it")]
    Closed,
}

/// Who serves the cluster port.
pub(super) struct Doorkeeper {
    gate: Mutex<Gate>,
    member_of: fn(Uuid) -> RaftId,
    arrivals: mpsc::Sender<Arrival>,
    /// By stream: the session that is there, and how it is told to go.
    present: Mutex<BTreeMap<StreamId, (u64, Arc<Notify>)>>,
}

impl Doorkeeper {
    pub fn new(gate: Mutex<Gate>, member_of: fn(Uuid) -> RaftId, arrivals: mpsc::Sender<Arrival>) -> Self {
        Doorkeeper { gate, member_of, arrivals, present: Mutex::default() }
    }

    /// Takes connections until it is dropped.
    pub async fn accept(self: Arc<Self>, listener: TcpListener) -> Infallible {
        let places = Arc::new(Semaphore::new(LINK_CONNECTIONS_MAX));
        let mut connections = JoinSet::new();
        loop {
            let place = Arc::clone(&places).acquire_owned().await.expect("never closed");
            while connections.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((socket, address)) => {
                    let doorkeeper = Arc::clone(&self);
                    connections.spawn(async move {
                        doorkeeper.serve(socket, address).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "the cluster port cannot accept connections");
                    sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            }
        }
    }

    async fn serve(&self, mut socket: TcpStream, address: SocketAddr) {
        let greeting = within(Duration::from_millis(LINK_HANDSHAKE_MS), self.greet(&mut socket)).await;
        let hello = match greeting.unwrap_or(Err(Ended::NoHandshake)) {
            Ok(hello) => hello,
            // Who connects and goes, such as a check that the port is open, does no harm.
            Err(Ended::Io(error)) => {
                return tracing::debug!(%address, %error, "a connection to the cluster port has come to nothing");
            }
            Err(error) => {
                return tracing::warn!(%address, "a connection to the cluster port is refused: {error}");
            }
        };
        let stream = hello.stream();
        let leave = self.enter(stream, hello.session);
        let receiving = std::pin::pin!(self.receive(&mut socket, &hello));
        let ended = match select(receiving, std::pin::pin!(leave.notified())).await {
            Either::Left((Err(ended), _)) => ended,
            Either::Left((Ok(never), _)) => match never {},
            Either::Right(_) => Ended::Superseded,
        };
        self.leave(stream, hello.session);
        let node = hello.from.node;
        match ended {
            Ended::Closed | Ended::Superseded | Ended::Io(_) => {
                tracing::debug!(%node, %address, "a node's connection has ended: {ended}");
            }
            _ => tracing::error!(%node, %address, "a node's connection is closed: {ended}"),
        }
    }

    /// Reads the hello and answers it, unless it is none.
    async fn greet(&self, socket: &mut TcpStream) -> Result<Hello, Ended> {
        keep_alive(socket)?;
        let heard = match read_hello(socket).await {
            Ok(hello) => Ok(hello),
            Err(GreetError::Greeting(error)) => Err(Refused::Greeting(error)),
            Err(GreetError::Io(error)) => return Err(error.into()),
        };
        let (verdict, answer) = {
            let mut gate = lock(&self.gate);
            let verdict = heard.as_ref().map_err(Clone::clone).and_then(|hello| gate.admit(hello));
            let answer = gate.answer(&verdict);
            (verdict, answer)
        };
        if verdict.as_ref().err().is_none_or(Refused::is_answered) {
            socket.write_all(&answer.encode()).await?;
        }
        verdict?;
        Ok(heard?)
    }

    /// The newest session of a stream is the only one that is served.
    fn enter(&self, stream: StreamId, session: u64) -> Arc<Notify> {
        let leave = Arc::new(Notify::new());
        let mut present = lock(&self.present);
        match present.get(&stream) {
            // It has come while this one was on its way here.
            Some((newer, _)) if *newer > session => leave.notify_one(),
            _ => {
                if let Some((_, older)) = present.insert(stream, (session, Arc::clone(&leave))) {
                    older.notify_one();
                }
            }
        }
        leave
    }

    fn leave(&self, stream: StreamId, session: u64) {
        let mut present = lock(&self.present);
        if present.get(&stream).is_some_and(|(there, _)| *there == session) {
            present.remove(&stream);
        }
    }

    async fn receive(&self, socket: &mut TcpStream, hello: &Hello) -> Result<Infallible, Ended> {
        let expected = (self.member_of)(hello.from.disk);
        let mut reader = FrameReader::<QuorumFrames>::new();
        loop {
            let bytes = socket.read(reader.spare()).await?;
            if bytes == 0 {
                return Err(Ended::Closed);
            }
            if !reader.filled(bytes)? {
                continue;
            }
            let (header, body) = reader.frame().expect("it is whole");
            let address = header.address;
            if address.from != expected {
                return Err(Ended::OtherMember { expected, found: address.from });
            }
            let message = header.decode_body(body)?;
            // While the member is busy, the connection is not read.
            if self.arrivals.send(Arrival::Message { address, message }).await.is_err() {
                return Err(Ended::Closed);
            }
        }
    }
}

/// Never held while anybody waits. What is inside is whole after each call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has the system notice when the peer's machine is gone: nothing is sent on this connection, which would show it.
fn keep_alive(socket: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    let pause = Duration::from_secs(LINK_KEEP_ALIVE_S);
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, pause)?;
    sockopt::set_tcp_keepintvl(socket, pause)?;
    sockopt::set_tcp_keepcnt(socket, KEEP_ALIVE_PROBES)?;
    Ok(())
}
