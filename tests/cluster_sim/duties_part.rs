//! Machines follow the metadata: their shards take up what they have to do.

use std::sync::Arc;

use corelane::base::ids::{LeaderEpoch, NodeId, PartitionId, ShardId};
use corelane::base::planted::{Bug, is_planted};
use corelane::cluster::{Closed, Duties, Duty, Image, PartitionRecord};
use corelane::replication::{InSync, Leader, LeaderSettings, PeerShard, Replica};

use super::copy::{Copy, Role};
use super::world::World;

const LAG_MAX_MS: u64 = 900;
pub const MIN_IN_SYNC: usize = 2;

impl World {
    /// A machine has another image. Before it is registered, and knows of that, it does nothing in its name, unless that
    /// is the bug.
    pub(super) fn follow_image(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        let may_act = machine.knows_itself() || is_planted(Bug::ReplicationKeepEpoch);
        if !machine.is_up() || !may_act {
            return;
        }
        let new = Arc::clone(&machine.image);
        let old = machine.followed.replace(Arc::clone(&new));
        let shards = (0..machine.shards).map(ShardId);
        let duties: Vec<(ShardId, Duties)> = shards
            .map(|shard| (shard, Duties::between(old.as_deref(), &new, machine.holder(shard, &new))))
            .collect();
        for closed in duties.iter().flat_map(|(_, duties)| &duties.close) {
            match closed {
                Closed::Deleted(id) => self.forget(at, *id),
                // To another shard of the node: that takes it up.
                Closed::Moved(_) => {}
            }
        }
        for (shard, duties) in &duties {
            for (owned, duty) in &duties.take_up {
                self.take_up(at, *shard, owned.partition(), *duty);
            }
        }
        self.look_at_nodes(at, &new);
    }

    fn forget(&mut self, at: usize, id: PartitionId) {
        self.machines[at].copies.remove(&id);
        self.machines[at].disk.copies.remove(&id);
        self.waiting.remove(&(at, id));
        self.counts.deletions += 1;
    }

    fn take_up(&mut self, at: usize, shard: ShardId, partition: &PartitionRecord, duty: Duty) {
        let id = partition.id();
        let machine = &mut self.machines[at];
        let own = machine.replica(shard);
        let synced = machine.disk.copies.get(&id).cloned().unwrap_or_default();
        let copy = machine.copies.entry(id).or_insert_with(|| Copy::of(id, own, synced));
        copy.own = own;
        let is_led = matches!(copy.role, Role::Leads(_));
        match duty {
            Duty::Lead if is_led && copy.epoch == partition.leader_epoch => {
                let (epoch, in_sync) = (partition.partition_epoch, partition.in_sync_replicas.clone());
                let term = partition.leader_epoch;
                self.with_leader(at, id, |leader, effects| leader.learned(term, epoch, in_sync, effects));
            }
            Duty::Lead if is_granted(&machine.image, partition, own) => {
                self.begin_term(at, id, partition.leader_epoch);
                self.become_leader(at, partition);
            }
            Duty::Follow(Some(leader)) => {
                let leader = PeerShard { node: leader.node, shard: leader.shard };
                let follows = matches!(&copy.role, Role::Follows(it, _) if *it == leader);
                if !follows || copy.epoch != partition.leader_epoch {
                    self.begin_term(at, id, partition.leader_epoch);
                    let copy = self.machines[at].copies.get_mut(&id).expect("just made");
                    let words = copy.follow(leader);
                    self.say(at, id, leader, words);
                }
            }
            Duty::Lead | Duty::Follow(None) => self.begin_term(at, id, partition.leader_epoch),
        }
    }

    /// What the copy was is over, and nobody who waits for it is answered.
    fn begin_term(&mut self, at: usize, id: PartitionId, epoch: LeaderEpoch) {
        let copy = self.machines[at].copies.get_mut(&id).expect("it is taken up");
        assert!(copy.epoch <= epoch, "{id}: terms do not go back");
        copy.epoch = epoch;
        copy.role = Role::Idle;
        copy.others = Vec::new();
        copy.groups = None;
        self.waiting.remove(&(at, id));
    }

    fn become_leader(&mut self, at: usize, partition: &PartitionRecord) {
        let id = partition.id();
        let now_ms = self.clock(at);
        let machine = &mut self.machines[at];
        let image = Arc::clone(&machine.image);
        let copy = machine.copies.get_mut(&id).expect("just made");
        let own = copy.own;
        let others = partition.replicas.iter().filter(|replica| replica.node != machine.node);
        let followers: Vec<Replica> =
            others.filter_map(|replica| registered(&image, partition, replica.node)).collect();
        let log = copy.leader_log();
        // A term in which nothing was written leaves no trace; this one is new.
        copy.history.truncate_from_end(log.log_end);
        copy.history.assign(copy.epoch, log.log_end).expect("terms grow");
        let settings = LeaderSettings {
            partition: id,
            leader_epoch: copy.epoch,
            own,
            min_in_sync: MIN_IN_SYNC,
            lag_max_ms: LAG_MAX_MS,
        };
        let in_sync = InSync::new(partition.partition_epoch, partition.in_sync_replicas.clone());
        let mut effects = Vec::new();
        let mut leader = Leader::new(settings, log, &followers, in_sync, now_ms, &mut effects);
        // Who is alone in the set commits what it has.
        leader.synced(log.durable_end, &mut effects);
        copy.others = followers;
        copy.epoch_start = log.log_end;
        copy.role = Role::Leads(Box::new(leader));
        self.checks.leads(machine.node, copy);
        self.counts.terms += 1;
        let (node, epoch, start) = (partition.leader, partition.leader_epoch, log.log_end);
        let in_sync = &partition.in_sync_replicas;
        self.note(|| {
            format!("{id}: {node:?} leads in term {epoch} from {start} on, in sync are {in_sync:?}")
        });
        self.carry_out_leader(at, id, effects);
        self.host_groups(at, id);
    }

    /// Leaders learn who takes part (KIP-841), and that a node was started anew.
    fn look_at_nodes(&mut self, at: usize, image: &Image) {
        let led = self.machines[at].copies.values().filter(|copy| matches!(copy.role, Role::Leads(_)));
        let led: Vec<(PartitionId, Vec<Replica>)> = led.map(|copy| (copy.id, copy.others.clone())).collect();
        for (id, others) in led {
            let Some(partition) = image.partition(id) else { continue };
            for (place, known) in others.into_iter().enumerate() {
                let now = registered(image, partition, known.node).unwrap_or(known);
                if now != known {
                    self.machines[at].copies.get_mut(&id).expect("it leads").others[place] = now;
                    self.with_leader(at, id, |leader, effects| leader.meets(now, effects));
                }
                let is_able = image.node(now.node).is_some_and(|node| node.has_working(now.shard));
                self.with_leader(at, id, |leader, effects| leader.set_eligible(now.node, is_able, effects));
            }
        }
    }
}

/// Whether a term was granted to this very start of the node, on this disk.
fn is_granted(image: &Image, partition: &PartitionRecord, own: Replica) -> bool {
    registered(image, partition, own.node).is_some_and(|granted| own.may_lead(&granted))
}

/// A copy as the metadata has it: on which disk, at which start of its node.
fn registered(image: &Image, partition: &PartitionRecord, node: NodeId) -> Option<Replica> {
    let (replica, record) = (partition.replica(node)?, image.node(node)?);
    let (shard, disk, incarnation) = (replica.shard, record.disk, record.incarnation);
    Some(Replica { node, shard, disk, incarnation })
}
