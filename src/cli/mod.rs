//! The command line: arguments, the commands, logging, exit codes.

mod arguments;
mod config_command;
mod logging;
mod run;
mod serve;

pub use run::run;
