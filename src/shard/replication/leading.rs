//! What a leader's decisions come to.

use std::rc::Rc;
use std::time::Duration;

use futures_util::future::select;

use super::host::Replication;
use super::role::{Leading, Role};
use crate::base::ids::{NodeId, Offset};
use crate::base::limits::REPLICATION_TICK_MS;
use crate::replication::{self, LeaderEffect, Mark, PeerShard, Reconcile, Stream};
use crate::shard::commits::Uncommitted;
use crate::shard::replica::Replica;

impl Replication {
    /// Has a leader decide on something, and carries out what follows.
    pub(super) fn with_leader<T>(
        &self,
        replica: &Rc<Replica>,
        decide: impl FnOnce(&mut Leading, &mut Vec<LeaderEffect>) -> T,
    ) -> Option<T> {
        let mut effects = Vec::new();
        let result = match &mut *replica.role.borrow_mut() {
            Role::Leads(leading) => decide(leading, &mut effects),
            _ => return None,
        };
        self.carry_out_leaders(replica, effects);
        Some(result)
    }

    pub(super) fn carry_out_leaders(&self, replica: &Rc<Replica>, effects: Vec<LeaderEffect>) {
        for effect in effects {
            match effect {
                LeaderEffect::Committed(end) => {
                    replica.on_committed(end);
                    self.tell_followers(replica);
                }
                LeaderEffect::Propose(proposal) => self.proposals.add(proposal),
                LeaderEffect::Reconcile(node, stream, reconcile) => {
                    self.send_reconcile(replica, node, stream, reconcile);
                }
                LeaderEffect::Read(node) => self.want_read(replica, node),
                LeaderEffect::Deposed(leader_epoch) => {
                    tracing::info!(partition = %replica.id, leader_epoch, "a replica knows of a later term: nothing is accepted");
                    replica.state.borrow_mut().resign();
                    replica.refuse_waiters(Uncommitted::NotLeader);
                    replica.tell_watchers();
                }
            }
        }
        if !replica.is_enough_in_sync() {
            replica.refuse_waiters(Uncommitted::NotEnoughReplicas);
        }
    }

    fn follower_of(&self, replica: &Replica, node: NodeId) -> Option<PeerShard> {
        match &*replica.role.borrow() {
            Role::Leads(leading) => leading.peer(node),
            _ => None,
        }
    }

    fn send_reconcile(&self, replica: &Replica, node: NodeId, stream: Stream, reconcile: Reconcile) {
        let Some(peer) = self.follower_of(replica, node) else { return };
        let outgoing = self.outgoing(peer);
        outgoing.lane(stream).borrow_mut().reconcile(reconcile);
        outgoing.wake(stream).notify_waiters();
    }

    /// Followers are told at once how far the partition is committed, and where its log starts.
    pub(super) fn tell_followers(&self, replica: &Replica) {
        let role = replica.role.borrow();
        let Role::Leads(leading) = &*role else { return };
        let log = leading.leader.log();
        let mark = Mark {
            topic: replica.id.topic.to_bytes(),
            index: replica.id.index,
            leader_epoch: leading.leader_epoch,
            high_watermark: log.high_watermark,
            log_start_offset: log.log_start,
        };
        for (_, peer) in &leading.followers {
            let outgoing = self.outgoing(*peer);
            outgoing.live.borrow_mut().mark(mark);
            outgoing.wake(Stream::Live).notify_waiters();
        }
    }

    /// A session with a peer shard begins: its replicas are asked where their logs end.
    pub(super) fn meet(&self, peer: PeerShard) {
        for replica in self.led_by_peer(peer) {
            self.with_leader(&replica, |leading, effects| {
                if let Some(other) = leading.replica_at(peer) {
                    leading.leader.meets(other, effects);
                }
            });
            // It may have missed what was said before.
            self.tell_followers(&replica);
        }
    }

    fn led_by_peer(&self, peer: PeerShard) -> Vec<Rc<Replica>> {
        let follows = |replica: &&Rc<Replica>| match &*replica.role.borrow() {
            Role::Leads(leading) => leading.followers.iter().any(|(_, it)| *it == peer),
            _ => false,
        };
        self.led.borrow().values().filter(follows).cloned().collect()
    }

    /// The leader's own log is synced further.
    pub(super) fn leader_synced(&self, replica: &Rc<Replica>) {
        let durable_end = replica.state.borrow().progress().durable_end();
        self.with_leader(replica, |leading, effects| {
            // What is appended is told when its group goes to the disk.
            let durable_end = durable_end.min(leading.leader.log().log_end);
            leading.leader.synced(durable_end, effects);
        });
    }

    /// Waits until the logs of all replicas that are alive start at `log_start` or behind it, durably; where they do.
    pub(in crate::shard) async fn starts_everywhere(
        &self,
        replica: &Replica,
        log_start: Offset,
    ) -> Result<Offset, Uncommitted> {
        loop {
            let acknowledged = self.acknowledged.notified();
            let durable_start = replica.durable_log_start.get();
            let low_watermark = match &*replica.role.borrow() {
                Role::Leads(leading) => leading.leader.low_watermark(durable_start),
                _ => return Err(Uncommitted::NotLeader),
            };
            if let Some(low_watermark) = low_watermark.filter(|low| *low >= log_start) {
                return Ok(low_watermark);
            }
            if self.has_ended() || replica.check_online().is_err() {
                return Err(Uncommitted::OutOfService);
            }
            // Also who was counted on and is not any more.
            let tick = self.storage.runtime.sleep(Duration::from_millis(REPLICATION_TICK_MS));
            select(std::pin::pin!(acknowledged), tick).await;
        }
    }

    /// The leader's log starts elsewhere, durably.
    pub(in crate::shard) fn log_start_moved(&self, replica: &Rc<Replica>, log_start: Offset) {
        let moved = self.with_leader(replica, |leading, effects| {
            let is_news = log_start > leading.leader.log().log_start;
            if is_news {
                leading.leader.starts_at(log_start, effects);
            }
            is_news
        });
        if moved == Some(true) {
            self.tell_followers(replica);
        }
    }
}

impl Leading {
    pub(super) fn replica_at(&self, peer: PeerShard) -> Option<replication::Replica> {
        self.replicas.iter().find(|it| (it.node, it.shard) == (peer.node, peer.shard)).copied()
    }

    pub(super) fn peer(&self, node: NodeId) -> Option<PeerShard> {
        self.followers.iter().find(|(it, _)| *it == node).map(|(_, peer)| *peer)
    }
}
