//! How much may be on its way to a peer shard. A peer that is slow fills its own window, and nobody else's; what does
//! not fit is not kept in memory: its partitions catch up from the log.

use std::collections::VecDeque;

use thiserror::Error;

use crate::base::limits::{REPLICATION_WINDOW_BYTES, REPLICATION_WINDOW_FRAMES_MAX};

/// A peer answers a frame that it was not sent: the session cannot be used any more.
#[derive(Error, Clone, Copy, PartialEq, Eq, Debug)]
#[error("the peer answers frame {found}, and {sent} was the last that it was sent")]
pub struct NeverSent {
    /// What it answers.
    pub found: u64,
    /// The last that was sent.
    pub sent: u64,
}

/// The frames of one connection that the peer has not answered.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Sequence and bytes, oldest first.
    frames: VecDeque<(u64, usize)>,
    bytes: usize,
}

impl Window {
    /// Whether a frame of that many bytes may be sent now.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.frames.len() < REPLICATION_WINDOW_FRAMES_MAX && bytes <= REPLICATION_WINDOW_BYTES - self.bytes
    }

    /// Bytes on their way.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A frame is sent, for which there is room.
    pub fn send(&mut self, sequence: u64, bytes: usize) {
        assert!(self.has_room(bytes), "the sender asks first");
        assert!(self.frames.back().is_none_or(|last| last.0 < sequence), "sequences grow");
        self.frames.push_back((sequence, bytes));
        self.bytes += bytes;
    }

    /// The peer has looked at all frames up to `sequence`.
    pub fn answered(&mut self, sequence: u64) {
        while let Some(&(oldest, bytes)) = self.frames.front()
            && oldest <= sequence
        {
            self.frames.pop_front();
            self.bytes -= bytes;
        }
    }
}
