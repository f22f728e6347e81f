//! All connections of a shard with peer shards: those that it opens, and those that are handed over to it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::sync::watch;

use super::carry::carry;
use crate::base::ids::NodeId;
use crate::base::limits::LINK_UNCONFIRMED_MS;
use crate::link::{Arrivals, HandedOver, StreamKind};
use crate::replication::PeerShard;
use crate::runtime::glommio::Stream;
use crate::shard::{Phase, Replication, Shard};

/// Where the cluster ports of other nodes are. Names are looked up by whoever fills it: a shard does not wait for that.
pub type PeerAddresses = watch::Receiver<Arc<BTreeMap<NodeId, SocketAddr>>>;

/// See the module.
pub struct Peers {
    pub(super) shard: Rc<Shard>,
    pub(super) addresses: PeerAddresses,
    /// Peer shards to which connections are kept up.
    dialled: RefCell<BTreeSet<PeerShard>>,
}

impl Peers {
    /// Opens and takes connections until the shard stops, which waits for their end.
    pub fn start(shard: &Rc<Shard>, addresses: PeerAddresses, arrivals: Arrivals) {
        let peers = Rc::new(Peers { shard: Rc::clone(shard), addresses, dialled: RefCell::default() });
        shard.spawn(Rc::clone(&peers).take(arrivals));
        shard.spawn(peers.keep_up());
    }

    pub(super) fn replication(&self) -> &Rc<Replication> {
        &self.shard.replication
    }

    /// Opens connections to where they are wanted.
    async fn keep_up(self: Rc<Self>) {
        loop {
            let changed = self.replication().wanted_changed.notified();
            for peer in self.replication().wanted() {
                if self.dialled.borrow_mut().insert(peer) {
                    self.shard.spawn(Rc::clone(&self).dial_both(peer));
                }
            }
            if !self.until(changed).await {
                return;
            }
        }
    }

    /// Keeps both connections with a peer up for as long as they are wanted.
    async fn dial_both(self: Rc<Self>, peer: PeerShard) {
        let live = Rc::clone(&self).dial(peer, StreamKind::Live);
        let catch_up = Rc::clone(&self).dial(peer, StreamKind::CatchUp);
        futures_util::future::join(live, catch_up).await;
        self.dialled.borrow_mut().remove(&peer);
        if self.is_wanted(peer) {
            // It has become so again meanwhile.
            self.replication().wanted_changed.notify_waiters();
        }
    }

    pub(super) fn is_wanted(&self, peer: PeerShard) -> bool {
        self.shard.phases.current() < Phase::Stopped && self.replication().wanted().contains(&peer)
    }

    /// Takes the connections that control has let in.
    async fn take(self: Rc<Self>, mut arrivals: Arrivals) {
        loop {
            let arrived = {
                let next = std::pin::pin!(arrivals.recv());
                let stopped = std::pin::pin!(self.shard.phases.reached(Phase::Stopped));
                match select(next, stopped).await {
                    Either::Left((arrived, _)) => arrived,
                    Either::Right(_) => return,
                }
            };
            let Some(arrived) = arrived else { return };
            self.shard.spawn(Rc::clone(&self).serve(arrived));
        }
    }

    async fn serve(self: Rc<Self>, arrived: HandedOver) {
        let HandedOver { hello, socket } = arrived;
        let node = hello.from.node;
        let stream = match Stream::adopt(socket).and_then(prepared) {
            Ok(stream) => stream,
            Err(error) => return tracing::warn!(%node, %error, "a node's connection cannot be used"),
        };
        match self.replication().accepted(&hello) {
            Ok(link) => carry(&self.shard, &stream, link).await,
            Err(error) => tracing::info!(%node, %error, "a node's connection comes too late"),
        }
    }

    /// `false` when the shard stops before something has come to pass.
    pub(super) async fn until(&self, event: impl Future<Output = ()>) -> bool {
        let stopped = std::pin::pin!(self.shard.phases.reached(Phase::Stopped));
        matches!(select(std::pin::pin!(event), stopped).await, Either::Left(_))
    }
}

/// A socket that sends at once, and that fails when the peer's machine is gone.
pub(super) fn prepared(stream: Stream) -> io::Result<Stream> {
    stream.set_nodelay(true)?;
    stream.set_keepalive()?;
    stream.set_unconfirmed_max(Duration::from_millis(LINK_UNCONFIRMED_MS.into()))?;
    Ok(stream)
}
