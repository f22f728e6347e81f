//! Sessions, and what comes by them.

use std::collections::VecDeque;

use corelane::base::ids::NodeId;
use corelane::replication::{Push, Session, Stream};
use rkyv::util::AlignedVec;

use super::super::link::{self, CLUSTER, Heard, Words};
use super::super::node::{Role, peer};
use super::{PUSH_BYTES, World};

impl World {
    /// A new session between two nodes, if both are there.
    pub(super) fn connect(&mut self, a: NodeId, b: NodeId) {
        if !self.node(a).is_up || !self.node(b).is_up {
            return;
        }
        self.sessions += 1;
        for (here, there) in [(a, b), (b, a)] {
            let session = self.sessions;
            self.node(here).sessions.begin(peer(there), session).expect("a newer one");
            for stream in [Stream::Live, Stream::CatchUp] {
                self.links.insert((here, there, stream), VecDeque::new());
                let incarnation = self.node(there).incarnation;
                let session = Session::new(CLUSTER, peer(here), peer(there), stream, session, incarnation);
                self.node(here).to_peers.insert((there, stream), session);
            }
        }
        for (here, there) in [(a, b), (b, a)] {
            let replica = self.node(there).replica();
            let mut effects = Vec::new();
            let mut words = Words::default();
            let node = self.node(here);
            match &mut node.role {
                Role::Leads(leader) => leader.meets(replica, &mut effects),
                Role::Follows(leader, _) if *leader == there => words = node.follow(there),
                _ => {}
            }
            self.say(here, there, Stream::Live, 0, words);
            self.carry_out(here, effects);
        }
    }

    pub(super) fn busy(&mut self) -> Option<(NodeId, NodeId, Stream)> {
        let busy: Vec<_> =
            self.links.iter().filter(|(_, link)| !link.is_empty()).map(|(key, _)| *key).collect();
        if busy.is_empty() { None } else { Some(busy[self.random.below(busy.len() as u64) as usize]) }
    }

    pub(super) fn deliver_some(&mut self) {
        let Some(key) = self.busy() else { return };
        if self.is_paused(key.1.0 as usize - 1) || self.is_lonely(key.0) || self.is_lonely(key.1) {
            return;
        }
        for _ in 0..=self.random.below(4) {
            let Some(frame) = self.links.get_mut(&key).and_then(VecDeque::pop_front) else { return };
            let is_admitted = self.deliver(key.1, &frame);
            assert!(is_admitted, "a frame of the present session is refused");
        }
    }

    /// Whether the frame was one to look at.
    pub(super) fn deliver(&mut self, to: NodeId, frame: &AlignedVec) -> bool {
        let (address, heard) = link::read(frame).expect("a frame");
        if self.node(to).sessions.admit(&address).is_err() {
            return false;
        }
        let (from, stream, sequence) = (address.from.node, address.stream, address.sequence);
        self.note(format!("{from} to {to} by {stream:?}: frame {sequence} of {}", address.session));
        match heard {
            Heard::Push { entries, reconciles, marks } => {
                let mut words = Words::default();
                if matches!(self.node(to).role, Role::Follows(leader, _) if leader == from) {
                    let node = self.node(to);
                    let told = reconciles.iter().map(|told| node.hear_reconcile(told)).collect::<Vec<_>>();
                    let pushed = entries.iter().map(|(entry, records)| node.hear_push(entry, records));
                    let pushed = pushed.collect::<Vec<_>>();
                    let marked = marks.iter().map(|mark| node.hear_mark(mark)).collect::<Vec<_>>();
                    for mut more in told.into_iter().chain(pushed).chain(marked) {
                        words.acks.append(&mut more.acks);
                        words.resumes.append(&mut more.resumes);
                    }
                }
                if stream == Stream::CatchUp {
                    self.say(to, from, Stream::CatchUp, sequence, Words::default());
                    self.say(to, from, Stream::Live, 0, words);
                } else {
                    self.say(to, from, Stream::Live, sequence, words);
                }
            }
            Heard::Answers { replica, through_sequence, words } => {
                let node = self.node(to);
                let session = node.to_peers.get_mut(&(from, stream)).expect("there is a session");
                session.answered(through_sequence).expect("it was sent");
                let mut effects = Vec::new();
                if let Role::Leads(leader) = &mut node.role {
                    // What does not count is refused, and that is all.
                    for resume in &words.resumes {
                        let _ = leader.resumed(replica, resume, &node.history, &mut effects);
                    }
                    for ack in &words.acks {
                        let _ = leader.acknowledged(replica, ack, &mut effects);
                    }
                }
                self.carry_out(to, effects);
            }
        }
        true
    }

    pub(super) fn push_records(&mut self, from: NodeId, to: NodeId, stream: Stream, base: i64, count: usize) {
        let node = self.node(from);
        let (entry, records) = node.read(node.epoch, base, count);
        assert_eq!(records.len(), count, "of one term");
        let session = node.to_peers.get_mut(&(to, stream)).expect("there is room");
        let push = Push { entries: vec![entry], ..Push::default() };
        let frame = link::push_frame(session.push(PUSH_BYTES), &push, &records);
        self.send(from, to, stream, frame);
    }

    /// What is no records.
    pub(super) fn push_word(&mut self, from: NodeId, to: NodeId, stream: Stream, push: &Push) {
        let Some(session) = self.node(from).to_peers.get_mut(&(to, stream)) else { return };
        let frame = link::push_frame(session.word(), push, &[]);
        self.send(from, to, stream, frame);
    }

    pub(super) fn say(
        &mut self,
        from: NodeId,
        to: NodeId,
        stream: Stream,
        through_sequence: u64,
        words: Words,
    ) {
        let node = self.node(from);
        let replica = node.replica();
        let Some(session) = node.to_peers.get_mut(&(to, stream)) else { return };
        let frame = link::answers_frame(session.word(), replica, through_sequence, words);
        self.send(from, to, stream, frame);
    }

    pub(super) fn send(&mut self, from: NodeId, to: NodeId, stream: Stream, frame: AlignedVec) {
        if self.random.one_in(20) {
            self.old_frames.push((to, frame.clone()));
        }
        // Who sends to a node that is gone does not know yet.
        if let Some(link) = self.links.get_mut(&(from, to, stream)) {
            link.push_back(frame);
        }
    }
}
