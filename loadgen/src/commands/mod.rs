//! What the program does, one file for each command.

mod compare;
mod error;
mod measure;
mod null;
mod plan;
mod progress;
mod run;
mod verify;

pub use compare::compare;
pub use error::CommandError;
pub use null::null;
pub use run::{Invocation, run};
pub use verify::verify;
