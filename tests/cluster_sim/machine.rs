//! A machine: its disks, and what runs on it while it is up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corelane::base::ids::{NodeId, PartitionId, ShardId};
use corelane::cluster::{DiskId, Holder, Image, Owner, Registration};
use corelane::control::image_of;
use corelane::quorum::{Incoming, Node, Outgoing, Persist, RaftId, Settings, State, Stored};
use corelane::replication::{PeerShard, Replica, Session, Sessions, Stream};
use uuid::Uuid;

use super::controller::Controller;
use super::copy::{Copy, Synced};

pub const CLUSTER: [u8; 16] = *b"a cluster of its";
/// Entries at which a member trims its log, so that snapshots are needed.
const LOG_ENTRIES_MAX: usize = 60;

/// The device of the data directory, with all that is on it for sure.
#[derive(Clone)]
pub struct Disk {
    pub id: DiskId,
    /// How often a node has started with it.
    pub boots: u64,
    /// The id of the last of these starts.
    pub start: Uuid,
    /// Whether that start was registered, as far as the disk knows. If not, it is said again.
    pub is_registered: bool,
    pub copies: BTreeMap<PartitionId, Synced>,
}

impl Disk {
    pub fn empty(number: u64) -> Self {
        let id = DiskId(Uuid::from_u128(number.into()));
        Disk { id, boots: 0, start: Uuid::nil(), is_registered: true, copies: BTreeMap::new() }
    }
}

pub struct Machine {
    pub node: NodeId,
    pub raft_id: RaftId,
    /// Which start this is; nobody but the test counts without a gap.
    pub starts: u64,
    pub shards: u16,
    /// What its copies were when the machine started; what they are now is in `copies`.
    pub disk: Disk,
    /// The same device at some time in the past.
    pub old_disk: Option<Disk>,
    /// The quorum's member, while the machine is up.
    pub member: Option<Node>,
    stored: Stored,
    under_way: Option<Persist>,
    pub incoming: Incoming,
    pub outgoing: BTreeMap<usize, Outgoing>,
    quorum_sessions: u64,
    /// What the quorum has committed, as far as this machine knows.
    pub image: Arc<Image>,
    /// What a member knows that has just been made.
    empty: Arc<Image>,
    /// The image that its shards have followed to; none before the machine knows that it is registered.
    pub followed: Option<Arc<Image>>,
    pub registration_epoch: Option<u64>,
    pub controller: Option<Controller>,
    /// Whether the controller has something to look at.
    pub is_woken: bool,
    pub copies: BTreeMap<PartitionId, Copy>,
    pub sessions: BTreeMap<ShardId, Sessions>,
    pub to_peers: BTreeMap<(PeerShard, PeerShard, Stream), Session>,
    pub paused_until_ms: u64,
    /// Shards that cannot write any more, in this start.
    pub failed: BTreeSet<ShardId>,
    pub wants_shutdown: bool,
    pub tick_ms: u64,
    seed: u64,
}

impl Machine {
    pub fn new(at: usize, count: usize, seed: u64, records: &State) -> Self {
        let raft_id = first_id(at);
        let stored = Stored::founding(raft_id, (0..count).map(first_id).collect(), records.clone());
        let image = Arc::new(image_of(records).expect("a cluster's record"));
        Machine {
            node: NodeId(at as u32 + 1),
            raft_id,
            starts: 0,
            shards: 1 + (at % 2) as u16,
            disk: Disk::empty(at as u64 + 1),
            old_disk: None,
            member: None,
            empty: Arc::clone(&image),
            image,
            stored,
            under_way: None,
            incoming: Incoming::new(CLUSTER, raft_id, 0),
            outgoing: BTreeMap::new(),
            quorum_sessions: 0,
            followed: None,
            registration_epoch: None,
            controller: None,
            is_woken: false,
            copies: BTreeMap::new(),
            sessions: BTreeMap::new(),
            to_peers: BTreeMap::new(),
            paused_until_ms: 0,
            failed: BTreeSet::new(),
            wants_shutdown: false,
            tick_ms: 48 + at as u64,
            seed: seed.wrapping_mul(1_000) + at as u64,
        }
    }

    pub fn is_up(&self) -> bool {
        self.member.is_some()
    }

