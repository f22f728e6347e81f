//! The controller: whoever leads the quorum decides on what nodes ask for, one proposal after the other.

use std::collections::VecDeque;

use corelane::base::ids::{NodeId, PartitionId, TopicId};
use corelane::cluster::{
    AlterPartition, AlterPartitionError, DiskId, Draft, Election, Heartbeat, HeartbeatAnswer, InSyncReplica,
    Membership, NewTopic, Placing, Registration, RegistrationError, StaleRegistration, TopicDefaults,
    TopicRef, alter_partitions, create_topics, delete_topics, elect_leaders,
};
use corelane::config::Advertise;
use corelane::control::change_of;
use corelane::quorum::{Node, ProposalId, Rejection};
use corelane::replication::Proposal;
use uuid::Uuid;

use super::world::{Event, World};

const SESSION_TIMEOUT_MS: u64 = 2_000;
/// What may wait for a controller. What comes then is lost.
const WAITING_MAX: usize = 200;

/// What a node, or a client, asks of the controller.
#[derive(Clone)]
pub enum Request {
    Register(Registration),
    Heartbeat(Heartbeat),
    /// With the registration epoch of who leads.
    Alter(u64, Proposal),
    Create {
        name: String,
        partitions: i32,
        copies: i16,
        id: u64,
    },
    Delete(String),
    /// Leadership goes back to the preferred copies.
    Elect,
}

#[derive(Clone)]
pub enum Reply {
    Registered(Result<u64, RegistrationError>),
    Heard(Result<HeartbeatAnswer, StaleRegistration>),
    /// The partition, and the epoch that the proposal was made from.
    Altered(PartitionId, i32, Result<(), AlterPartitionError>),
    Done,
}

/// A request on its way, from that start of that machine.
#[derive(Clone)]
pub struct Asked {
    pub from: usize,
    pub starts: u64,
    pub request: Request,
}

pub struct Controller {
    term: u64,
    membership: Option<Membership>,
    under_way: Option<(ProposalId, Vec<(Asked, Reply)>)>,
    waiting: VecDeque<Asked>,
}

impl World {
    /// A request goes to whoever the machine takes for the controller.
    pub(super) fn ask(&mut self, from: usize, request: Request) {
        let machine = &self.machines[from];
        let Some(leader) = machine.member.as_ref().and_then(|member| member.status().leader) else { return };
        let Some(to) = self.machines.iter().position(|it| it.raft_id == leader) else { return };
        let asked = Asked { from, starts: machine.starts, request };
        if let Some(delay_ms) = self.delay(from, to) {
            self.count_alter(&asked, 1);
            self.after(delay_ms, Event::Ask(to, asked));
        }
    }

    /// Whether the controller there has proposed something that a machine wants.
    pub(super) fn has_proposed_for(&self, controller: usize, from: usize) -> bool {
        let under_way = self.machines[controller].controller.as_ref().and_then(|it| it.under_way.as_ref());
        under_way.is_some_and(|(_, replies)| replies.iter().any(|(asked, _)| asked.from == from))
    }

    /// Requests of a machine that wait for a controller are lost.
    pub(super) fn drop_waiting(&mut self, from: usize) {
        for controller in self.machines.iter_mut().filter_map(|machine| machine.controller.as_mut()) {
            controller.waiting.retain(|asked| asked.from != from);
        }
    }

    /// How many copies of a proposal are on their way decides on what a refusal says.
    fn count_alter(&mut self, asked: &Asked, change: i64) {
        if let Request::Alter(_, proposal) = &asked.request {
            *self.alters.entry((asked.from, asked.starts, proposal.partition)).or_default() += change;
        }
    }

    pub(super) fn hear_request(&mut self, at: usize, asked: Asked) {
        let is_leader = self.machines[at].member.as_ref().is_some_and(Node::is_settled_leader);
        self.look_after_controller(at);
        match &mut self.machines[at].controller {
            Some(controller) if is_leader && controller.waiting.len() < WAITING_MAX => {
                controller.waiting.push_back(asked);
            }
            _ => self.count_alter(&asked, -1),
        }
        self.decide(at);
    }

