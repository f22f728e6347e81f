//! The connections with peer shards, as whoever has the sockets uses them. There are two with each peer that follows, and
//! two with each that leads; the pairs begin and end together, and with them their sessions.

use std::rc::Rc;

use bytes::Bytes;
use rkyv::util::AlignedVec;
use thiserror::Error;
use tokio::sync::Notify;

use super::host::{Connections, Replication};
use crate::link::{Hello, Start, StreamKind};
use crate::replication::{
    FollowerError, FrameError, FrameHeader, FrameKind, NeverSent, PeerShard, Session, StaleFrame, Stream,
};
use crate::shard::error::StorageError;

/// Who sends records by a connection, and who answers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Side {
    /// This shard sends records.
    Leads,
    /// The peer does.
    Follows,
}

/// A connection with a peer shard that has begun.
#[derive(Clone, Debug)]
pub struct Link {
    /// Who sends records by it.
    pub side: Side,
    /// The other end.
    pub peer: PeerShard,
    /// Which of the pair it is.
    pub stream: Stream,
    /// The link's session, by which a later connection is told from this one.
    pub session: u64,
    /// Something is to be sent, or the connection is to end. All who wait are woken: whoever does asks for the wait before
    /// it looks.
    pub wake: Rc<Notify>,
}

/// A frame to be sent: its head, then the records as they are.
pub struct OutFrame {
    /// Header and archive.
    pub head: AlignedVec,
    /// What follows it.
    pub records: Vec<Bytes>,
}

