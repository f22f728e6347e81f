//! Sessions between peer shards: one live connection and one for who catches up, which end together. Within a connection
//! frames arrive in order, and none is missing: an answer to a [`super::Resume`] that is lost would not be asked for
//! again. So a gap ends the session. What a peer said in an older session, or to an earlier start of this node, counts
//! no more.

use std::collections::BTreeMap;

use thiserror::Error;

use super::frame::{Address, PeerShard, Stream};
use super::window::{NeverSent, Window};
use crate::base::limits::REPLICATION_PEERS_MAX;

/// A frame that is not to be looked at.
#[derive(Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum StaleFrame {
    /// It is of another cluster.
    #[error("the frame is of another cluster")]
    OtherCluster,
    /// It is for somebody else, or from this node itself.
    #[error("the frame is for another shard")]
    OtherReceiver,
    /// It is for an earlier start of this node.
    #[error("the frame is for another start of this node")]
    OtherIncarnation,
    /// It is of a session that has ended, or that has not begun.
    #[error("the frame is of another session")]
    OtherSession,
    /// It was here before, or one before it was not.
    #[error("the frame is number {found} of its session, and {expected} comes next")]
    OutOfOrder {
        /// Its number.
        found: u64,
        /// What comes next.
        expected: u64,
    },
    /// There are too many peers.
    #[error("more than {REPLICATION_PEERS_MAX} peer shards have sent something")]
    TooManyPeers,
}

/// The sender's end of one connection of a session, and what is on its way there.
#[derive(Debug)]
pub struct Session {
    next: Address,
    window: Window,
}

impl Session {
    /// The stream of a session with `to`, whose node is at its start number `incarnation`.
    pub fn new(
        cluster: [u8; 16],
        from: PeerShard,
        to: PeerShard,
        stream: Stream,
        session: u64,
        incarnation: u64,
    ) -> Self {
        let next = Address { cluster, from, to, stream, session, incarnation, sequence: 1 };
        Session { next, window: Window::default() }
    }

    /// Whether a push of that many bytes, header and records included, may be sent now. Where it may not,
    /// [`super::Leader::fell_behind`] says so for each of its partitions.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.window.has_room(bytes)
    }

    /// Bytes of pushes that the peer has not answered.
    pub fn window_bytes(&self) -> usize {
        self.window.bytes()
    }

    /// The address of the next frame, a push of that many bytes, for which there is room.
    pub fn push(&mut self, bytes: usize) -> Address {
        self.window.send(self.next.sequence, bytes);
        self.address()
    }

    /// The address of the next frame, which holds no records. Such frames are small, and follow on what comes from the peer:
    /// they never wait, so that two shards never wait for each other.
    pub fn word(&mut self) -> Address {
        self.address()
    }

    /// The peer has looked at all frames up to `through_sequence`.
    pub fn answered(&mut self, through_sequence: u64) -> Result<(), NeverSent> {
        let sent = self.next.sequence - 1;
        if through_sequence > sent {
            return Err(NeverSent { found: through_sequence, sent });
        }
        self.window.answered(through_sequence);
        Ok(())
    }

    fn address(&mut self) -> Address {
        let address = self.next;
        self.next.sequence += 1;
        address
    }
}

/// What was seen of a peer's session.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    session: u64,
    /// The last sequence by stream: live, catch-up.
    sequences: [u64; 2],
}

/// The receiver's ends of all sessions with a shard.
#[derive(Clone, Debug)]
pub struct Sessions {
    cluster: [u8; 16],
    own: PeerShard,
    incarnation: u64,
    peers: BTreeMap<PeerShard, Seen>,
}

impl Sessions {
    /// No session yet.
    pub fn new(cluster: [u8; 16], own: PeerShard, incarnation: u64) -> Self {
        Sessions { cluster, own, incarnation, peers: BTreeMap::new() }
    }

    /// Both ends have agreed on a new session: an older one has ended, whatever of it is still under way. Numbers grow
    /// with each session, and the first is 1.
    pub fn begin(&mut self, peer: PeerShard, session: u64) -> Result<(), StaleFrame> {
        let is_full = self.peers.len() >= REPLICATION_PEERS_MAX && !self.peers.contains_key(&peer);
        if is_full {
            return Err(StaleFrame::TooManyPeers);
        }
        let seen = self.peers.entry(peer).or_default();
        if session <= seen.session {
            return Err(StaleFrame::OtherSession);
        }
        *seen = Seen { session, ..Seen::default() };
        Ok(())
    }

    /// Whether a frame is to be looked at. It counts as seen then.
    pub fn admit(&mut self, address: &Address) -> Result<(), StaleFrame> {
        if address.cluster != self.cluster {
            return Err(StaleFrame::OtherCluster);
        }
        if address.to != self.own || address.from.node == self.own.node {
            return Err(StaleFrame::OtherReceiver);
        }
        if address.incarnation != self.incarnation {
            return Err(StaleFrame::OtherIncarnation);
        }
        let Some(seen) = self.peers.get_mut(&address.from).filter(|seen| seen.session == address.session)
        else {
            return Err(StaleFrame::OtherSession);
        };
        let last = &mut seen.sequences[address.stream as usize];
        let expected = last.saturating_add(1);
        if address.sequence != expected {
            return Err(StaleFrame::OutOfOrder { found: address.sequence, expected });
        }
        *last = expected;
        Ok(())
    }
}
