//! What waits for one peer: between whoever has something to send, on any thread, and the task that sends it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::links::Sent;
use crate::base::limits::{LINK_QUORUM_BYTES_MAX, LINK_QUORUM_FRAMES_MAX};
use crate::link::{Outbox, Overflow, Pushed};
use crate::quorum::{Message, Outgoing, RaftId, encode_frame};

/// What waits for one peer.
pub(super) struct Lane {
    inner: Mutex<Inner>,
    is_filled: Notify,
}

struct Inner {
    /// The member at the other end and the session with it, while there is a connection.
    open: Option<(RaftId, Outgoing)>,
    outbox: Outbox<Vec<u8>>,
}

impl Lane {
    pub fn new() -> Self {
        let outbox = Outbox::new(LINK_QUORUM_FRAMES_MAX, LINK_QUORUM_BYTES_MAX, Overflow::DropOldest);
        Lane { inner: Mutex::new(Inner { open: None, outbox }), is_filled: Notify::new() }
    }

    /// Held for a moment only: never while anybody waits. What is inside is whole after each call.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection to a member is there.
    pub fn open(&self, member: RaftId, outgoing: Outgoing) {
        self.lock().open = Some((member, outgoing));
    }

    /// It is not any more; the member that it was with. What waited is lost: it was said in a session that is over.
    pub fn close(&self) -> Option<RaftId> {
        let mut inner = self.lock();
        inner.outbox.clear();
        inner.open.take().map(|(member, _)| member)
    }

    /// Adds a message, if the peer at the other end is this member.
    pub fn send(&self, to: RaftId, message: &Message) -> Option<Sent> {
        let mut inner = self.lock();
        let (_, outgoing) = inner.open.as_mut().filter(|(member, _)| *member == to)?;
        let frame = encode_frame(&outgoing.address(), message);
        let pushed = inner.outbox.push(frame);
        drop(inner);
        self.is_filled.notify_one();
        Some(if pushed == Pushed::Queued { Sent::Queued } else { Sent::LostOlder })
    }

    /// The next frame. One task at a time waits for it.
    pub async fn next(&self) -> Vec<u8> {
        loop {
            let frame = self.lock().outbox.pop();
            match frame {
                Some(frame) => return frame,
                None => self.is_filled.notified().await,
            }
        }
    }
}
