//! Many connections driven by one thread, so that the load itself takes little of the machine.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use corelane::protocol::LENGTH_BYTES;
use hdrhistogram::Histogram;

use crate::epoll::Epoll;
use crate::random::Random;
use crate::wire;

/// Bytes taken from a socket at once.
const READ_BYTES: usize = 256 << 10;
/// How often the load looks whether it shall go on.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);
/// No answer for this long means that the broker is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is asked, and what becomes of the answers.
pub trait Work {
    /// Appends the next request's frame; `false`, and nothing, if there are no more.
    fn request(&mut self, frame: &mut Vec<u8>) -> bool;
    /// Takes the contents of a response frame.
    fn response(&mut self, frame: Bytes);
}

/// When requests are sent.
#[derive(Clone, Copy)]
pub enum Pace {
    /// At random moments, this many a second on average, whether or not earlier ones are answered. Times count
    /// from the moment at which a request was due.
    Open { per_second: f64 },
    /// As long as fewer than this many wait for their answers, on each connection.
    Closed { in_flight: usize },
}

/// What came of it.
pub struct Outcome {
    /// Times of answered requests, in ns.
    pub times: Histogram<u64>,
    /// How late requests were sent, in ns, where they had a time: the load's own part of the times above.
    pub late: Histogram<u64>,
    /// From the first request to the end of sending.
    pub sending: Duration,
    /// Answers that came in that time.
    pub answered: u64,
}

impl Outcome {
    pub fn per_second(&self) -> f64 {
        self.answered as f64 / self.sending.as_secs_f64()
    }
}

pub fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_max(100_000_000_000, 3).expect("3 digits are allowed")
}

/// A quantile in ms.
pub fn millis(times: &Histogram<u64>, quantile: f64) -> f64 {
    times.value_at_quantile(quantile) as f64 / 1e6
}

/// The connections.
pub struct Load {
    epoll: Epoll,
    connections: Vec<Connection>,
    scratch: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    outgoing: Vec<u8>,
    sent: usize,
    incoming: BytesMut,
    /// When the requests in flight were due.
    due: VecDeque<Instant>,
}

impl Load {
    pub fn connect(address: &str, connections: usize) -> Self {
        let epoll = Epoll::new();
        let connect = |number| {
            let stream = wire::connect(address);
            stream.set_nonblocking(true).expect("a socket");
            epoll.add(&stream, number);
            Connection {
                stream,
                outgoing: Vec::new(),
                sent: 0,
                incoming: BytesMut::new(),
                due: VecDeque::new(),
            }
        };
        let connections = (0..connections).map(connect).collect();
        Load { epoll, connections, scratch: vec![0; READ_BYTES] }
    }

    /// Sends until `goes_on`, which is told the time since the start, says no or the work has no more requests;
    /// then waits for the answers.
    pub fn run(&mut self, pace: Pace, work: &mut dyn Work, goes_on: impl FnMut(Duration) -> bool) -> Outcome {
        self.drive(pace, work, goes_on, true)
    }

    /// The same, but nothing is waited for: for a `goes_on` that kills the broker.
    pub fn run_unanswered(
        mut self,
        pace: Pace,
        work: &mut dyn Work,
        goes_on: impl FnMut(Duration) -> bool,
    ) -> Outcome {
        self.drive(pace, work, goes_on, false)
    }

    fn drive(
        &mut self,
        pace: Pace,
        work: &mut dyn Work,
        mut goes_on: impl FnMut(Duration) -> bool,
        waits: bool,
    ) -> Outcome {
        let start = Instant::now();
        let mut pacer = Pacer { pace, next: start, turn: 0, random: Random::new(1) };
        let mut outcome =
            Outcome { times: new_histogram(), late: new_histogram(), sending: Duration::ZERO, answered: 0 };
        let (mut look_at, mut answered_at) = (start, start);
        let mut is_sending = true;
        loop {
            let now = Instant::now();
            if is_sending && now >= look_at {
                look_at = now + LOOK_INTERVAL;
                is_sending = goes_on(now - start);
                if !is_sending && !waits {
                    return outcome;
                }
            }
            is_sending = is_sending && pacer.send(&mut self.connections, work, now, &mut outcome.late);
            if is_sending {
                (outcome.sending, outcome.answered) = (now - start, outcome.times.len());
            }
            self.connections.iter_mut().for_each(Connection::flush);
            if !is_sending && self.connections.iter().all(|connection| connection.due.is_empty()) {
                return outcome;
            }
            assert!(now - answered_at < PATIENCE, "the broker does not answer");
            let timeout = if is_sending { pacer.pause(now).min(LOOK_INTERVAL) } else { LOOK_INTERVAL };
            for number in self.epoll.wait(timeout) {
                answered_at = now;
                self.connections[number].receive(&mut self.scratch, work, &mut outcome.times);
            }
        }
    }
}

struct Pacer {
    pace: Pace,
    /// When the next request is due, in an open loop.
    next: Instant,
    turn: usize,
    random: Random,
}

impl Pacer {
    /// Queues what is due; whether there may be more.
    fn send(
        &mut self,
        connections: &mut [Connection],
        work: &mut dyn Work,
        now: Instant,
        late: &mut Histogram<u64>,
    ) -> bool {
        match self.pace {
            Pace::Closed { in_flight } => {
                for connection in connections {
                    while connection.due.len() < in_flight {
                        if !connection.queue(work, now) {
                            return false;
                        }
                    }
                }
            }
            Pace::Open { per_second } => {
                while self.next <= now {
                    self.turn = (self.turn + 1) % connections.len();
                    if !connections[self.turn].queue(work, self.next) {
                        return false;
                    }
                    late.saturating_record((now - self.next).as_nanos() as u64);
                    self.next += Duration::from_secs_f64(self.random.exponential() / per_second);
                }
            }
        }
        true
    }

    fn pause(&self, now: Instant) -> Duration {
        match self.pace {
            Pace::Closed { .. } => LOOK_INTERVAL,
            Pace::Open { .. } => self.next.saturating_duration_since(now),
        }
    }
}

impl Connection {
    fn queue(&mut self, work: &mut dyn Work, due: Instant) -> bool {
        let any = work.request(&mut self.outgoing);
        if any {
            self.due.push_back(due);
        }
        any
    }

    fn flush(&mut self) {
        while self.sent < self.outgoing.len() {
            match self.stream.write(&self.outgoing[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("the broker closed a connection: {error}"),
            }
        }
        self.outgoing.clear();
        self.sent = 0;
    }

    fn receive(&mut self, scratch: &mut [u8], work: &mut dyn Work, times: &mut Histogram<u64>) {
        loop {
            match self.stream.read(scratch) {
                Ok(0) => panic!("the broker closed a connection"),
                Ok(count) => self.incoming.extend_from_slice(&scratch[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("the broker closed a connection: {error}"),
            }
            let now = Instant::now();
            while let Some(frame) = self.next_frame() {
                let due = self.due.pop_front().expect("an answer to a request");
                times.saturating_record((now - due).as_nanos() as u64);
                work.response(frame);
            }
        }
    }

    fn next_frame(&mut self) -> Option<Bytes> {
        let length = self.incoming.first_chunk::<LENGTH_BYTES>()?;
        let length = u32::from_be_bytes(*length) as usize;
        if self.incoming.len() < LENGTH_BYTES + length {
            return None;
        }
        self.incoming.advance(LENGTH_BYTES);
        Some(self.incoming.split_to(length).freeze())
    }
}
