//! What the program does, one file for each command.

mod backpressure;
mod compare;
mod cpu;
mod disk;
mod error;
mod measure;
mod net;
mod null;
mod plan;
mod progress;
mod run;
mod sweep;
mod verify;

pub use backpressure::backpressure;
pub use compare::compare;
pub use cpu::cpu;
pub use disk::{DiskPlan, disk};
pub use error::CommandError;
pub use net::{ROUND_TRIP_BYTES_MAX, net};
pub use null::null;
pub use run::{Invocation, run};
pub use sweep::sweep;
pub use verify::verify;
