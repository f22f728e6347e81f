//! All that a shard has to do with other replicas of its partitions.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use tokio::sync::Notify;

use super::answer_lane::AnswerLane;
use super::meters::ReplicationMeters;
use super::propose::Proposals;
use super::push_lane::PushLane;
use super::role::Role;
use super::set_aside::SetAside;
use crate::base::ids::{PartitionId, ShardId};
use crate::cluster::{DiskId, Holder, Image, Owner};
use crate::link::Start;
use crate::replication::{self, PeerShard, Sessions, Stream};
use crate::shard::replica::Replica;
use crate::shard::storage::Storage;
use crate::shard::tasks::Tasks;

/// Who a shard is to other nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The cluster.
    pub cluster: [u8; 16],
    /// This start of the node.
    pub start: Start,
    /// The shard.
    pub shard: ShardId,
}

impl Identity {
    /// The shard as frames name it.
    pub fn own(&self) -> PeerShard {
        PeerShard { node: self.start.node, shard: self.shard }
    }

    /// The shard as duties are asked for: at the registration of this start, if the image knows of it.
    pub fn holder(&self, image: &Image) -> Holder {
        let Start { node, disk, incarnation } = self.start;
        let registered =
            image.node(node).filter(|it| (it.disk, it.incarnation) == (DiskId(disk), incarnation));
        // Of another start: an epoch that no registration has.
        let registration_epoch = registered.map_or(u64::MAX, |it| it.registration_epoch);
        Holder { owner: Owner { node, shard: self.shard }, registration_epoch }
    }

    /// A replica that is here.
    pub(super) fn replica(&self) -> replication::Replica {
        let Start { node, disk, incarnation } = self.start;
        replication::Replica { node, shard: self.shard, disk: DiskId(disk), incarnation }
    }
}

/// The newest connection of each stream between two shards.
#[derive(Default)]
pub(super) struct Connections {
    /// The session that the live one has begun; 0 is none's.
    live: Cell<u64>,
    /// The own session of the one to catch up by.
    catch_up: Cell<Option<u64>>,
    live_wake: Rc<Notify>,
    catch_up_wake: Rc<Notify>,
}

impl Connections {
    pub(super) fn begin(&self, stream: Stream, session: u64) {
        match stream {
            Stream::Live => self.live.set(session),
            Stream::CatchUp => self.catch_up.set(Some(session)),
        }
    }

    pub(super) fn has_catch_up(&self) -> bool {
        self.catch_up.get().is_some()
    }

    /// Whether this is the newest of its stream.
    pub(super) fn is_newest(&self, stream: Stream, session: u64) -> bool {
        match stream {
            Stream::Live => self.live.get() == session,
            Stream::CatchUp => self.catch_up.get() == Some(session),
        }
    }

    /// What whoever serves a connection of the stream waits for.
    fn wake(&self, stream: Stream) -> &Rc<Notify> {
        if stream == Stream::Live { &self.live_wake } else { &self.catch_up_wake }
    }

    /// One has ended. The live one goes in any case, as the session that it has begun does.
    fn end(&self, stream: Stream) {
        if stream == Stream::CatchUp {
            self.catch_up.set(None);
        }
        self.live.set(0);
        self.live_wake.notify_waiters();
        self.catch_up_wake.notify_waiters();
    }
}

/// The connections to a peer shard that follows.
#[derive(Default)]
pub(super) struct Outgoing {
    /// The session of both, and the peer's start.
    pub(super) session: Cell<Option<(u64, u64)>>,
    pub(super) live: RefCell<PushLane>,
    pub(super) catch_up: RefCell<PushLane>,
    pub(super) connections: Connections,
    /// Replicas whose logs are to be read for the peer, each once, in turn.
    pub(super) reads: RefCell<VecDeque<Rc<Replica>>>,
    /// Whether a task reads them.
    pub(super) is_reading: Cell<bool>,
}

