//! Keeping one connection to a peer shard up: [`crate::link::Peer`] says what to do next.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::carry::carry;
use super::connections::{Peers, prepared};
use super::greet::greet;
use crate::base::ids::NodeId;
use crate::base::limits::LINK_HANDSHAKE_MS;
use crate::link::{Action, Event, Notice, Peer, RefusalCode, StreamKind};
use crate::replication::{PeerShard, Stream as Which};
use crate::runtime::glommio::Stream;

impl Peers {
    /// Until it is not wanted any more, or the shard stops.
    pub(super) async fn dial(self: Rc<Self>, peer: PeerShard, kind: StreamKind) {
        let identity = *self.replication().identity();
        let machine = Peer::new(identity.cluster, identity.start, peer.node, kind);
        let mut machine = machine.between_shards(identity.shard, peer.shard);
        let (mut event, mut socket) = (Event::Ready, None);
        loop {
            if !self.is_wanted(peer) {
                event = Event::Close;
            }
            let runtime = &self.shard.runtime;
            let now_ms = runtime.now().as_millis() as u64;
            let step = machine.handle(now_ms, runtime.random_u64(), event);
            tell(peer, kind, step.notice);
            event = match step.action {
                Action::Connect => {
                    // Of the last attempt.
                    drop(socket.take());
                    socket = self.connect(peer.node).await;
                    if socket.is_some() { Event::Connected } else { Event::Lost }
                }
                Action::Greet(hello) => {
                    let stream = socket.as_ref().expect("it is connected");
                    let answer = self.within_handshake(greet(stream, &hello)).await;
                    answer.map_or(Event::Lost, Event::Answered)
                }
                Action::Carry { session, peer: start } => {
                    let stream = socket.take().expect("it is connected");
                    let which = if kind == StreamKind::Live { Which::Live } else { Which::CatchUp };
                    match self.replication().connected(peer, which, session, start) {
                        Ok(link) => carry(&self.shard, &stream, link).await,
                        Err(error) => tracing::warn!(node = %peer.node, %error, "a session cannot begin"),
                    }
                    Event::Lost
                }
                Action::Wait { ms } => {
                    drop(socket.take());
                    self.until(runtime.sleep(Duration::from_millis(ms))).await;
                    Event::Ready
                }
                Action::Stop => return,
            };
        }
    }

    async fn connect(&self, node: NodeId) -> Option<Stream> {
        let address = self.addresses.borrow().get(&node).copied()?;
        self.within_handshake(async move { prepared(Stream::connect(address).await?) }).await
    }

    /// What comes of it in time. What failed is said once in a while by the peer's machine, and every time to who debugs.
    async fn within_handshake<T, E: std::fmt::Display>(
        &self,
        attempt: impl Future<Output = Result<T, E>>,
    ) -> Option<T> {
        let limit = self.shard.runtime.sleep(Duration::from_millis(LINK_HANDSHAKE_MS));
        match select(std::pin::pin!(attempt), limit).await {
            Either::Left((Ok(value), _)) => Some(value),
            Either::Left((Err(error), _)) => {
                tracing::debug!(%error, "a peer shard cannot be reached");
                None
            }
            Either::Right(_) => None,
        }
    }
}

fn tell(peer: PeerShard, kind: StreamKind, notice: Option<Notice>) {
    let PeerShard { node, shard } = peer;
    match notice {
        None => {}
        Some(Notice::Up) => tracing::info!(%node, %shard, ?kind, "connected to a peer shard"),
        Some(Notice::Down) => tracing::info!(%node, %shard, ?kind, "the connection to a peer shard is gone"),
        Some(Notice::Refused(refusal)) if refusal.code == RefusalCode::NoClusterYet => {
            tracing::info!(%node, %shard, ?kind, "a peer shard is not there yet: {refusal}");
        }
        Some(Notice::Refused(refusal)) => {
            tracing::error!(%node, %shard, ?kind, "a peer shard refuses the connection: {refusal}");
        }
    }
}