/// Why a connection between peer shards ends.
#[derive(Error, Debug)]
pub enum LinkEnd {
    /// The peer's bytes are no frames of ours.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A frame was left out, or is for somebody else.
    #[error(transparent)]
    Stale(#[from] StaleFrame),
    /// The peer answers what it was not sent.
    #[error(transparent)]
    NeverSent(#[from] NeverSent),
    /// The peer leads in a way that no leader does.
    #[error(transparent)]
    Follower(#[from] FollowerError),
    /// What the peer sends cannot be stored here.
    #[error("what the leader sends cannot be stored: {0}")]
    Storage(#[from] StorageError),
    /// A batch that is none, behind right checksums.
    #[error("the leader sends records that are no batches of its term: {0}")]
    Batch(String),
}

impl Replication {
    /// The peer shard has accepted a connection, which this shard opened to send it records.
    pub fn connected(
        &self,
        peer: PeerShard,
        stream: Stream,
        session: u64,
        start: Start,
    ) -> Result<Link, LinkEnd> {
        let outgoing = self.outgoing(peer);
        match stream {
            Stream::Live => {
                self.as_leader.borrow_mut().begin(peer, session)?;
                outgoing.session.set(Some((session, start.incarnation)));
                outgoing.connections.begin(stream, session);
                let live = self.new_session(peer, Stream::Live, session, start.incarnation);
                self.meters.sessions.increment();
                outgoing.live.borrow_mut().begin(live);
            }
            Stream::CatchUp => outgoing.connections.begin(stream, session),
        }
        if let Some((session, incarnation)) = outgoing.session.get()
            && outgoing.connections.has_catch_up()
        {
            let catch_up = self.new_session(peer, Stream::CatchUp, session, incarnation);
            outgoing.catch_up.borrow_mut().begin(catch_up);
        }
        // Also when the second connection comes late: what was to be said on it meanwhile was said to nobody.
        if outgoing.session.get().is_some() {
            self.meet(peer);
        }
        let wake = Rc::clone(outgoing.wake(stream));
        // Whoever serves an older connection sees that it is over.
        wake.notify_waiters();
        Ok(Link { side: Side::Leads, peer, stream, session, wake })
    }

    /// A connection that a peer shard has opened to send records, and that was let in.
    pub fn accepted(&self, hello: &Hello) -> Result<Link, LinkEnd> {
        let peer = PeerShard { node: hello.from.node, shard: hello.from_shard };
        let incoming = self.incoming(peer);
        let (session, incarnation) = (hello.session, hello.from.incarnation);
        let stream = if hello.kind == StreamKind::CatchUp { Stream::CatchUp } else { Stream::Live };
        match stream {
            Stream::Live => {
                self.as_follower.borrow_mut().begin(peer, session)?;
                incoming.session.set(Some((session, incarnation)));
                incoming.connections.begin(stream, session);
                let live = self.new_session(peer, Stream::Live, session, incarnation);
                self.meters.sessions.increment();
                incoming.live.borrow_mut().begin(live, self.has_failed());
            }
            Stream::CatchUp => incoming.connections.begin(stream, session),
        }
        if let Some((session, incarnation)) = incoming.session.get()
            && incoming.connections.has_catch_up()
        {
            let catch_up = self.new_session(peer, Stream::CatchUp, session, incarnation);
            incoming.catch_up.borrow_mut().begin(catch_up, false);
        }
        if stream == Stream::Live {
            self.follow_anew(peer);
        }
        let wake = Rc::clone(incoming.wake(stream));
        wake.notify_waiters();
        Ok(Link { side: Side::Follows, peer, stream, session, wake })
    }

    fn new_session(&self, to: PeerShard, stream: Stream, session: u64, incarnation: u64) -> Session {
        Session::new(self.identity.cluster, self.identity.own(), to, stream, session, incarnation)
    }

    /// Whether a connection is to end: its session has, or a newer one has taken its place.
    pub fn is_over(&self, link: &Link) -> bool {
        let is_newest = |connections: &Connections| connections.is_newest(link.stream, link.session);
        !match link.side {
            Side::Leads => is_newest(&self.outgoing(link.peer).connections),
            Side::Follows => is_newest(&self.incoming(link.peer).connections),
        }
    }

    /// A connection has ended. Of a pair the other one's session ends as well.
    pub fn ended(&self, link: &Link) {
        if self.is_over(link) {
            return;
        }
        match link.side {
            Side::Leads => self.outgoing(link.peer).end(link.stream),
            Side::Follows => self.incoming(link.peer).end(link.stream),
        }
    }

    /// The next frame that is to be sent, if there is one.
    pub fn next_frame(&self, link: &Link) -> Option<OutFrame> {
        if self.is_over(link) {
            return None;
        }
        match link.side {
            Side::Leads => {
                let frame = self.outgoing(link.peer).lane(link.stream).borrow_mut().next();
                if frame.is_some() {
                    self.reads_wanted.notify_waiters();
                }
                frame
            }
            Side::Follows => {
                let incoming = self.incoming(link.peer);
                incoming.lane(link.stream).borrow_mut().next(&self.identity, self.has_failed())
            }
        }
    }

    /// A frame was sent: its memory can be used again.
    pub fn sent(&self, link: &Link, frame: OutFrame) {
        match link.side {
            Side::Leads => self.outgoing(link.peer).lane(link.stream).borrow_mut().give_back(frame.head),
            Side::Follows => self.incoming(link.peer).lane(link.stream).borrow_mut().give_back(frame.head),
        }
    }

    /// Looks at a frame that has arrived. Waits while there is no room for its records; so the connection is not read.
    pub async fn heard(&self, link: &Link, header: &FrameHeader, body: &[u8]) -> Result<(), LinkEnd> {
        let sessions = match link.side {
            Side::Leads => &self.as_leader,
            Side::Follows => &self.as_follower,
        };
        let admitted = sessions.borrow_mut().admit(&header.address);
        match admitted {
            Ok(()) => {}
            // Of the pair's last session, whose other connection has ended: not looked at, and no harm done.
            Err(StaleFrame::OtherSession) if link.stream == Stream::CatchUp => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let is_of_link = header.address.from == link.peer && header.address.stream == link.stream;
        if !is_of_link {
            return Err(StaleFrame::OtherReceiver.into());
        }
        match (link.side, header.kind) {
            (Side::Leads, FrameKind::Answers) => self.hear_answers(link, header, body),
            (Side::Follows, FrameKind::Push) => self.hear_push(link, header, body).await,
            (Side::Leads, FrameKind::Push) => Err(FrameError::OtherKind(1).into()),
            (Side::Follows, FrameKind::Answers) => Err(FrameError::OtherKind(2).into()),
        }
    }
}