/// The connections from a peer shard that leads.
#[derive(Default)]
pub(super) struct Incoming {
    pub(super) session: Cell<Option<(u64, u64)>>,
    pub(super) live: RefCell<AnswerLane>,
    pub(super) catch_up: RefCell<AnswerLane>,
    pub(super) connections: Connections,
}

impl Outgoing {
    pub(super) fn lane(&self, stream: Stream) -> &RefCell<PushLane> {
        if stream == Stream::Live { &self.live } else { &self.catch_up }
    }

    pub(super) fn wake(&self, stream: Stream) -> &Rc<Notify> {
        self.connections.wake(stream)
    }

    /// A connection has ended, and with it the session. The one to catch up by waits for the next session; the live one
    /// begins it, and so goes with the other.
    pub(super) fn end(&self, stream: Stream) {
        self.session.set(None);
        self.live.borrow_mut().end();
        self.catch_up.borrow_mut().end();
        self.connections.end(stream);
    }
}

impl Incoming {
    pub(super) fn lane(&self, stream: Stream) -> &RefCell<AnswerLane> {
        if stream == Stream::Live { &self.live } else { &self.catch_up }
    }

    pub(super) fn wake(&self, stream: Stream) -> &Rc<Notify> {
        self.connections.wake(stream)
    }

    /// The same as [`Outgoing::end`].
    pub(super) fn end(&self, stream: Stream) {
        self.session.set(None);
        self.live.borrow_mut().end();
        self.catch_up.borrow_mut().end();
        self.connections.end(stream);
    }
}

/// See the module.
pub struct Replication {
    pub(super) identity: Identity,
    pub(super) storage: Rc<Storage>,
    pub(super) as_leader: RefCell<Sessions>,
    pub(super) as_follower: RefCell<Sessions>,
    outgoing: RefCell<BTreeMap<PeerShard, Rc<Outgoing>>>,
    incoming: RefCell<BTreeMap<PeerShard, Rc<Incoming>>>,
    /// Replicas that lead others.
    pub(super) led: RefCell<BTreeMap<PartitionId, Rc<Replica>>>,
    /// Replicas that follow, or that have nobody to follow.
    pub(super) followed: RefCell<BTreeMap<PartitionId, Rc<Replica>>>,
    /// Peer shards to which connections are wanted, since some of what is led here is followed there.
    wanted: RefCell<BTreeSet<PeerShard>>,
    /// They have changed.
    pub wanted_changed: Notify,
    /// The metadata's duties are done; there may be others than before.
    pub(super) duties_are_done: Notify,
    /// Followers have acknowledged something.
    pub(super) acknowledged: Notify,
    /// There is a log to be read for a follower, or room for what was read.
    pub(super) reads_wanted: Notify,
    pub(super) proposals: Proposals,
    /// How often a replica has begun to follow after it did something else: tickets of one time are none of another's.
    pub(super) times_followed: Cell<u64>,
    /// Replicas that cannot take part.
    pub(super) set_aside: RefCell<BTreeMap<PartitionId, SetAside>>,
    /// Replicas that are to be taken up anew: their logs have been cut, or they have waited.
    pub(in crate::shard) look_again: RefCell<BTreeSet<PartitionId>>,
    pub(in crate::shard) look_again_wanted: Notify,
    pub(super) meters: ReplicationMeters,
    pub(super) tasks: Tasks,
    is_stopping: Cell<bool>,
}

impl Replication {
    pub(in crate::shard) fn new(identity: Identity, storage: Rc<Storage>) -> Rc<Self> {
        let sessions = || Sessions::new(identity.cluster, identity.own(), identity.start.incarnation);
        let replication = Rc::new(Replication {
            identity,
            as_leader: RefCell::new(sessions()),
            as_follower: RefCell::new(sessions()),
            outgoing: RefCell::default(),
            incoming: RefCell::default(),
            led: RefCell::default(),
            followed: RefCell::default(),
            wanted: RefCell::default(),
            wanted_changed: Notify::new(),
            duties_are_done: Notify::new(),
            acknowledged: Notify::new(),
            reads_wanted: Notify::new(),
            proposals: Proposals::default(),
            times_followed: Cell::new(0),
            set_aside: RefCell::default(),
            look_again: RefCell::default(),
            look_again_wanted: Notify::new(),
            meters: ReplicationMeters::default(),
            tasks: Tasks::default(),
            is_stopping: Cell::new(false),
            storage: Rc::clone(&storage),
        });
        storage.set_replication(&replication);
        replication
    }

