//! A node's links with the other voters, as the member of the quorum sees them: messages go in, messages come out. Any
//! message may be lost; the quorum is made for that.

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use futures_util::future::{Either, select};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::accept::Doorkeeper;
use super::dial::Dialer;
use super::lane::Lane;
use crate::base::ids::NodeId;
use crate::base::limits::LINK_ARRIVALS_MAX;
use crate::base::splitmix::SplitMix;
use crate::config::address::HostPort;
use crate::link::{Gate, HandOver, Own, Start, StreamKind};
use crate::quorum::{Address, Message, RaftId};

/// Another voter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinkPeer {
    /// The node.
    pub node: NodeId,
    /// Its cluster port.
    pub address: HostPort,
}

/// Who this node is, and who the others are.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// The cluster.
    pub cluster: [u8; 16],
    /// This start of this node.
    pub own: Start,
    /// The other voters.
    pub peers: Vec<LinkPeer>,
    /// The member of the quorum that a disk is.
    pub member_of: fn(Uuid) -> RaftId,
    /// Where the chance in waits comes from. Nodes with the same would come at the same moments.
    pub seed: u64,
}

/// What comes over the links.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// A message. Whether it counts, the member's [`crate::quorum::Incoming`] says.
    Message {
        /// Whose it is, and which one.
        address: Address,
        /// What it says.
        message: Message,
    },
    /// The connection to a member has broken: what was sent last may be lost.
    Unreachable(RaftId),
}

/// What became of a message that is to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// It waits for the peer to take it.
    Queued,
    /// The same, and older ones were dropped for it.
    LostOlder,
    /// There is no connection to that member. The message is lost.
    Unreachable,
}

/// A node's links. All copies are the same.
#[derive(Clone)]
pub struct QuorumLinks {
    lanes: Arc<Vec<Lane>>,
}

impl QuorumLinks {
    /// Serves the cluster port and connects to the peers. The future does the work, on a Tokio runtime, until it is
    /// dropped; it ends by itself when nobody receives arrivals any more. `listener` must not block.
    pub fn start(
        settings: LinkSettings,
        listener: TcpListener,
    ) -> (Self, mpsc::Receiver<Arrival>, impl Future<Output = io::Result<()>> + Send) {
        let (sender, arrivals) = mpsc::channel(LINK_ARRIVALS_MAX);
        let lanes: Arc<Vec<Lane>> = Arc::new(settings.peers.iter().map(|_| Lane::new()).collect());
        let links = QuorumLinks { lanes: Arc::clone(&lanes) };
        (links, arrivals, serve(settings, listener, lanes, sender))
    }

    /// Sends a message, or says that it cannot. Never waits. Unless it is [`Sent::Queued`], the member wants to know:
    /// [`crate::quorum::Node::unreachable`].
    pub fn send(&self, to: RaftId, message: &Message) -> Sent {
        self.lanes.iter().find_map(|lane| lane.send(to, message)).unwrap_or(Sent::Unreachable)
    }
}

async fn serve(
    settings: LinkSettings,
    listener: TcpListener,
    lanes: Arc<Vec<Lane>>,
    arrivals: mpsc::Sender<Arrival>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut chance = SplitMix::new(settings.seed);
    // Dropping the set ends them all.
    let mut tasks = JoinSet::new();
    for (at, peer) in settings.peers.iter().enumerate() {
        let lanes = Arc::clone(&lanes);
        let dialer = Dialer::new(&settings, peer.clone(), chance.next_u64(), arrivals.clone());
        tasks.spawn(async move { dialer.run(&lanes[at]).await });
    }
    let own = Own {
        cluster: settings.cluster,
        start: settings.own,
        shards: 0,
        voters: settings.peers.iter().map(|peer| peer.node).chain([settings.own.node]).collect(),
        kinds: vec![StreamKind::Quorum],
    };
    let gate = Mutex::new(Gate::new(own));
    // Nobody asks, and nobody comes for a shard: the gate takes no such streams.
    let (questions, _) = mpsc::channel(1);
    let doorkeeper =
        Arc::new(Doorkeeper::new(gate, settings.member_of, arrivals.clone(), questions, HandOver::default()));
    let accepting = std::pin::pin!(doorkeeper.accept(listener));
    match select(accepting, std::pin::pin!(arrivals.closed())).await {
        Either::Left((never, _)) => match never {},
        Either::Right(((), _)) => Ok(()),
    }
}
