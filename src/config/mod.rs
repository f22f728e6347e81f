//! The broker's configuration: a table of keys, the places that values come from, and the typed result.
//!
//! The way of a value: `keys` says what exists; `file`, `environment` and the command line each make
//! assignments; `settings` lays them over each other and remembers where each came from; `resolve` derives
//! what was left open from the machine, checks values against each other and makes the [`Config`] that
//! everyone else reads.

pub mod address;
pub mod budgets;
mod cpus;
mod environment;
mod error;
mod file;
pub mod key;
pub mod keys;
mod kind;
mod listener;
mod load;
pub mod machine;
pub mod reference;
mod resolve;
mod settings;
#[cfg(test)]
mod tests;
mod typed;
pub mod units;
mod value;
pub mod voters;

pub use budgets::Budgets;
pub use cpus::{format as format_cpus, parse as parse_cpus};
pub use environment::BROKERS_VARIABLE;
pub use error::{ConfigError, ConfigErrors, ValueError};
pub use listener::Listener;
pub use load::{Inputs, Loaded, load};
pub use machine::Machine;
pub use settings::{Assignment, EffectiveValue, Origin};
pub use typed::{Advertise, ClusterPort, Config, LogFormat};
