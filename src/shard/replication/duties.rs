//! What the metadata gives the shard to do for its replicas: lead or follow, and whom.

use std::rc::Rc;

use super::host::Replication;
use super::role::{Leading, Next, Role};
use crate::base::ids::{LeaderEpoch, NodeId, PartitionId};
use crate::base::limits::{PARTITIONS_PER_TURN, REPLICA_LAG_MAX_MS};
use crate::cluster::{Duty, Image, NodeRecord, PartitionRecord};
use crate::replication::{self, InSync, Leader, LeaderLog, LeaderSettings, PeerShard};
use crate::shard::commits::Uncommitted;
use crate::shard::replica::Replica;

impl Replication {
    /// Does its duty for a partition, as its record and the nodes' are in `image`.
    pub(in crate::shard) fn take_up(&self, image: &Image, record: &PartitionRecord, duty: Duty) {
        let Some(replica) = self.storage.replica(record.id()) else { return };
        // Followers would cut their logs to what is left of a leader's. A term that has begun knew of all.
        if !leads_in(&replica, record.leader_epoch)
            && let Err(error) = self.storage.check_in_service().and_then(|()| replica.check_whole())
        {
            return self.set_aside(&replica, &error);
        }
        match duty {
            Duty::Lead if self.is_granted(image, record) => self.lead(image, record, &replica),
            Duty::Follow(Some(leader)) => {
                let from = PeerShard { node: leader.node, shard: leader.shard };
                if !is_following(&replica, from, record.leader_epoch) {
                    self.follow(&replica, from, record.leader_epoch);
                }
            }
            Duty::Lead | Duty::Follow(None) => self.wait(&replica),
        }
    }

    /// Whether the term was granted to this start of the node, on this disk: what another start has sent in it may be gone
    /// from the log here.
    fn is_granted(&self, image: &Image, record: &PartitionRecord) -> bool {
        let own = self.identity.replica();
        replica_in(image, record, own.node).is_some_and(|granted| own.may_lead(&granted))
    }

    fn lead(&self, image: &Image, record: &PartitionRecord, replica: &Rc<Replica>) {
        let is_same_term = match &mut *replica.role.borrow_mut() {
            Role::Leads(leading) => leading.leader_epoch == record.leader_epoch,
            Role::Follows(following) if following.is_cutting => {
                following.next = Some(Next::LookAgain);
                return;
            }
            _ => false,
        };
        if is_same_term {
            self.with_leader(replica, |leading, effects| {
                let (epoch, in_sync) = (record.leader_epoch, record.in_sync_replicas.clone());
                leading.leader.learned(epoch, record.partition_epoch, in_sync, effects);
            });
        } else {
            self.begin_term(image, record, replica);
        }
        self.look_at_nodes_of(image, record, replica);
    }

    fn begin_term(&self, image: &Image, record: &PartitionRecord, replica: &Rc<Replica>) {
        let began = replica.state.borrow_mut().become_leader_of_replicas(record.leader_epoch);
        if let Err(error) = began {
            // The metadata's terms only grow, and the log has records of the metadata's terms.
            tracing::error!(partition = %replica.id, %error, "a term cannot begin: the partition is not led");
            return self.wait(replica);
        }
        let own = self.identity.replica();
        let others = record.replicas.iter().filter(|it| it.node != own.node);
        let replicas: Vec<_> = others.filter_map(|it| replica_in(image, record, it.node)).collect();
        let settings = LeaderSettings {
            partition: replica.id,
            leader_epoch: record.leader_epoch,
            own,
            min_in_sync: usize::from(replica.settings().min_in_sync_replicas),
            lag_max_ms: REPLICA_LAG_MAX_MS,
        };
        let in_sync = InSync::new(record.partition_epoch, record.in_sync_replicas.clone());
        let mut effects = Vec::new();
        let log = leader_log(replica);
        let mut leader = Leader::new(settings, log, &replicas, in_sync, self.now_ms(), &mut effects);
        // Who is alone in the set commits what it has.
        leader.synced(log.durable_end, &mut effects);
        let peer = |it: &replication::Replica| (it.node, PeerShard { node: it.node, shard: it.shard });
        let followers = replicas.iter().map(peer).collect();
        let leading = Leading { leader, leader_epoch: record.leader_epoch, followers, replicas };
        replica.set_role(Role::Leads(Box::new(leading)));
        self.followed.borrow_mut().remove(&replica.id);
        self.led.borrow_mut().insert(replica.id, Rc::clone(replica));
        self.carry_out_leaders(replica, effects);
        replica.tell_watchers();
    }

