//! All connections of a shard: accepting, counting and, at the end, closing them.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::error::Closed;
use super::refusals::Refusals;
use super::session;
use crate::base::limits::ACCEPT_PAUSE_MS;
use crate::runtime::glommio::{Listener, Stream};
use crate::shard::{ListenerIndex, Phase, Shard, Tasks};

/// The connections of one shard.
pub struct Connections {
    shard: Rc<Shard>,
    tasks: Tasks,
    accepting: Tasks,
    refusals: Rc<Refusals>,
}

impl Connections {
    /// No connections yet.
    pub fn new(shard: Rc<Shard>) -> Rc<Self> {
        let (tasks, accepting) = Default::default();
        let refusals = Rc::new(Refusals::new(Rc::clone(&shard)));
        Rc::new(Connections { shard, tasks, accepting, refusals })
    }

    /// Accepts connections until the shard drains; `index` says which of the node's listeners this is.
    pub fn listen(self: &Rc<Self>, listener: Listener, index: ListenerIndex) {
        let runtime = Rc::clone(&self.shard.runtime);
        self.accepting.spawn(&*runtime, Rc::clone(self).accept_all(listener, index));
    }

    /// Serves a connection that was accepted.
    pub fn open(self: &Rc<Self>, stream: Stream, peer: SocketAddr, listener: ListenerIndex) {
        let max = self.shard.config.max_connections;
        if self.tasks.running() >= max {
            return self.refusals.connection(peer, max);
        }
        let connections = Rc::clone(self);
        let runtime = Rc::clone(&self.shard.runtime);
        self.tasks.spawn(&*runtime, async move { connections.serve(stream, peer, listener).await });
        self.shard.counters.connections.set(self.tasks.running());
    }

    /// Ends all connections: nothing more is accepted or read, what is in flight is answered, and what is not
    /// answered after `timeout` is closed all the same.
    pub async fn drain(&self, timeout: Duration) {
        self.shard.phases.enter(Phase::Draining);
        self.accepting.finished().await;
        let finished = std::pin::pin!(self.tasks.finished());
        if let Either::Right(_) = select(finished, self.shard.runtime.sleep(timeout)).await {
            let connections = self.tasks.running();
            tracing::warn!(shard = self.shard.id.0, connections, "connections are closed unanswered");
            self.shard.phases.enter(Phase::Stopped);
            self.tasks.finished().await;
        }
    }

    async fn accept_all(self: Rc<Self>, listener: Listener, index: ListenerIndex) {
        loop {
            let accepted = {
                let accept = std::pin::pin!(listener.accept());
                let draining = std::pin::pin!(self.shard.phases.reached(Phase::Draining));
                match select(accept, draining).await {
                    Either::Left((accepted, _)) => accepted,
                    Either::Right(_) => return,
                }
            };
            match accepted {
                Ok((stream, peer)) => self.open(stream, peer, index),
                Err(error) => {
                    tracing::warn!(shard = self.shard.id.0, %error, "cannot accept connections");
                    self.shard.runtime.sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
                }
            }
            // A flood of connections must not keep the shard from those that it has.
            self.shard.runtime.yield_now().await;
        }
    }

    async fn serve(self: Rc<Self>, stream: Stream, peer: SocketAddr, listener: ListenerIndex) {
        let refusals = Rc::clone(&self.refusals);
        let closed = session::serve(Rc::clone(&self.shard), stream, listener, refusals).await;
        // This task still counts.
        self.shard.counters.connections.set(self.tasks.running() - 1);
        self.shard.counters.connection_ends.ended(closed.end()).increment();
        match closed {
            Closed::ByClient | Closed::Stopping => tracing::trace!(%peer, "{closed}"),
            Closed::ResponsesStalled | Closed::RequestStalled => tracing::warn!(%peer, "closed: {closed}"),
            closed => tracing::debug!(%peer, "closed: {closed}"),
        }
    }
}
