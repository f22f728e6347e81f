//! The only door to disk, time, randomness and tasks. Everything above sees [`Runtime`] and [`File`]; behind
//! them stands either glommio with a disk ring of its own (`glommio/`) or the seeded simulator (`sim/`).

mod api;
#[cfg(test)]
mod conformance;
mod direct;
pub mod glommio;
mod metered;
mod outstanding;
pub mod sim;
pub mod tokio;

pub use api::{DiskSpace, File, OpenMode, Runtime};
pub use glommio::wall_clock_ms;
pub use metered::{DiskMeters, DiskOperation, metered};