    /// There is nobody to follow, and nothing is led.
    pub(super) fn wait(&self, replica: &Rc<Replica>) {
        if let Role::Follows(following) = &mut *replica.role.borrow_mut()
            && following.is_cutting
        {
            following.next = Some(Next::LookAgain);
            return;
        }
        replica.state.borrow_mut().resign();
        replica.set_role(Role::Waits);
        replica.refuse_waiters(Uncommitted::NotLeader);
        replica.tell_watchers();
        self.led.borrow_mut().remove(&replica.id);
        self.followed.borrow_mut().insert(replica.id, Rc::clone(replica));
    }

    /// The topic's configs, or those of its brokers, have changed.
    pub(in crate::shard) fn settings_changed(&self, id: PartitionId) {
        let Some(replica) = self.storage.replica(id).filter(|it| it.is_replicated()) else { return };
        let min_in_sync = usize::from(replica.settings().min_in_sync_replicas);
        self.with_leader(&replica, |leading, effects| leading.leader.set_min_in_sync(min_in_sync, effects));
    }

    /// The partition was deleted here, or is on its own from now on.
    pub(in crate::shard) fn let_go(&self, id: PartitionId) {
        self.led.borrow_mut().remove(&id);
        self.followed.borrow_mut().remove(&id);
        self.set_aside.borrow_mut().remove(&id);
    }

    /// The metadata's duties are all done: the connections that they need are known.
    pub(in crate::shard) fn duties_done(&self) {
        self.count_wanted();
        self.duties_are_done.notify_waiters();
    }

    /// Nodes were started anew, or are said to be alive or not.
    pub(in crate::shard) async fn look_at_nodes(&self, image: &Image) {
        let led: Vec<Rc<Replica>> = self.led.borrow().values().cloned().collect();
        for some in led.chunks(PARTITIONS_PER_TURN) {
            for replica in some {
                if let Some(record) = image.partition(replica.id) {
                    self.look_at_nodes_of(image, record, replica);
                }
            }
            self.storage.runtime.yield_now().await;
        }
    }

    fn look_at_nodes_of(&self, image: &Image, record: &PartitionRecord, replica: &Rc<Replica>) {
        self.with_leader(replica, |leading, effects| {
            for known in &mut leading.replicas {
                if let Some(now) = replica_in(image, record, known.node)
                    && now != *known
                {
                    *known = now;
                    leading.leader.meets(now, effects);
                }
                let is_able = image.node(known.node).is_some_and(|node| node.has_working(known.shard));
                leading.leader.set_eligible(known.node, is_able, effects);
            }
        });
    }
}

/// A replica as the metadata has its node: on which disk, and at which start. The partition's record may name another disk,
/// on which the copy counted last; what is on this one joins the in-sync set when it has caught up.
fn replica_in(image: &Image, record: &PartitionRecord, node: NodeId) -> Option<replication::Replica> {
    let replica = record.replica(node)?;
    let &NodeRecord { disk, incarnation, .. } = image.node(node)?;
    Some(replication::Replica { node, shard: replica.shard, disk, incarnation })
}

fn is_following(replica: &Replica, from: PeerShard, leader_epoch: LeaderEpoch) -> bool {
    match &*replica.role.borrow() {
        Role::Follows(following) => {
            let next = following.next.unwrap_or(Next::Follow(following.from, following.leader_epoch));
            next == Next::Follow(from, leader_epoch)
        }
        _ => false,
    }
}

fn leads_in(replica: &Replica, leader_epoch: LeaderEpoch) -> bool {
    matches!(&*replica.role.borrow(), Role::Leads(leading) if leading.leader_epoch == leader_epoch)
}

fn leader_log(replica: &Replica) -> LeaderLog {
    let state = replica.state.borrow();
    let progress = state.progress();
    LeaderLog {
        log_start: progress.log_start(),
        high_watermark: progress.high_watermark(),
        durable_end: progress.durable_end(),
        log_end: progress.log_end(),
    }
}