    /// Starts from what is on the disks. `start` is a random id of this start.
    pub fn start(&mut self, start: Uuid) {
        assert!(!self.is_up() && self.copies.is_empty(), "it is down");
        self.starts += 1;
        if self.disk.is_registered {
            (self.disk.boots, self.disk.start, self.disk.is_registered) = (self.disk.boots + 1, start, false);
        }
        self.incoming = Incoming::new(CLUSTER, self.raft_id, self.starts);
        assert_eq!(self.stored.fault(), None, "the store of {}", self.node);
        let seed = self.seed.wrapping_mul(1_000_003) + self.starts;
        let settings = Settings {
            log_entries_max: LOG_ENTRIES_MAX,
            chunk_bytes: 2_000,
            ..Settings::new(self.raft_id, seed)
        };
        self.member = Some(Node::new(settings, self.stored.clone()));
        // A member that was just made has no records before the others have taken it in.
        self.image = image_of(&self.stored.records).map_or_else(|_| Arc::clone(&self.empty), Arc::new);
        self.sessions = (0..self.shards)
            .map(|shard| (ShardId(shard), Sessions::new(CLUSTER, self.peer(ShardId(shard)), self.starts)))
            .collect();
    }

    /// All that runs is gone, and with it what was not durable.
    pub fn crash(&mut self, is_under_way_durable: bool) {
        self.member = None;
        if is_under_way_durable {
            self.finish_persist();
        }
        self.under_way = None;
        self.outgoing.clear();
        self.to_peers.clear();
        self.controller = None;
        self.followed = None;
        self.registration_epoch = None;
        self.failed.clear();
        self.wants_shutdown = false;
        self.disk.copies = self.synced_copies();
        self.copies.clear();
    }

    /// All copies as they would be after a crash.
    fn synced_copies(&self) -> BTreeMap<PartitionId, Synced> {
        // Those that it has not taken up in this start are as they were.
        let mut copies = self.disk.copies.clone();
        copies.extend(self.copies.iter().map(|(id, copy)| (*id, copy.synced.clone())));
        copies
    }

    /// Somebody copies the device of the data directory.
    pub fn copy_disk(&mut self) {
        // One that is older already is kept.
        if self.old_disk.as_ref().is_some_and(|old| old.id != self.disk.id || old.boots < self.disk.boots) {
            return;
        }
        self.old_disk = Some(Disk { copies: self.synced_copies(), ..self.disk.clone() });
    }

    /// The data directory's device is replaced by an empty one.
    pub fn replace_disk(&mut self, number: u64) {
        self.disk = Disk::empty(number);
        self.copies.clear();
        self.followed = None;
        self.registration_epoch = None;
    }

    /// The metadata's device is replaced too: the member is another one.
    pub fn replace_member(&mut self) {
        assert!(!self.is_up(), "it is down");
        self.raft_id += 100;
        self.stored = Stored::blank(self.raft_id);
    }

    pub fn persist(&mut self, persist: Persist) {
        assert!(self.under_way.is_none(), "one at a time");
        self.under_way = Some(persist);
    }

    /// What was under way is durable; its number.
    pub fn finish_persist(&mut self) -> Option<u64> {
        let persist = self.under_way.take()?;
        self.stored.take(&persist);
        Some(persist.number)
    }

    /// A new connection of the quorum to another machine.
    pub fn connect_quorum(&mut self, to: usize, id: RaftId, starts: u64) {
        self.quorum_sessions += 1;
        let session = self.starts * 1_000_000 + self.quorum_sessions;
        self.outgoing.insert(to, Outgoing::new(CLUSTER, self.raft_id, id, session, starts));
    }

    pub fn peer(&self, shard: ShardId) -> PeerShard {
        PeerShard { node: self.node, shard }
    }

    /// A shard as duties are asked for: at the registration of this start, if the image knows of it.
    pub fn holder(&self, shard: ShardId, image: &Image) -> Holder {
        let (disk, boots) = (self.disk.id, self.disk.boots);
        let registered = image.node(self.node).filter(|it| (it.disk, it.incarnation) == (disk, boots));
        let registration_epoch = registered.map_or(u64::MAX, |it| it.registration_epoch);
        Holder { owner: Owner { node: self.node, shard }, registration_epoch }
    }

    /// What a copy on one of its shards is, in this start.
    pub fn replica(&self, shard: ShardId) -> Replica {
        Replica { node: self.node, shard, disk: self.disk.id, incarnation: self.disk.boots }
    }

    /// Whether the metadata that it knows has its present registration.
    pub fn knows_itself(&self) -> bool {
        let record = self.image.node(self.node);
        let epoch = record.map(|record| record.registration_epoch);
        self.registration_epoch.is_some() && self.registration_epoch == epoch
    }

    pub fn registration(&self) -> Registration {
        Registration {
            node: self.node,
            disk: self.disk.id,
            incarnation: self.disk.boots,
            start: self.disk.start,
            shards: self.shards,
            rack: None,
            listeners: Vec::new(),
            cluster_address: None,
        }
    }
}

fn first_id(at: usize) -> RaftId {
    at as u64 + 1
}