    /// Begins or ends the office of a machine as the quorum has it.
    fn look_after_controller(&mut self, at: usize) {
        let machine = &mut self.machines[at];
        let member = machine.member.as_ref().filter(|member| member.is_settled_leader());
        let term = member.map(|member| member.status().term);
        if machine.controller.as_ref().map(|controller| controller.term) == term {
            return;
        }
        let former = machine.controller.take();
        machine.controller =
            term.map(|term| Controller { term, membership: None, under_way: None, waiting: VecDeque::new() });
        former.into_iter().for_each(|former| self.lose_waiting(former));
    }

    /// A machine that crashes is no controller any more.
    pub(super) fn drop_controller(&mut self, at: usize) {
        let former = self.machines[at].controller.take();
        former.into_iter().for_each(|former| self.lose_waiting(former));
    }

    /// What a former controller was asked is lost with it.
    fn lose_waiting(&mut self, former: Controller) {
        let proposed = former.under_way.into_iter().flat_map(|(_, replies)| replies);
        let lost: Vec<Asked> = former.waiting.into_iter().chain(proposed.map(|(asked, _)| asked)).collect();
        lost.iter().for_each(|asked| self.count_alter(asked, -1));
    }

    /// Decides on all that waits, if nothing is under way.
    pub(super) fn decide(&mut self, at: usize) {
        self.look_after_controller(at);
        let now_ms = self.clock(at);
        let proposal = ProposalId(self.number());
        let machine = &mut self.machines[at];
        let Some(controller) = machine.controller.as_mut().filter(|it| it.under_way.is_none()) else {
            return;
        };
        let mut draft = Draft::of(&machine.image);
        let membership = controller
            .membership
            .get_or_insert_with(|| Membership::begin(&mut draft, SESSION_TIMEOUT_MS, now_ms));
        membership.expire(&mut draft, now_ms);
        let replies: Vec<(Asked, Reply)> = controller
            .waiting
            .drain(..)
            .map(|asked| {
                let reply = carry_out(&mut draft, membership, &asked.request, now_ms);
                (asked, reply)
            })
            .collect();
        let changes: Vec<_> = draft.changes().iter().map(change_of).collect();
        if changes.is_empty() {
            self.reply_all(at, replies);
            return;
        }
        controller.under_way = Some((proposal, replies));
        self.note(|| format!("{} decides: {:?}", at + 1, draft.changes()));
        self.step(at, |member| member.propose(proposal, changes));
    }

    fn reply_all(&mut self, at: usize, replies: Vec<(Asked, Reply)>) {
        for (asked, reply) in replies {
            self.count_alter(&asked, -1);
            if let Some(delay_ms) = self.delay(at, asked.from) {
                self.after(delay_ms, Event::Reply(asked.from, asked.starts, reply));
            }
        }
    }

    /// A proposal of the machine was carried out, or not.
    pub(super) fn proposed(&mut self, at: usize, proposal: ProposalId, outcome: Result<(), Rejection>) {
        let Some(controller) = &mut self.machines[at].controller else { return };
        let Some((_, replies)) = controller.under_way.take_if(|(id, _)| *id == proposal) else { return };
        match outcome {
            Ok(()) => {
                self.counts.decisions += 1;
                self.reply_all(at, replies);
                self.machines[at].is_woken = true;
            }
            Err(_) => {
                // The sessions are as though it had been: they begin anew. Who asked asks again.
                controller.membership = None;
                replies.iter().for_each(|(asked, _)| self.count_alter(asked, -1));
            }
        }
    }

    /// What the controller says comes back.
    pub(super) fn hear_reply(&mut self, at: usize, reply: Reply) {
        match reply {
            Reply::Registered(Ok(epoch)) => {
                let machine = &mut self.machines[at];
                if machine.registration_epoch.is_none() {
                    machine.disk.is_registered = true;
                    machine.registration_epoch = Some(epoch);
                    self.follow_image(at);
                }
            }
            Reply::Registered(Err(
                RegistrationError::OldCopy { .. } | RegistrationError::Forgotten { .. },
            )) => {
                if self.machines[at].registration_epoch.is_none() && !self.machines[at].disk.is_registered {
                    self.counts.old_copies += 1;
                    self.crash(at);
                    let number = self.number();
                    self.machines[at].replace_disk(number);
                }
            }
            // The lease of its former start has yet to end.
            Reply::Registered(Err(_)) => {}
            Reply::Heard(Err(_)) => self.crash(at),
            Reply::Altered(id, partition_epoch, Err(AlterPartitionError::IneligibleReplica(_))) => {
                self.hear_refusal(at, id, partition_epoch);
            }
            Reply::Heard(Ok(answer)) if answer.may_stop && self.machines[at].wants_shutdown => {
                self.counts.stops += 1;
                self.crash(at);
            }
            // What it is now comes with the metadata.
            Reply::Altered(..) | Reply::Heard(Ok(_)) | Reply::Done => {}
        }
    }

