//! A stream to another node, seen from the node that opens it: when to connect, with which session, and how long to wait
//! after it came to nothing. Whoever drives it does what a step says, lets go of an earlier connection before it opens
//! the next one, and tells what came of it.

use super::answer::{Answer, Refusal, RefusalCode};
use super::back_off::{back_off_ms, jittered};
use super::hello::{Hello, Start, StreamKind, session_of};
use crate::base::ids::{NodeId, ShardId};
use crate::base::limits::{LINK_REFUSED_BACK_OFF_MS, LINK_STEADY_MS};

/// What has happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Nothing yet, or the wait is over.
    Ready,
    /// The connection is there.
    Connected,
    /// The peer has answered the hello.
    Answered(Answer),
    /// There is no connection, or none any more.
    Lost,
    /// The stream is not wanted any more.
    Close,
}

/// What is to be done next. Each is answered by an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Connect to the peer: [`Event::Connected`] or [`Event::Lost`].
    Connect,
    /// Send this and wait for the answer: [`Event::Answered`] or [`Event::Lost`].
    Greet(Hello),
    /// Send frames of this session to this start of the peer until [`Event::Lost`].
    Carry {
        /// The session.
        session: u64,
        /// Who is at the other end.
        peer: Start,
    },
    /// Let go of the connection and wait: [`Event::Ready`].
    Wait {
        /// Milliseconds.
        ms: u64,
    },
    /// Let go of everything.
    Stop,
}

/// What somebody may want to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// Frames can be sent.
    Up,
    /// They cannot any more.
    Down,
    /// The peer refuses, or is not who it should be. Said once, however often it happens in a row.
    Refused(Refusal),
}

/// What follows from an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// What to do.
    pub action: Action,
    /// What to say.
    pub notice: Option<Notice>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Waiting,
    Connecting,
    Greeting,
    Up { since_ms: u64 },
    Closed,
}

/// A stream to another node.
#[derive(Debug)]
pub struct Peer {
    hello: Hello,
    phase: Phase,
    /// Connections so far.
    connections: u32,
    /// Attempts in a row that did not end in a connection that lasted.
    failures: u32,
    /// The newest start of the peer that was heard of.
    known: Option<Start>,
    /// The last refusal, if nothing better has happened since.
    refused: Option<RefusalCode>,
}

impl Peer {
    /// A stream that nobody has asked for yet: [`Event::Ready`] begins.
    ///
    /// # Panics
    /// If the node has started 2^32 times.
    pub fn new(cluster: [u8; 16], from: Start, to: NodeId, kind: StreamKind) -> Self {
        assert!(from.incarnation < 1 << 32, "a node does not start that often");
        let (from_shard, to_shard) = (ShardId(0), ShardId(0));
        let hello = Hello { cluster, from, to, kind, from_shard, to_shard, session: 0 };
        Peer { hello, phase: Phase::Waiting, connections: 0, failures: 0, known: None, refused: None }
    }

    /// The same between two shards.
    pub fn between_shards(mut self, from: ShardId, to: ShardId) -> Self {
        (self.hello.from_shard, self.hello.to_shard) = (from, to);
        self
    }

    /// What follows from an event. `now_ms` is a clock that never goes back, `random` is any number.
    pub fn handle(&mut self, now_ms: u64, random: u64, event: Event) -> Step {
        match (self.phase, event) {
            (Phase::Closed, _) | (_, Event::Close) => self.close(),
            (Phase::Waiting, Event::Ready) => self.go(Phase::Connecting, Action::Connect),
            (Phase::Connecting, Event::Connected) => self.greet(),
            (Phase::Greeting, Event::Answered(answer)) => self.hear(now_ms, random, answer),
            (Phase::Up { since_ms }, _) => {
                if now_ms.saturating_sub(since_ms) >= LINK_STEADY_MS {
                    self.failures = 0;
                }
                Step { notice: Some(Notice::Down), ..self.back_off(random) }
            }
            // Also whatever does not fit here: the connection is in an unknown state.
            _ => self.back_off(random),
        }
    }

    fn go(&mut self, phase: Phase, action: Action) -> Step {
        self.phase = phase;
        Step { action, notice: None }
    }

    fn close(&mut self) -> Step {
        let was_up = matches!(self.phase, Phase::Up { .. });
        let notice = was_up.then_some(Notice::Down);
        Step { notice, ..self.go(Phase::Closed, Action::Stop) }
    }

    fn greet(&mut self) -> Step {
        self.connections = self.connections.checked_add(1).expect("one in a millisecond is 49 days of them");
        self.hello.session = session_of(self.hello.from.incarnation, self.connections);
        let hello = self.hello;
        self.go(Phase::Greeting, Action::Greet(hello))
    }

    fn hear(&mut self, now_ms: u64, random: u64, answer: Answer) -> Step {
        if let Some(refusal) = answer.refusal {
            return self.refuse(random, refusal);
        }
        if let Some(refusal) = self.doubt(&answer.by) {
            return self.refuse(random, refusal);
        }
        self.known = Some(answer.by);
        self.refused = None;
        let action = Action::Carry { session: self.hello.session, peer: answer.by };
        Step { notice: Some(Notice::Up), ..self.go(Phase::Up { since_ms: now_ms }, action) }
    }

    /// What is wrong with who has answered.
    fn doubt(&self, by: &Start) -> Option<Refusal> {
        let (wanted, found) = (self.hello.to, by.node);
        if found != wanted {
            let text =
                format!("node {found} answers where node {wanted} should: compare `voters` of all nodes");
            return Some(Refusal::new(RefusalCode::OtherNode, &text));
        }
        let known = self.known.filter(|known| known.disk == by.disk)?.incarnation;
        (by.incarnation < known).then(|| {
            let found = by.incarnation;
            let text = format!(
                "node {wanted} answers as its start {found}, and its start {known} was here before: its data directory \
                 is an old copy, or is in use twice"
            );
            Refusal::new(RefusalCode::OlderIncarnation, &text)
        })
    }

    fn refuse(&mut self, random: u64, refusal: Refusal) -> Step {
        let code = refusal.code;
        let is_news = self.refused.replace(code) != Some(code);
        let notice = is_news.then_some(Notice::Refused(refusal));
        let passes = matches!(code, RefusalCode::Busy | RefusalCode::OldSession | RefusalCode::NoClusterYet);
        let step = self.back_off(random);
        if passes {
            return Step { notice, ..step };
        }
        Step { action: Action::Wait { ms: jittered(LINK_REFUSED_BACK_OFF_MS, random) }, notice }
    }

    fn back_off(&mut self, random: u64) -> Step {
        self.failures = self.failures.saturating_add(1);
        let ms = back_off_ms(self.failures, random);
        self.go(Phase::Waiting, Action::Wait { ms })
    }
}
