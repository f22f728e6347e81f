//! The lowest layer: identities, limits, memory. Knows nothing of the rest.

pub mod buffer;
pub mod ids;
pub mod limits;
pub mod planted;
