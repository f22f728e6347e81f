//! The quorum: its members' effects, and what comes of what they commit.

use std::sync::Arc;

use corelane::cluster::{Draft, Image};
use corelane::control::{cluster_change, image_of};
use corelane::quorum::{Effect, Node, ProposalId, RaftId, Role, State, decode_frame, encode_frame};

use super::members::next_change;
use super::world::{Event, World};

/// The proposals of whoever looks after the members.
const OPERATOR: ProposalId = ProposalId(u64::MAX);

impl World {
    pub(super) fn hear_quorum(&mut self, at: usize, frame: &[u8]) {
        let machine = &mut self.machines[at];
        if !machine.is_up() {
            return;
        }
        let Ok((address, message)) = decode_frame(frame) else {
            self.counts.damaged += 1;
            return;
        };
        if machine.incoming.admit(&address).is_err() {
            self.counts.stale += 1;
            return;
        }
        self.step(at, |member| member.receive(address.from, message));
    }

    /// Something happens to a member, and what it wants done is done.
    pub(super) fn step(&mut self, at: usize, work: impl FnOnce(&mut Node)) {
        let machine = &mut self.machines[at];
        let Some(member) = &mut machine.member else { return };
        work(member);
        let effects = member.take_effects();
        let image = next_image(&machine.image, &effects, member.state());
        let is_news = image.is_some();
        if let Some(image) = image {
            self.checks.metadata(&image);
            self.machines[at].image = Arc::new(image);
        }
        effects.into_iter().for_each(|effect| self.carry_out_quorum(at, effect));
        if is_news {
            self.follow_image(at);
        }
        if std::mem::take(&mut self.machines[at].is_woken) {
            self.decide(at);
        }
    }

    fn carry_out_quorum(&mut self, at: usize, effect: Effect) {
        let id = self.machines[at].raft_id;
        match effect {
            Effect::Persist(persist) => {
                self.machines[at].persist(persist);
                let disk_ms = self.disk_ms();
                self.after(disk_ms, Event::Durable(at, self.machines[at].starts));
            }
            Effect::Send { to, message } => {
                let Some(peer) = self.machines.iter().position(|machine| machine.raft_id == to) else {
                    return;
                };
                // Without a connection it comes to nothing.
                let Some(outgoing) = self.machines[at].outgoing.get_mut(&peer) else { return };
                let frame = encode_frame(&outgoing.address(), &message);
                for (delay_ms, frame) in self.network.carry(&mut self.random, at, peer, &frame) {
                    self.after(delay_ms, Event::QuorumFrame(peer, frame));
                }
            }
            Effect::Applied { index, term, checksum, .. } => {
                self.mix(checksum);
                self.checks.applied(index, term, checksum);
            }
            Effect::Restored { index, term, checksum } => {
                self.counts.snapshots += 1;
                self.checks.applied(index, term, checksum);
            }
            Effect::Committed { proposal, .. } if proposal != OPERATOR => {
                self.proposed(at, proposal, Ok(()));
            }
            Effect::Rejected { proposal, why } if proposal != OPERATOR => {
                self.proposed(at, proposal, Err(why));
            }
            Effect::Role { role: Role::Leader, term, .. } => {
                self.note(|| format!("{id} leads the quorum in term {term}"));
                self.checks.leads_quorum(term, id);
                self.machines[at].is_woken = true;
            }
            Effect::Committed { .. }
            | Effect::Rejected { .. }
            | Effect::Role { .. }
            | Effect::ReadReady { .. }
            | Effect::ReadRefused { .. } => {}
            Effect::Suspicious { from, what } => panic!("{id} suspects {from}: {what}"),
            Effect::Halted { what } => panic!("{id} halts: {what}"),
        }
    }

    /// How long a write takes.
    pub(super) fn disk_ms(&mut self) -> u64 {
        match self.random.below(300) {
            _ if self.is_calm() => 1,
            0 => self.random.below(2_000),
            _ => 1 + self.random.below(12),
        }
    }

    pub(super) fn wanted_members(&self) -> Vec<RaftId> {
        let mut wanted: Vec<RaftId> = self.machines.iter().map(|machine| machine.raft_id).collect();
        wanted.sort_unstable();
        wanted
    }

    /// Whether all members vote, and the leader knows that all have what it has, but for so many entries.
    pub(super) fn is_quorum_whole(&self, lag_max: u64) -> bool {
        let wanted = self.wanted_members();
        let is_whole = |member: &Node| {
            let status = member.status();
            let caught_up = status.matched.values().all(|matched| *matched + lag_max >= status.commit);
            member.is_settled_leader()
                && status.members.voters == wanted
                && status.members.learners.is_empty()
                && caught_up
        };
        self.machines.iter().filter_map(|machine| machine.member.as_ref()).any(is_whole)
    }

    /// Members that lost their disk are replaced.
    pub(super) fn operate(&mut self) {
        let pause_ms = 100 + self.random.below(400);
        self.after(pause_ms, Event::Operate);
        let wanted = self.wanted_members();
        for at in 0..self.machines.len() {
            let member = self.machines[at].member.as_ref().filter(|member| member.is_settled_leader());
            let Some(change) = member.and_then(|member| next_change(&member.status(), &wanted)) else {
                continue;
            };
            self.step(at, |member| member.change_members(OPERATOR, change));
        }
    }
}

/// The metadata with what was committed since, if that is anything.
fn next_image(known: &Image, effects: &[Effect], state: &State) -> Option<Image> {
    if effects.iter().any(|it| matches!(it, Effect::Restored { .. })) {
        return Some(image_of(state).expect("all members hold what makes an image"));
    }
    let mut draft = Draft::of(known);
    for effect in effects {
        if let Effect::Applied { changes, .. } = effect {
            let changes = changes.iter().map(|change| cluster_change(change).expect("a controller's"));
            changes.for_each(|change| draft.follow(change));
        }
    }
    (!draft.changes().is_empty()).then(|| draft.finish())
}