    /// Who the shard is to other nodes.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Peer shards to which connections are wanted.
    pub fn wanted(&self) -> BTreeSet<PeerShard> {
        self.wanted.borrow().clone()
    }

    pub(super) fn outgoing(&self, peer: PeerShard) -> Rc<Outgoing> {
        Rc::clone(self.outgoing.borrow_mut().entry(peer).or_default())
    }

    pub(super) fn incoming(&self, peer: PeerShard) -> Rc<Incoming> {
        Rc::clone(self.incoming.borrow_mut().entry(peer).or_default())
    }

    pub(super) fn all_outgoing(&self) -> Vec<Rc<Outgoing>> {
        self.outgoing.borrow().values().cloned().collect()
    }

    pub(super) fn all_incoming(&self) -> Vec<Rc<Incoming>> {
        self.incoming.borrow().values().cloned().collect()
    }

    /// Whether some replica here has others.
    pub(super) fn has_part(&self) -> bool {
        !self.led.borrow().is_empty() || !self.followed.borrow().is_empty()
    }

    /// Whether the shard cannot write any more.
    pub(in crate::shard) fn has_failed(&self) -> bool {
        self.storage.journal.failure().is_some()
    }

    /// By the shard's clock.
    pub(super) fn now_ms(&self) -> u64 {
        self.storage.runtime.now().as_millis() as u64
    }

    /// Notes which peer shards follow something that is led here.
    pub(super) fn count_wanted(&self) {
        let mut wanted = BTreeSet::new();
        for replica in self.led.borrow().values() {
            if let Role::Leads(leading) = &*replica.role.borrow() {
                wanted.extend(leading.followers.iter().map(|(_, peer)| *peer));
            }
        }
        self.storage.journal.tell_of_submissions(!wanted.is_empty());
        if *self.wanted.borrow() != wanted {
            let mut outgoing = self.outgoing.borrow_mut();
            let is_gone = |peer: &PeerShard| !wanted.contains(peer);
            let gone: Vec<PeerShard> = outgoing.keys().copied().filter(is_gone).collect();
            for gone in gone.iter().filter_map(|peer| outgoing.remove(peer)) {
                gone.end(Stream::CatchUp);
            }
            drop(outgoing);
            *self.wanted.borrow_mut() = wanted;
            self.wanted_changed.notify_waiters();
        }
    }

    /// Peers are not heard any more: who waits for them is told, now and later, and what has begun ends soon.
    pub(in crate::shard) fn stop(&self) {
        self.is_stopping.set(true);
        for replica in self.storage.all_replicas().iter().filter(|replica| replica.is_replicated()) {
            replica.refuse_commit_waiters();
        }
        self.acknowledged.notify_waiters();
        self.reads_wanted.notify_waiters();
    }

    /// Whether the shard stops, or cannot write any more.
    pub(super) fn has_ended(&self) -> bool {
        self.is_stopping.get() || self.storage.has_ended()
    }

    /// Waits until what it has begun has ended.
    pub(in crate::shard) async fn finished(&self) {
        self.tasks.finished().await;
    }

    /// A replica's log is synced further.
    pub(in crate::shard) fn synced(&self, replica: &Rc<Replica>) {
        let leads = matches!(&*replica.role.borrow(), Role::Leads(_));
        if leads { self.leader_synced(replica) } else { self.follower_synced(replica) }
    }

    /// The writer is out of service: leaders are told, so that nobody waits for this shard.
    pub(in crate::shard) fn on_failure(&self) {
        for incoming in self.all_incoming() {
            incoming.live.borrow_mut().fail();
            incoming.wake(Stream::Live).notify_waiters();
        }
    }
}
