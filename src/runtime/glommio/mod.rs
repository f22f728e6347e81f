//! The real world: glommio for tasks, time and sockets, an io_uring of its own for the disk.

mod disk;
mod executor;
mod host;
mod net;
#[cfg(test)]
mod net_tests;
mod ring;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod timers;
mod watchdog;

pub use executor::{ShardThread, run_here, spawn_shard};
pub use host::{pause, process_clock_ms, random_u64, wall_clock_ms};
pub use net::{HeldAddress, Listener, Stream, hold_address};
