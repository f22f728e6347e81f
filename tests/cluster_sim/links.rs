//! The connections between shards: sessions between each two machines, and what of them is on its way.

use std::collections::{BTreeMap, VecDeque};

use corelane::base::ids::{NodeId, ShardId};
use corelane::replication::{PeerShard, Session, Stream};
use rkyv::util::AlignedVec;

use super::machine::CLUSTER;
use super::world::{Event, World};

/// Frames of the past that may be said again.
const REMEMBERED: usize = 200;

/// A session between two machines.
struct Joined {
    /// Which starts of the two it is between.
    starts: (u64, u64),
    is_broken: bool,
}

#[derive(Default)]
pub struct Links {
    /// By the two machines, the lower first.
    joined: BTreeMap<(usize, usize), Joined>,
    last_session: u64,
    /// When the last frame of a connection arrives: they keep their order.
    arrivals: BTreeMap<(PeerShard, PeerShard, Stream), u64>,
    remembered: VecDeque<(usize, AlignedVec)>,
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

/// Where a node's machine is.
pub fn place_of(node: NodeId) -> usize {
    node.0 as usize - 1
}

impl Links {
    fn is_up(&self, a: usize, b: usize) -> bool {
        self.joined.get(&pair(a, b)).is_some_and(|joined| !joined.is_broken)
    }

    /// The session between two machines ends; both will notice.
    pub fn break_off(&mut self, a: usize, b: usize) {
        if let Some(joined) = self.joined.get_mut(&pair(a, b)) {
            joined.is_broken = true;
        }
    }

    /// A frame of the past, and for whom it was.
    pub fn again(&mut self, at: u64) -> Option<(usize, AlignedVec)> {
        let count = self.remembered.len().max(1) as u64;
        self.remembered.get((at % count) as usize).cloned()
    }
}

impl World {
    /// Connections break and begin anew.
    pub(super) fn connect_all(&mut self) {
        self.after(100, Event::Connect);
        for from in 0..self.machines.len() {
            for to in 0..self.machines.len() {
                if from != to {
                    self.connect_quorum(from, to);
                }
                if from < to {
                    self.connect_shards(from, to);
                }
            }
        }
    }

    fn connect_quorum(&mut self, from: usize, to: usize) {
        let (id, starts) = (self.machines[to].raft_id, self.machines[to].starts);
        let are_up = self.machines[from].is_up() && self.machines[to].is_up();
        let is_up = are_up && self.network.reaches(from, to) && self.network.reaches(to, from);
        let now = self.machines[from].outgoing.get(&to).map(|outgoing| outgoing.clone().address());
        let is_right = now.is_some_and(|now| (now.to, now.incarnation) == (id, starts));
        let breaks = !self.is_calm() && self.random.one_in(100);
        if is_up && (!is_right || breaks) {
            self.machines[from].connect_quorum(to, id, starts);
        } else if !is_up && self.random.one_in(5) {
            self.step(from, |member| member.unreachable(id));
        }
    }

    fn connect_shards(&mut self, a: usize, b: usize) {
        let is_known =
            |at: usize| self.machines[at].is_up() && self.machines[at].registration_epoch.is_some();
        let are_there = is_known(a) && is_known(b);
        let reaches = self.network.reaches(a, b) && self.network.reaches(b, a);
        let starts = (self.machines[a].starts, self.machines[b].starts);
        let joined = self.links.joined.get(&(a, b)).filter(|joined| !joined.is_broken);
        let is_right = joined.is_some_and(|joined| joined.starts == starts);
        let breaks = !self.is_calm() && self.random.one_in(150);
        if are_there && reaches && (!is_right || breaks) {
            self.join(a, b, starts);
        }
    }

    /// A new session between two machines.
    fn join(&mut self, a: usize, b: usize, starts: (u64, u64)) {
        self.links.last_session += 1;
        let session = self.links.last_session;
        self.links.joined.insert((a, b), Joined { starts, is_broken: false });
        for (here, there) in [(a, b), (b, a)] {
            let other = &self.machines[there];
            let (shards, starts) = (other.shards, other.starts);
            let peers: Vec<PeerShard> = (0..shards).map(|shard| other.peer(ShardId(shard))).collect();
            let machine = &mut self.machines[here];
            let (node, own_shards) = (machine.node, machine.shards);
            for own in (0..own_shards).map(|shard| PeerShard { node, shard: ShardId(shard) }) {
                let sessions = machine.sessions.get_mut(&own.shard).expect("one for each shard");
                for peer in &peers {
                    sessions.begin(*peer, session).expect("a newer one");
                    for stream in [Stream::Live, Stream::CatchUp] {
                        let new = Session::new(CLUSTER, own, *peer, stream, session, starts);
                        machine.to_peers.insert((own, *peer, stream), new);
                    }
                }
            }
        }
        self.meet(a, b);
        self.meet(b, a);
    }

    /// Sends a frame to another machine's shard, if there is a session.
    pub(super) fn send(
        &mut self,
        at: usize,
        own: PeerShard,
        to: PeerShard,
        stream: Stream,
        frame: AlignedVec,
    ) {
        let there = place_of(to.node);
        if !self.links.is_up(at, there) || !self.network.reaches(at, there) {
            self.links.break_off(at, there);
            return;
        }
        if self.random.one_in(30) {
            self.links.remembered.push_back((there, frame.clone()));
            if self.links.remembered.len() > REMEMBERED {
                self.links.remembered.pop_front();
            }
        }
        let mut frame = frame;
        if self.network.is_rough && self.random.one_in(2_000) {
            let bit = self.random.below(frame.len() as u64 * 8) as usize;
            frame[bit / 8] ^= 1 << (bit % 8);
        }
        let delay_ms = match self.random.below(60) {
            _ if !self.network.is_rough => 1,
            0 => self.random.below(1_500),
            1..5 => self.random.below(100),
            _ => 1 + self.random.below(5),
        };
        let last = self.links.arrivals.entry((own, to, stream)).or_default();
        *last = (*last).max(self.now_ms + delay_ms);
        let arrives_ms = *last;
        self.after(arrives_ms - self.now_ms, Event::Frame(there, frame));
    }
}
