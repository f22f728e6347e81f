//! Sessions: one for each connection from a peer. Within one, frames arrive in order and once. What a peer said in an
//! older session, or to an earlier start of this node, counts no more: Raft's messages may be lost, but what the `raft`
//! crate makes of some that come late is another matter (raft-rs #557).

use std::collections::BTreeMap;

use thiserror::Error;

use super::frame::Address;
use super::members::RaftId;
use crate::base::limits::QUORUM_PEERS_MAX;

/// A frame that is not to be looked at.
#[derive(Error, Clone, Copy, PartialEq, Eq, Debug)]
pub enum StaleFrame {
    /// It is of another cluster.
    #[error("the frame is of another cluster")]
    OtherCluster,
    /// It is for somebody else, or was for somebody who was here before.
    #[error("the frame is for another member")]
    OtherReceiver,
    /// It is for an earlier start of this node.
    #[error("the frame is for another start of this node")]
    OtherIncarnation,
    /// The peer has opened a newer connection since.
    #[error("the frame is of an older session")]
    OldSession,
    /// It was here before, or later ones were.
    #[error("the frame comes late, or again")]
    Repeated,
    /// There are too many peers.
    #[error("more than {QUORUM_PEERS_MAX} peers have sent something")]
    TooManyPeers,
}

/// The sender's end of a session.
#[derive(Clone, Debug)]
pub struct Outgoing {
    next: Address,
}

impl Outgoing {
    /// A session whose first frame has `first` for its address.
    pub fn new(cluster: [u8; 16], from: RaftId, to: RaftId, session: u64, incarnation: u64) -> Self {
        Outgoing { next: Address { cluster, from, to, session, incarnation, sequence: 1 } }
    }

    /// The address of the next frame.
    pub fn address(&mut self) -> Address {
        let address = self.next;
        self.next.sequence += 1;
        address
    }
}

/// The receiver's ends of all sessions with a node.
#[derive(Clone, Debug)]
pub struct Incoming {
    cluster: [u8; 16],
    id: RaftId,
    incarnation: u64,
    /// By peer: the newest session and its last sequence.
    peers: BTreeMap<RaftId, (u64, u64)>,
}

impl Incoming {
    /// No session yet.
    pub fn new(cluster: [u8; 16], id: RaftId, incarnation: u64) -> Self {
        Incoming { cluster, id, incarnation, peers: BTreeMap::new() }
    }

    /// Whether a frame is to be looked at. It counts as seen then.
    pub fn admit(&mut self, address: &Address) -> Result<(), StaleFrame> {
        if address.cluster != self.cluster {
            return Err(StaleFrame::OtherCluster);
        }
        if address.to != self.id || address.from == self.id {
            return Err(StaleFrame::OtherReceiver);
        }
        if address.incarnation != self.incarnation {
            return Err(StaleFrame::OtherIncarnation);
        }
        let peers = self.peers.len();
        let seen = match self.peers.entry(address.from) {
            std::collections::btree_map::Entry::Occupied(seen) => seen.into_mut(),
            std::collections::btree_map::Entry::Vacant(_) if peers >= QUORUM_PEERS_MAX => {
                return Err(StaleFrame::TooManyPeers);
            }
            std::collections::btree_map::Entry::Vacant(free) => free.insert((0, 0)),
        };
        let (session, sequence) = *seen;
        if address.session < session {
            return Err(StaleFrame::OldSession);
        }
        if address.session == session && address.sequence <= sequence {
            return Err(StaleFrame::Repeated);
        }
        *seen = (address.session, address.sequence);
        Ok(())
    }
}
