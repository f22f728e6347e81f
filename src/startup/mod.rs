//! Between configuration and service: is this machine fit to run a broker, and once it runs, where is it?
//!
//! Each check is a function of its inputs that says what is wrong and what to do about it; `checks` runs them
//! all and reports everything at once.

mod checks;
mod cpus;
mod directories;
pub mod endpoints;
mod kernel;
pub mod notify;
mod open_ports;
mod ports;
mod problem;
pub mod resources;
mod uring;

pub use checks::{Checked, Passed, RunningBroker, check, directories_of, examine};
pub use directories::{DirectoryLock, claim, existing, hold};
pub use problem::{Problem, Problems, Warning};
