//! Who is let in at a node's cluster port. What is refused changes nothing, and the text says what to do.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;
use uuid::Uuid;

use super::answer::{Answer, Refusal, RefusalCode};
use super::greeting::GreetingError;
use super::hello::{Hello, NO_CLUSTER, Start, StreamId, StreamKind};
use crate::base::ids::{NodeId, ShardId};
use crate::base::limits::{LINK_NODES_MAX, LINK_STREAMS_PER_NODE_MAX};

/// The node whose port it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Own {
    /// The cluster.
    pub cluster: [u8; 16],
    /// This start of the node.
    pub start: Start,
    /// Its shards: 0 up to this number.
    pub shards: u16,
    /// The nodes that are voters of the metadata quorum, this one included if it is one.
    pub voters: Vec<NodeId>,
    /// The kinds of stream that it takes.
    pub kinds: Vec<StreamKind>,
}

/// Why a connection is refused.
#[derive(Error, Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// No handshake that this version reads.
    #[error(transparent)]
    Greeting(#[from] GreetingError),
    /// Another cluster.
    #[error(
        "node {by} belongs to cluster {}, and you to cluster {}: one of `voters` leads to another cluster, or a data \
         directory is of another one", Uuid::from_bytes(*known), Uuid::from_bytes(*found)
    )]
    OtherCluster {
        /// The answering node.
        by: NodeId,
        /// Its cluster.
        known: [u8; 16],
        /// The sender's.
        found: [u8; 16],
    },
    /// The sender says that it is this node.
    #[error(
        "both ends of this connection are node {0}: two nodes run with this id, so start one of them with its own"
    )]
    OwnId(NodeId),
    /// This is not the node that the sender wants.
    #[error("this is node {by}, not node {wanted}: compare `voters` and `cluster.advertised` of both nodes")]
    OtherNode {
        /// The answering node.
        by: NodeId,
        /// For whom the sender took it.
        wanted: NodeId,
    },
    /// A kind that this node does not take.
    #[error("node {0} takes no streams of this kind: upgrade it")]
    KindNotTaken(NodeId),
    /// It does not know its cluster yet, as at its first start.
    #[error("node {0} does not know its cluster yet: it is tried again")]
    NoClusterYet(NodeId),
    /// No such shard.
    #[error(
        "node {by} has {shards} shards, from 0 on, and none with number {wanted}: look at the metadata anew"
    )]
    UnknownShard {
        /// The answering node.
        by: NodeId,
        /// Its shards.
        shards: u16,
        /// The shard that the sender wants.
        wanted: ShardId,
    },
    /// The voters do not agree on who they are.
    #[error("node {found} is not among the voters that node {by} has: give all of them the same `voters`")]
    NotAVoter {
        /// The answering node.
        by: NodeId,
        /// The sender.
        found: NodeId,
    },
    /// Two disks, one node id.
    #[error(
        "node {node} is known with disk {known}, and yours is {found}: if two nodes run with this id, or their data \
         directories were swapped, put that right; if its disk was replaced, register it first"
    )]
    OtherDisk {
        /// The sender.
        node: NodeId,
        /// The disk that it is known with.
        known: Uuid,
        /// The disk that it has.
        found: Uuid,
    },
    /// A start that is over, or an old copy of a data directory.
    #[error(
        "node {node} has already started {known} times on this disk, and yours is start {found}: its data directory is \
         an old copy, or is in use twice; bring back the newer one, or let the node join with an empty one"
    )]
    OlderIncarnation {
        /// The sender.
        node: NodeId,
        /// The newest start that is known.
        known: u64,
        /// The sender's.
        found: u64,
    },
    /// The sender itself has a newer connection.
    #[error("session {found} is over: session {known} of the same stream has begun")]
    OldSession {
        /// The newest session.
        known: u64,
        /// This one.
        found: u64,
    },
    /// What it says cannot be.
    #[error("node {by} takes no such connection: {what}. Give both nodes the same version")]
    Contradiction {
        /// The answering node.
        by: NodeId,
        /// What is wrong.
        what: &'static str,
    },
    /// There are too many already.
    #[error("node {0} knows as many nodes and streams as it can: it takes no more until it starts anew")]
    TooMany(NodeId),
}

impl Refused {
    fn code(&self) -> RefusalCode {
        match self {
            Refused::Greeting(_) | Refused::KindNotTaken(_) | Refused::Contradiction { .. } => {
                RefusalCode::Unsupported
            }
            Refused::OtherCluster { .. } => RefusalCode::OtherCluster,
            Refused::OtherNode { .. } => RefusalCode::OtherNode,
            Refused::OwnId(_) | Refused::OtherDisk { .. } => RefusalCode::NodeIdTaken,
            Refused::UnknownShard { .. } => RefusalCode::UnknownShard,
            Refused::NotAVoter { .. } => RefusalCode::NotAVoter,
            Refused::OlderIncarnation { .. } => RefusalCode::OlderIncarnation,
            Refused::OldSession { .. } => RefusalCode::OldSession,
            Refused::TooMany(_) => RefusalCode::Busy,
            Refused::NoClusterYet(_) => RefusalCode::NoClusterYet,
        }
    }

    /// Whether the sender is told. Bytes that are not of our handshake are not answered.
    pub fn is_answered(&self) -> bool {
        use GreetingError::{OtherKind, OtherVersions};
        !matches!(self, Refused::Greeting(error) if !matches!(error, OtherVersions(_) | OtherKind(_)))
    }
}

/// Another node, as far as it is known.
#[derive(Debug)]
struct Known {
    /// Its newest start that was heard of.
    start: Start,
    /// The newest session of each of that start's streams.
    sessions: BTreeMap<StreamId, u64>,
}

