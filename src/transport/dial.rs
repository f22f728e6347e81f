//! A connection to one peer, again and again: what [`Peer`] wants done, on a socket.

use std::io;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::greet::read_answer;
use super::lane::Lane;
use super::links::{Arrival, LinkPeer, LinkSettings};
use crate::base::limits::{LINK_HANDSHAKE_MS, LINK_UNCONFIRMED_MS, LINK_WRITE_MS};
use crate::base::splitmix::SplitMix;
use crate::link::{Action, Event, Hello, Notice, Peer, RefusalCode, Start, StreamKind};
use crate::quorum::{Outgoing, RaftId};
use crate::runtime::tokio::{Stopwatch, sleep, within};

/// Who keeps up the connection to a peer.
pub(super) struct Dialer {
    cluster: [u8; 16],
    own: Start,
    peer: LinkPeer,
    member_of: fn(Uuid) -> RaftId,
    chance: SplitMix,
    arrivals: mpsc::Sender<Arrival>,
    socket: Option<TcpStream>,
    /// Whether the present trouble was told of.
    is_told: bool,
}

impl Dialer {
    pub fn new(settings: &LinkSettings, peer: LinkPeer, seed: u64, arrivals: mpsc::Sender<Arrival>) -> Self {
        let LinkSettings { cluster, own, member_of, .. } = *settings;
        let (chance, socket, is_told) = (SplitMix::new(seed), None, false);
        Dialer { cluster, own, peer, member_of, chance, arrivals, socket, is_told }
    }

    /// Goes on until it is dropped.
    pub async fn run(mut self, lane: &Lane) {
        let clock = Stopwatch::start();
        let mut peer = Peer::new(self.cluster, self.own, self.peer.node, StreamKind::Quorum);
        let mut event = Event::Ready;
        loop {
            let step = peer.handle(clock.elapsed_ms(), self.chance.next_u64(), event);
            if let Some(notice) = step.notice {
                self.tell(&notice);
            }
            event = match step.action {
                Action::Connect => self.connect().await,
                Action::Greet(hello) => self.greet(&hello).await,
                Action::Carry { session, peer } => self.carry(lane, session, peer).await,
                Action::Wait { ms } => {
                    self.socket = None;
                    sleep(Duration::from_millis(ms)).await;
                    Event::Ready
                }
                Action::Stop => return,
            };
        }
    }

    fn tell(&mut self, notice: &Notice) {
        let (node, address) = (self.peer.node, &self.peer.address);
        match notice {
            Notice::Up => {
                self.is_told = false;
                tracing::info!(%node, %address, "the quorum's connection to a node is up");
            }
            Notice::Down => tracing::warn!(%node, %address, "the quorum's connection to a node has broken"),
            Notice::Refused(refusal) if refusal.code == RefusalCode::NoClusterYet => {
                tracing::info!(%node, %address, "a node is not there for the quorum's connection yet: {refusal}");
            }
            Notice::Refused(refusal) => {
                tracing::error!(%node, %address, code = ?refusal.code, "a node refuses the quorum's connection: {refusal}");
            }
        }
    }

    /// Attempts fail every second or so while a node is down. That is told once.
    fn failed(&mut self, what: &str) -> Event {
        let (node, address) = (self.peer.node, &self.peer.address);
        if std::mem::replace(&mut self.is_told, true) {
            tracing::debug!(%node, %address, "no connection to a node: {what}");
        } else {
            tracing::warn!(%node, %address, "no connection to a node, and it is tried again and again: {what}");
        }
        Event::Lost
    }

    async fn connect(&mut self) -> Event {
        let (host, port) = (self.peer.address.host.as_str(), self.peer.address.port);
        let connecting = TcpStream::connect((host, port));
        let connected = match within(Duration::from_millis(LINK_HANDSHAKE_MS), connecting).await {
            None => return self.failed("it does not answer"),
            Some(connected) => connected.and_then(|socket| set_up(&socket).map(|()| socket)),
        };
        match connected {
            Ok(socket) => {
                self.socket = Some(socket);
                Event::Connected
            }
            Err(error) => self.failed(&error.to_string()),
        }
    }

    async fn greet(&mut self, hello: &Hello) -> Event {
        let socket = self.socket.as_mut().expect("connected before");
        let greeting = async {
            socket.write_all(&hello.encode()).await?;
            read_answer(socket).await
        };
        match within(Duration::from_millis(LINK_HANDSHAKE_MS), greeting).await {
            None => self.failed("it takes the connection and does not answer"),
            Some(Err(error)) => self.failed(&error.to_string()),
            Some(Ok(answer)) => Event::Answered(answer),
        }
    }

    /// Sends what comes into the lane until the connection breaks.
    async fn carry(&mut self, lane: &Lane, session: u64, peer: Start) -> Event {
        let (own, to) = ((self.member_of)(self.own.disk), (self.member_of)(peer.disk));
        let mut socket = self.socket.take().expect("connected before");
        lane.open(to, Outgoing::new(self.cluster, own, to, session, peer.incarnation));
        send_frames(&mut socket, lane).await;
        lane.close();
        // If nobody receives any more, all of this ends at once.
        let _ = self.arrivals.send(Arrival::Unreachable(to)).await;
        Event::Lost
    }
}

/// Returns when the connection is of no more use.
async fn send_frames(socket: &mut TcpStream, lane: &Lane) {
    let (mut from_peer, mut to_peer) = socket.split();
    let mut nothing = [0];
    loop {
        let closed = std::pin::pin!(from_peer.read(&mut nothing));
        let frame = match select(std::pin::pin!(lane.next()), closed).await {
            Either::Left((frame, _)) => frame,
            // The peer has nothing to say on this connection: it has closed it, or it is not ours.
            Either::Right(_) => return,
        };
        let written = within(Duration::from_millis(LINK_WRITE_MS), to_peer.write_all(&frame)).await;
        if !matches!(written, Some(Ok(()))) {
            return;
        }
    }
}

fn set_up(socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    // Else a peer whose machine is gone is noticed when TCP gives up, after a quarter of an hour.
    rustix::net::sockopt::set_tcp_user_timeout(socket, LINK_UNCONFIRMED_MS)?;
    Ok(())
}
