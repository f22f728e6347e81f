//! A member of the quorum with its links: a task that does what the member wants, and a disk that survives it.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corelane::base::ids::NodeId;
use corelane::config::address::HostPort;
use corelane::link::Start;
use corelane::quorum::{
    Change, Effect, Incoming, Message, Node, ProposalId, RaftId, Rejection, Settings, State, Status, Stored,
};
use corelane::runtime::tokio::{sleep, within};
use corelane::transport::{Arrival, LinkPeer, LinkSettings, QuorumLinks, Sent};
use futures_util::future::{Either, select};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

pub const CLUSTER: [u8; 16] = *b"a cluster of its";
const TICK: Duration = Duration::from_millis(20);

/// What a member tells whoever looks on.
#[derive(Clone)]
pub struct Seen {
    pub status: Status,
    pub records: Arc<State>,
}

pub type Answer = Result<(), Rejection>;

/// What somebody wants to have decided, and where the answer goes.
pub type Proposal = (Vec<Change>, oneshot::Sender<Answer>);

/// What of a machine is there while its member is not.
pub struct Machine {
    pub node: NodeId,
    pub listener: TcpListener,
    disk: Arc<Mutex<Stored>>,
    incarnation: u64,
    peers: Vec<LinkPeer>,
}

/// A member that runs.
pub struct Running {
    pub seen: watch::Receiver<Seen>,
    pub proposals: mpsc::Sender<Proposal>,
    task: JoinHandle<()>,
}

pub fn disk_of(node: NodeId) -> Uuid {
    Uuid::from_u128(1_000 + u128::from(node.0))
}

pub fn member_of(disk: Uuid) -> RaftId {
    disk.as_u128() as RaftId
}

impl Machine {
    /// Machines with the nodes 1, 2, 3 and so on.
    pub fn all(count: u32) -> Vec<Machine> {
        let nodes: Vec<NodeId> = (1..=count).map(NodeId).collect();
        let voters: Vec<RaftId> = nodes.iter().map(|node| member_of(disk_of(*node))).collect();
        let bind = |_: &NodeId| TcpListener::bind("127.0.0.1:0").expect("a free port");
        let listeners: Vec<TcpListener> = nodes.iter().map(bind).collect();
        let address = |listener: &TcpListener| HostPort {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().expect("an address").port(),
        };
        let all: Vec<LinkPeer> = nodes
            .iter()
            .zip(&listeners)
            .map(|(node, listener)| LinkPeer { node: *node, address: address(listener) })
            .collect();
        let machine = |(node, listener): (NodeId, TcpListener)| {
            let stored = Stored::founding(member_of(disk_of(node)), voters.clone(), State::default());
            let peers = all.iter().filter(|peer| peer.node != node).cloned().collect();
            listener.set_nonblocking(true).expect("a socket");
            Machine { node, listener, disk: Arc::new(Mutex::new(stored)), incarnation: 0, peers }
        };
        nodes.into_iter().zip(listeners).map(machine).collect()
    }

    pub fn start_of(&self) -> Start {
        Start { node: self.node, disk: disk_of(self.node), incarnation: self.incarnation }
    }

    /// Starts the member from what is on the disk, once more.
    pub fn start(&mut self) -> Running {
        self.incarnation += 1;
        let own = self.start_of();
        let seed = u64::from(own.node.0) * 1_000 + own.incarnation;
        let settings = LinkSettings { cluster: CLUSTER, own, peers: self.peers.clone(), member_of, seed };
        let listener = self.listener.try_clone().expect("a socket");
        let (links, arrivals, serving) = QuorumLinks::start(settings, listener);
        let id = member_of(own.disk);
        let node = Node::new(Settings::new(id, seed), self.disk.lock().expect("whole").clone());
        let (tell, seen) = watch::channel(Seen { status: node.status(), records: Arc::clone(node.state()) });
        let (proposals, proposed) = mpsc::channel(16);
        let incoming = Incoming::new(CLUSTER, id, own.incarnation);
        let disk = Arc::clone(&self.disk);
        let member = Member { node, links, disk, incoming, tell, waiting: BTreeMap::new(), proposals: 0 };
        let task = tokio::task::spawn_local(async move {
            let living = std::pin::pin!(member.live(arrivals, proposed));
            match select(living, std::pin::pin!(serving)).await {
                Either::Left(_) => {}
                Either::Right((ended, _)) => panic!("the links have ended: {ended:?}"),
            }
        });
        Running { seen, proposals, task }
    }
}

