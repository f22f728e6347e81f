//! The simulated world: seeded, single-threaded, in virtual time, with a disk that loses what it may.
//!
//! ```
//! use corelane::runtime::OpenMode;
//! use corelane::runtime::sim::{CrashPoint, SimWorld};
//!
//! let world = SimWorld::new(7);
//! let runtime = world.runtime();
//! world.crash_at(CrashPoint::DiskEvents(2));
//! let outcome = world.block_on(async {
//!     let file = runtime.open("/journal".as_ref(), OpenMode::WriteDurable).await.unwrap();
//!     file.allocate(1 << 20).await.unwrap();
//! });
//! assert_eq!(outcome, None, "power was lost when the file had been created");
//! let files = world.block_on(runtime.list_dir("/".as_ref())).unwrap().unwrap();
//! assert!(files.len() <= 1, "its entry was never synced, so either is right");
//! ```

mod disk;
mod host;
mod machine;
mod rng;
mod tasks;
#[cfg(test)]
mod tests;
mod trace;
mod world;

pub use disk::{DeviceImage, DiskFault, DiskOp, Plan, WrittenFile};
pub use machine::CrashPoint;
pub use world::SimWorld;
