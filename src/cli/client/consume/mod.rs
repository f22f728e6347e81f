//! `corelane consume`: records become lines of stdout.

mod arguments;
mod client;
mod extent;
mod format;
mod printer;
mod quiet;
mod run;
mod start;

pub use arguments::ConsumeCommand;
pub use run::run;