impl Running {
    /// The member is gone at once, with its connections and what was not durable. Its port stays bound, but nobody
    /// answers there.
    pub async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.expect_err("aborted").is_cancelled(), "it has failed before");
    }

    /// Waits until the member is as it should be.
    pub async fn until(&mut self, what: &str, is_so: impl Fn(&Seen) -> bool) -> Seen {
        let waiting = self.seen.wait_for(|seen| is_so(seen));
        let found = within(Duration::from_secs(120), waiting).await;
        found.unwrap_or_else(|| panic!("it does not happen: {what}")).expect("it runs").clone()
    }
}

struct Member {
    node: Node,
    links: QuorumLinks,
    disk: Arc<Mutex<Stored>>,
    incoming: Incoming,
    tell: watch::Sender<Seen>,
    waiting: BTreeMap<ProposalId, oneshot::Sender<Answer>>,
    proposals: u64,
}

impl Member {
    async fn live(mut self, mut arrivals: mpsc::Receiver<Arrival>, mut proposed: mpsc::Receiver<Proposal>) {
        let mut tick = Box::pin(sleep(TICK));
        loop {
            let (arrival, proposal) = (std::pin::pin!(arrivals.recv()), std::pin::pin!(proposed.recv()));
            match select(select(arrival, proposal), &mut tick).await {
                Either::Left((Either::Left((arrival, _)), _)) => self.take(arrival.expect("links")),
                Either::Left((Either::Right((None, _)), _)) => return,
                Either::Left((Either::Right((Some((changes, answer)), _)), _)) => {
                    self.proposals += 1;
                    self.waiting.insert(ProposalId(self.proposals), answer);
                    self.node.propose(ProposalId(self.proposals), changes);
                }
                Either::Right(_) => {
                    tick = Box::pin(sleep(TICK));
                    self.node.tick();
                }
            }
            self.carry_out();
            let seen = Seen { status: self.node.status(), records: Arc::clone(self.node.state()) };
            self.tell.send_replace(seen);
        }
    }

    fn take(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Unreachable(member) => self.node.unreachable(member),
            Arrival::Message { address, message } => {
                // What was on its way when a member was started anew is for its earlier start.
                if self.incoming.admit(&address).is_ok() {
                    self.node.receive(address.from, message);
                }
            }
        }
    }

    fn carry_out(&mut self) {
        loop {
            let effects = self.node.take_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                match effect {
                    Effect::Persist(persist) => {
                        self.disk.lock().expect("whole").take(&persist);
                        self.node.persisted(persist.number);
                    }
                    Effect::Send { to, message } => self.send(to, &message),
                    Effect::Committed { proposal, .. } => self.answer(proposal, Ok(())),
                    Effect::Rejected { proposal, why } => self.answer(proposal, Err(why)),
                    Effect::Suspicious { from, what } => panic!("{from}: {what}"),
                    Effect::Halted { what } => panic!("{what}"),
                    _ => {}
                }
            }
        }
    }

    fn send(&mut self, to: RaftId, message: &Message) {
        if self.links.send(to, message) != Sent::Queued {
            self.node.unreachable(to);
        }
    }

    fn answer(&mut self, proposal: ProposalId, answer: Answer) {
        let waiting = self.waiting.remove(&proposal).expect("proposed here");
        // Who has asked may be gone.
        let _ = waiting.send(answer);
    }
}
