//! The link's parts.

mod bytes;
mod gate;
mod outgoing;
mod peer;
mod reader;