/// A node's door.
#[derive(Debug)]
pub struct Gate {
    own: Own,
    nodes: BTreeMap<NodeId, Known>,
    /// Those of which the metadata knows. They follow the quorum's log, also where they are no voters.
    registered: BTreeSet<NodeId>,
}

impl Gate {
    /// A door at which nobody has been.
    pub fn new(own: Own) -> Self {
        Gate { own, nodes: BTreeMap::new(), registered: BTreeSet::new() }
    }

    /// The metadata says so: this is the disk and the newest start of a node. It outweighs what was heard at the door.
    pub fn register(&mut self, start: Start) {
        self.registered.insert(start.node);
        match self.nodes.get_mut(&start.node) {
            Some(known) if known.start.disk == start.disk => known.begin(start.incarnation),
            _ => {
                self.nodes.insert(start.node, Known { start, sessions: BTreeMap::new() });
            }
        }
    }

    /// The metadata says that there is no such node any more.
    pub fn forget(&mut self, node: NodeId) {
        self.nodes.remove(&node);
        self.registered.remove(&node);
    }

    /// The newest start of a node that was heard of: what an older one, or one on another disk, has opened is over.
    pub fn start_of(&self, node: NodeId) -> Option<Start> {
        self.nodes.get(&node).map(|known| known.start)
    }

    /// Whether a connection may begin. If so, it takes the place of any other of the same stream.
    pub fn admit(&mut self, hello: &Hello) -> Result<(), Refused> {
        self.check_ends(hello)?;
        if hello.cluster == NO_CLUSTER || self.own.cluster == NO_CLUSTER {
            // One of the two has yet to learn where it belongs: what it says of itself is of no weight.
            return Ok(());
        }
        let found = hello.from;
        let (nodes, by) = (self.nodes.len(), self.own.start.node);
        let is_of_control = hello.kind == StreamKind::Control;
        let Some(known) = self.nodes.get_mut(&found.node) else {
            if nodes >= LINK_NODES_MAX {
                return Err(Refused::TooMany(by));
            }
            let sessions = BTreeMap::from([(hello.stream(), hello.session)]);
            self.nodes.insert(found.node, Known { start: found, sessions });
            return Ok(());
        };
        if known.start.disk != found.disk {
            // Whether another disk takes the place of the one that is known, the controller decides, whom the node asks
            // on this very stream. Until then it changes nothing here.
            if is_of_control {
                return Ok(());
            }
            if !self.registered.contains(&found.node) {
                // Nobody has vouched for either of the two: whoever came first does not keep the other out.
                *known = Known { start: found, sessions: BTreeMap::from([(hello.stream(), hello.session)]) };
                return Ok(());
            }
            let (node, known, found) = (found.node, known.start.disk, found.disk);
            return Err(Refused::OtherDisk { node, known, found });
        }
        known.admit(hello, by)
    }

    /// What does not depend on who was here before.
    fn check_ends(&self, hello: &Hello) -> Result<(), Refused> {
        let Own { cluster, start, shards, .. } = self.own;
        let by = start.node;
        // Before the cluster: who knows none takes what asks for one, and nothing else.
        if !self.own.kinds.contains(&hello.kind) {
            let is_to_come = cluster == NO_CLUSTER && StreamKind::ALL.contains(&hello.kind);
            return Err(if is_to_come { Refused::NoClusterYet(by) } else { Refused::KindNotTaken(by) });
        }
        if let Some(what) = hello.contradiction() {
            return Err(Refused::Contradiction { by, what });
        }
        let seeks = hello.kind == StreamKind::Control && [hello.cluster, cluster].contains(&NO_CLUSTER);
        if hello.cluster != cluster && !seeks {
            return Err(Refused::OtherCluster { by, known: cluster, found: hello.cluster });
        }
        if hello.from.node == by {
            return Err(Refused::OwnId(by));
        }
        if hello.to != by {
            return Err(Refused::OtherNode { by, wanted: hello.to });
        }
        if hello.kind.is_of_shards() && hello.to_shard.0 >= shards {
            return Err(Refused::UnknownShard { by, shards, wanted: hello.to_shard });
        }
        let is_member = || {
            let node = hello.from.node;
            self.own.voters.contains(&node) || self.registered.contains(&node)
        };
        if hello.kind == StreamKind::Quorum && !is_member() {
            return Err(Refused::NotAVoter { by, found: hello.from.node });
        }
        Ok(())
    }

    /// What a hello is answered with.
    pub fn answer(&self, verdict: &Result<(), Refused>) -> Answer {
        let refusal = verdict.as_ref().err();
        let refusal = refusal.map(|refused| Refusal::new(refused.code(), &refused.to_string()));
        Answer { by: self.own.start, refusal }
    }
}

impl Known {
    fn admit(&mut self, hello: &Hello, by: NodeId) -> Result<(), Refused> {
        let (known, found) = (self.start.incarnation, hello.from.incarnation);
        if found < known {
            return Err(Refused::OlderIncarnation { node: hello.from.node, known, found });
        }
        self.begin(found);
        let stream = hello.stream();
        match self.sessions.get(&stream) {
            Some(&known) if hello.session <= known => {
                return Err(Refused::OldSession { known, found: hello.session });
            }
            None if self.sessions.len() >= LINK_STREAMS_PER_NODE_MAX => return Err(Refused::TooMany(by)),
            _ => {}
        }
        self.sessions.insert(stream, hello.session);
        Ok(())
    }

    /// Another start on the same disk, unless it is known or older: what the one before it opened is over.
    fn begin(&mut self, incarnation: u64) {
        if incarnation > self.start.incarnation {
            self.start.incarnation = incarnation;
            self.sessions.clear();
        }
    }
}
