//! Frames that wait for a connection to take them. Bounded: what happens to a peer that takes them too slowly depends on
//! what they are, and never is it that memory grows or that others wait.

use std::collections::VecDeque;

/// What to do when there is no room for a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overflow {
    /// The oldest ones are dropped. For messages of which any may be lost, and the newest say most: the quorum's.
    DropOldest,
    /// All are dropped and nothing is taken any more until [`Outbox::clear`]: for streams in which nothing may be
    /// missing. The peer has to catch up in another way.
    GiveUp,
}

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pushed {
    /// It waits, and nothing was lost for it.
    Queued,
    /// It waits, and this number of older ones was dropped.
    Dropped(usize),
    /// It and all others are gone.
    GaveUp,
}

/// Frames that wait, the oldest first.
#[derive(Debug)]
pub struct Outbox<T> {
    queue: VecDeque<T>,
    bytes: usize,
    frames_max: usize,
    bytes_max: usize,
    overflow: Overflow,
    has_given_up: bool,
}

impl<T: AsRef<[u8]>> Outbox<T> {
    /// An empty one. A single frame may be longer than `bytes_max`.
    pub fn new(frames_max: usize, bytes_max: usize, overflow: Overflow) -> Self {
        assert!(frames_max > 0, "there is room for one");
        let queue = VecDeque::new();
        Outbox { queue, bytes: 0, frames_max, bytes_max, overflow, has_given_up: false }
    }

    /// Adds a frame.
    pub fn push(&mut self, frame: T) -> Pushed {
        if self.has_given_up {
            return Pushed::GaveUp;
        }
        let added = frame.as_ref().len();
        let mut dropped = 0;
        while !self.has_room(added) {
            if self.overflow == Overflow::GiveUp {
                self.clear();
                self.has_given_up = true;
                return Pushed::GaveUp;
            }
            self.pop();
            dropped += 1;
        }
        self.bytes += added;
        self.queue.push_back(frame);
        if dropped == 0 { Pushed::Queued } else { Pushed::Dropped(dropped) }
    }

    fn has_room(&self, added: usize) -> bool {
        self.queue.is_empty() || (self.queue.len() < self.frames_max && self.bytes + added <= self.bytes_max)
    }

    /// Takes the oldest frame.
    pub fn pop(&mut self) -> Option<T> {
        let frame = self.queue.pop_front()?;
        self.bytes -= frame.as_ref().len();
        Some(frame)
    }

    /// Drops all frames, and takes new ones.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.bytes = 0;
        self.has_given_up = false;
    }

    /// Frames that wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Their bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
