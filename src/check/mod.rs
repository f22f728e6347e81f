//! `corelane check`: what this machine does to a broker, and what to change.
//!
//! `machine` puts a list of findings together. What would keep `serve` from starting comes from `startup`, which is
//! asked the same questions as at a start (`serving`). The rest is how the machine is set up, read below a root
//! directory (`tree`), so that tests make up machines; each file looks at one part of it. What cannot be read is
//! unknown, not wrong. Nothing is changed here.

mod cpu;
mod device;
mod disk;
mod finding;
mod host;
mod interrupts;
mod machine;
mod memory;
mod mounts;
mod network;
mod numa;
mod serving;
#[cfg(test)]
mod testing;
mod tree;

pub use finding::{Finding, Status};
pub use machine::check;
