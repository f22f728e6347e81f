//! The command line: arguments, the commands, logging, exit codes.

mod arguments;
mod check_command;
mod config_command;
mod logging;
mod run;
mod serve;

pub use run::run;
