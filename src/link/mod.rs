//! The link between nodes, as far as it is the same for all that goes over it: the handshake with which a connection to
//! the cluster port begins, who is let in, frames as they arrive, what waits to be sent, and when to connect again. Pure:
//! events in, effects out; no sockets, no clock, no randomness.
//!
//! A connection carries one stream, from the node that opened it to one shard, or to control, of another node. It begins
//! with a [`Hello`] and its [`Answer`]. Then come frames, each kind of stream with its own ([`Framing`]).

mod answer;
mod back_off;
mod frames;
mod gate;
mod greeting;
mod hand_over;
mod hello;
mod outbox;
mod peer;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Refusal, RefusalCode};
pub use back_off::back_off_ms;
pub use frames::{FrameReader, Framing};
pub use gate::{Gate, Own, Refused};
pub use greeting::{GREETING_PREFIX_BYTES, GreetingError, LINK_VERSIONS, Versions};
pub use hand_over::{Arrivals, HandOver, HandOverError, HandedOver, arrivals};
pub use hello::{Hello, NO_CLUSTER, Start, StreamId, StreamKind, session_of};
pub use outbox::{Outbox, Overflow, Pushed};
pub use peer::{Action, Event, Notice, Peer, Step};
