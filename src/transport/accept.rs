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
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::cluster_links::Question;
use super::control_frames::{ControlFrameError, ControlFrames, encode};
use super::greet::{GreetError, read_hello};
use super::links::Arrival;
use super::quorum_frames::QuorumFrames;
use super::warnings::Warnings;
use crate::base::limits::{
    ACCEPT_PAUSE_MS, LINK_CONNECTIONS_MAX, LINK_HANDSHAKE_MS, LINK_KEEP_ALIVE_S, LINK_WRITE_MS,
};
use crate::link::{FrameReader, Gate, HandOver, Hello, NO_CLUSTER, Refused, Start, StreamId, StreamKind};
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
    #[error(transparent)]
    ControlFrame(#[from] ControlFrameError),
    #[error("it does not take what it is answered")]
    TakesNothing,
    #[error("it sends a frame of session {found}, and its hello began session {expected}")]
    OtherSession { expected: u64, found: u64 },
    #[error("it speaks for member {found}, and is member {expected}")]
    OtherMember { expected: RaftId, found: RaftId },
    #[error("a newer connection of the same stream, or a newer start of its node, has taken its place")]
    Superseded,
    #[error("its node has closed it")]
    Closed,
}

/// A connection that is inside.
struct Present {
    start: Start,
    session: u64,
    /// How it is told to go.
    leave: Arc<Notify>,
}

/// Who serves the cluster port.
pub(super) struct Doorkeeper {
    gate: Mutex<Gate>,
    member_of: fn(Uuid) -> RaftId,
    arrivals: mpsc::Sender<Arrival>,
    questions: mpsc::Sender<Question>,
    hand_over: HandOver,
    present: Mutex<BTreeMap<StreamId, Present>>,
    warnings: Warnings,
}

impl Doorkeeper {
    pub fn new(
        gate: Mutex<Gate>,
        member_of: fn(Uuid) -> RaftId,
        arrivals: mpsc::Sender<Arrival>,
        questions: mpsc::Sender<Question>,
        hand_over: HandOver,
    ) -> Self {
        Doorkeeper {
            gate,
            member_of,
            arrivals,
            questions,
            hand_over,
            present: Mutex::default(),
            warnings: Warnings::default(),
        }
    }

    /// Another gate decides from now on. Who is inside stays.
    pub fn replace_gate(&self, gate: Gate) {
        *lock(&self.gate) = gate;
    }

    /// See [`Gate::register`]. What earlier starts of the node have opened ends, and what other disks have.
    pub fn register(&self, start: Start) {
        let newest = {
            let mut gate = lock(&self.gate);
            gate.register(start);
            gate.start_of(start.node)
        };
        if let Some(newest) = newest {
            self.end_others(&mut lock(&self.present), newest);
        }
    }

    fn end_others(&self, present: &mut BTreeMap<StreamId, Present>, newest: Start) {
        let is_other =
            |stream: &StreamId, there: &Present| stream.from == newest.node && there.start != newest;
        for (_, over) in present.extract_if(.., |stream, there| is_other(stream, there)) {
            over.leave.notify_one();
        }
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
            Err(Ended::Refused(error @ Refused::NoClusterYet(_))) => {
                return tracing::debug!(%address, "a connection to the cluster port is refused: {error}");
            }
            Err(error) => {
                match self.warnings.turn() {
                    Some(left_out) => tracing::warn!(
                        %address,
                        left_out,
                        "a connection to the cluster port is refused: {error}"
                    ),
                    None => tracing::debug!(%address, "a connection to the cluster port is refused: {error}"),
                }
                return;
            }
        };
        if hello.kind.is_of_shards() {
            return self.hand_over(hello, socket);
        }
        let stream = hello.stream();
        let leave = self.enter(&hello);
        let receiving = std::pin::pin!(async {
            match hello.kind {
                StreamKind::Control => self.answer(&mut socket, &hello).await,
                _ => self.receive(&mut socket, &hello).await,
            }
        });
        let ended = match select(receiving, std::pin::pin!(leave.notified())).await {
            Either::Left((Err(ended), _)) => ended,
            Either::Left((Ok(never), _)) => match never {},
            Either::Right(_) => Ended::Superseded,
        };
        self.leave(stream, &leave);
        let node = hello.from.node;
        match ended {
            Ended::Closed | Ended::Superseded | Ended::Io(_) => {
                tracing::debug!(%node, %address, "a node's connection has ended: {ended}");
            }
            _ => tracing::error!(%node, %address, "a node's connection is closed: {ended}"),
        }
    }

    /// From here on the connection is a shard's. Which of several is the newest the shard knows by their sessions.
    fn hand_over(&self, hello: Hello, socket: TcpStream) {
        let (node, shard) = (hello.from.node, hello.to_shard);
        let handed = socket
            .into_std()
            .map_err(|error| error.to_string())
            .and_then(|socket| self.hand_over.give(hello, socket).map_err(|error| error.to_string()));
        if let Err(error) = handed {
            // Its node tries again.
            tracing::debug!(%node, %shard, "a node's connection cannot be handed to a shard: {error}");
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

    /// The newest session of a stream is the only one that is served, and of a node's starts the newest.
    fn enter(&self, hello: &Hello) -> Arc<Notify> {
        let &Hello { from: start, session, .. } = hello;
        let leave = Arc::new(Notify::new());
        // A stranger, or a disk that nobody has registered yet, ends nothing.
        let is_newest = lock(&self.gate).start_of(start.node) == Some(start);
        let mut present = lock(&self.present);
        if is_newest {
            self.end_others(&mut present, start);
        }
        match present.get(&hello.stream()) {
            // It has come while this one was on its way here. Sessions of two disks do not compare.
            Some(newer) if newer.start.disk == start.disk && newer.session > session => leave.notify_one(),
            _ => {
                let there = Present { start, session, leave: Arc::clone(&leave) };
                if let Some(older) = present.insert(hello.stream(), there) {
                    older.leave.notify_one();
                }
            }
        }
        leave
    }

    fn leave(&self, stream: StreamId, leave: &Arc<Notify>) {
        let mut present = lock(&self.present);
        if present.get(&stream).is_some_and(|there| Arc::ptr_eq(&there.leave, leave)) {
            present.remove(&stream);
        }
    }

    /// Has each question answered before the next one is read, so a node has one waiting on each of its streams.
    async fn answer(&self, socket: &mut TcpStream, hello: &Hello) -> Result<Infallible, Ended> {
        let mut reader = FrameReader::<ControlFrames>::new();
        loop {
            let bytes = socket.read(reader.spare()).await?;
            if bytes == 0 {
                return Err(Ended::Closed);
            }
            if !reader.filled(bytes)? {
                continue;
            }
            let (header, body) = reader.frame().expect("it is whole");
            header.check(body)?;
            let (reply, answer) = oneshot::channel();
            let is_stranger = hello.cluster == NO_CLUSTER;
            let question = Question { from: hello.from, is_stranger, body: body.to_vec(), reply };
            if self.questions.send(question).await.is_err() {
                return Err(Ended::Closed);
            }
            let Ok(answer) = answer.await else { return Err(Ended::Closed) };
            let frame = encode(header.number, &answer);
            let written = within(Duration::from_millis(LINK_WRITE_MS), socket.write_all(&frame)).await;
            written.ok_or(Ended::TakesNothing)??;
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
            if address.session != hello.session {
                return Err(Ended::OtherSession { expected: hello.session, found: address.session });
            }
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
