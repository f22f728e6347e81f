//! Fetch: batches from several partitions, waiting for more until there are enough or time is up, in sessions
//! (KIP-227) and without.
//!
//! There are no transactions, so the last stable offset is the high watermark at either isolation level.

mod handle;
mod response;
mod round;

pub(super) use handle::handle;