    fn hear_refusal(&mut self, at: usize, id: PartitionId, partition_epoch: i32) {
        let on_their_way = self.alters.get(&(at, self.machines[at].starts, id)).copied().unwrap_or(0);
        if on_their_way > 0 {
            return;
        }
        self.with_leader(at, id, |leader, effects| leader.refused(partition_epoch, effects));
    }

    /// What a machine tells the controller from time to time.
    pub(super) fn report(&mut self, at: usize) {
        let machine = &self.machines[at];
        let Some(registration_epoch) = machine.registration_epoch else {
            let registration = machine.registration();
            self.ask(at, Request::Register(registration));
            return;
        };
        let own = machine.image.node(machine.node).filter(|_| machine.knows_itself());
        let heartbeat = Heartbeat {
            node: machine.node,
            registration_epoch,
            applied_record_epoch: own.map_or(0, |record| record.record_epoch),
            wants_shutdown: machine.wants_shutdown,
            failed_shards: machine.failed.clone(),
        };
        self.ask(at, Request::Heartbeat(heartbeat));
    }
}

fn carry_out(draft: &mut Draft, membership: &mut Membership, request: &Request, now_ms: u64) -> Reply {
    match request {
        Request::Register(registration) => {
            Reply::Registered(membership.register(draft, registration, now_ms))
        }
        Request::Heartbeat(heartbeat) => Reply::Heard(membership.heartbeat(draft, heartbeat, now_ms)),
        Request::Alter(registration_epoch, proposal) => alter(draft, *registration_epoch, proposal),
        // It would count as there although nobody has heard of it.
        Request::Create { .. } if draft.image().node(NodeId(1)).is_none() => Reply::Done,
        Request::Create { name, partitions, copies, id } => {
            let new = NewTopic {
                num_partitions: *partitions,
                replication_factor: *copies,
                ..NewTopic::with_defaults(name.clone())
            };
            let mut new_id = || TopicId(Uuid::from_u128(u128::from(*id) << 8));
            // There may be one, or too few nodes.
            let _ = create_topics(draft, &[new], &placing(), 0, &mut new_id);
            Reply::Done
        }
        Request::Delete(name) => {
            delete_topics(draft, &[TopicRef::Name(name.clone())]);
            Reply::Done
        }
        Request::Elect => {
            let all: Vec<PartitionId> = draft.image().partitions().map(|it| it.id()).collect();
            let _ = elect_leaders(draft, Election::Preferred, &all);
            Reply::Done
        }
    }
}

fn alter(draft: &mut Draft, registration_epoch: u64, proposal: &Proposal) -> Reply {
    let Proposal { partition, leader_epoch, partition_epoch, in_sync } = proposal;
    let leader = in_sync[0].node;
    let in_sync_replicas = in_sync
        .iter()
        .map(|it| InSyncReplica { node: it.node, disk: it.disk, incarnation: it.incarnation })
        .collect();
    let alteration = AlterPartition {
        partition: *partition,
        leader_epoch: *leader_epoch,
        partition_epoch: *partition_epoch,
        in_sync_replicas,
    };
    match alter_partitions(draft, leader, registration_epoch, &[alteration]) {
        Ok(mut results) => Reply::Altered(*partition, *partition_epoch, results.remove(0).map(|_| ())),
        Err(stale) => Reply::Heard(Err(stale)),
    }
}

/// Where the copies go is decided by the nodes of the image; none is added to them.
fn placing() -> Placing {
    Placing {
        node: NodeId(1),
        disk: DiskId(Uuid::from_u128(1)),
        shards: 1,
        advertise: Advertise::Shard,
        num_partitions: 1,
        default_replication_factor: 1,
        replicas_max: corelane::base::limits::REPLICAS_PER_PARTITION_MAX,
        defaults: TopicDefaults::default(),
    }
}
