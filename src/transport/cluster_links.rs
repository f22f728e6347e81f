//! A node's links with all others, as control sees them: the quorum's messages go in and out, and questions come in.
//! With whom the quorum's connections are kept up may change while it runs.

use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};
use uuid::Uuid;

use super::accept::Doorkeeper;
use super::dial::Dialer;
use super::lane::Lane;
use super::links::{Arrival, LinkPeer, LinkSettings, Sent};
use crate::base::ids::NodeId;
use crate::base::limits::{CONTROL_QUESTIONS_MAX, LINK_ARRIVALS_MAX};
use crate::base::splitmix::SplitMix;
use crate::link::{Gate, HandOver, Own, Start};
use crate::quorum::{Message, RaftId};

/// A question from control of another node. Its connection waits for the answer; who drops `reply` closes it.
#[derive(Debug)]
pub struct Question {
    /// Who asks.
    pub from: Start,
    /// Whether it does not know to which cluster it belongs.
    pub is_stranger: bool,
    /// What.
    pub body: Vec<u8>,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Vec<u8>>,
}

/// The peers with which the quorum's connections are kept up, and as whom.
#[derive(Clone, Default)]
struct Wanted {
    own: Option<([u8; 16], Start)>,
    peers: Vec<LinkPeer>,
}

struct Shared {
    lanes: Mutex<BTreeMap<NodeId, Arc<Lane>>>,
    doorkeeper: Arc<Doorkeeper>,
    wanted: watch::Sender<Wanted>,
}

/// A node's links. All copies are the same.
#[derive(Clone)]
pub struct ClusterLinks {
    shared: Arc<Shared>,
}

impl ClusterLinks {
    /// Serves the cluster port as `own` says. The future does the work, on a Tokio runtime, until it is dropped; it ends
    /// by itself when nobody receives arrivals any more. `listener` must not block. What comes for shards goes by
    /// `hand_over`.
    pub fn start(
        own: Own,
        member_of: fn(Uuid) -> RaftId,
        seed: u64,
        listener: TcpListener,
        hand_over: HandOver,
    ) -> (Self, mpsc::Receiver<Arrival>, mpsc::Receiver<Question>, impl Future<Output = io::Result<()>> + Send)
    {
        let (arrived, arrivals) = mpsc::channel(LINK_ARRIVALS_MAX);
        let (asked, questions) = mpsc::channel(CONTROL_QUESTIONS_MAX);
        let gate = Mutex::new(Gate::new(own));
        let doorkeeper = Arc::new(Doorkeeper::new(gate, member_of, arrived.clone(), asked, hand_over));
        let (wanted, changes) = watch::channel(Wanted::default());
        let shared = Arc::new(Shared { lanes: Mutex::default(), doorkeeper, wanted });
        let links = ClusterLinks { shared: Arc::clone(&shared) };
        let serving = async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let accepting = std::pin::pin!(Arc::clone(&shared.doorkeeper).accept(listener));
            let keeping = std::pin::pin!(keep_up(&shared, member_of, seed, changes, arrived.clone()));
            let closed = std::pin::pin!(arrived.closed());
            match select(select(accepting, keeping), closed).await {
                Either::Left((Either::Left((never, _)), _)) => match never {},
                Either::Left((Either::Right(((), _)), _)) | Either::Right(((), _)) => Ok(()),
            }
        };
        (links, arrivals, questions, serving)
    }

    /// Is another node from now on at its door: it has learnt of its cluster.
    pub fn open(&self, own: Own) {
        let known = (own.cluster, own.start);
        self.shared.doorkeeper.replace_gate(Gate::new(own));
        self.shared.wanted.send_modify(|wanted| wanted.own = Some(known));
    }

    /// Keeps up connections with these, and with nobody else.
    pub fn set_peers(&self, peers: Vec<LinkPeer>) {
        self.shared.wanted.send_if_modified(|wanted| {
            let is_other = wanted.peers != peers;
            wanted.peers = peers;
            is_other
        });
    }

    /// The metadata says so: this is the disk and the newest start of a node.
    pub fn register(&self, start: Start) {
        self.shared.doorkeeper.register(start);
    }

    /// Sends a message, or says that it cannot. Never waits. Unless it is [`Sent::Queued`], the member wants to know.
    pub fn send(&self, to: RaftId, message: &Message) -> Sent {
        let lanes = lock(&self.shared.lanes);
        lanes.values().find_map(|lane| lane.send(to, message)).unwrap_or(Sent::Unreachable)
    }
}

/// Keeps up a connection with each of the peers that are wanted.
async fn keep_up(
    shared: &Shared,
    member_of: fn(Uuid) -> RaftId,
    seed: u64,
    mut changes: watch::Receiver<Wanted>,
    arrivals: mpsc::Sender<Arrival>,
) {
    let mut chance = SplitMix::new(seed);
    // Dropping the set ends them all.
    let mut tasks = JoinSet::new();
    let mut running: BTreeMap<NodeId, (LinkPeer, AbortHandle)> = BTreeMap::new();
    loop {
        let Wanted { own, peers } = changes.borrow_and_update().clone();
        running.retain(|node, (peer, task)| {
            let stays = peers.contains(peer);
            if !stays {
                task.abort();
                lock(&shared.lanes).remove(node);
            }
            stays
        });
        if let Some((cluster, own)) = own {
            for peer in peers {
                if running.contains_key(&peer.node) {
                    continue;
                }
                let lane = Arc::new(Lane::new());
                lock(&shared.lanes).insert(peer.node, Arc::clone(&lane));
                let settings = LinkSettings { cluster, own, peers: Vec::new(), member_of, seed };
                let dialer = Dialer::new(&settings, peer.clone(), chance.next_u64(), arrivals.clone());
                let task = tasks.spawn(async move { dialer.run(&lane).await });
                running.insert(peer.node, (peer, task));
            }
        }
        while tasks.try_join_next().is_some() {}
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Never held while anybody waits. What is inside is whole after each call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
