//! The lowest layer: identities, limits, memory, counters. Knows nothing of the rest.

pub mod buffer;
pub mod guard;
pub mod ids;
pub mod limits;
pub mod meter;
pub mod planted;
pub mod splitmix;
