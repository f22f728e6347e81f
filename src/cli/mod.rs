//! The command line: arguments, the commands, logging, exit codes.

mod arguments;
mod check_command;
mod client;
mod completions;
mod config_command;
mod log_arguments;
mod log_command;
mod log_repair;
mod log_rows;
mod logging;
mod progress_bar;
mod run;
mod serve;
mod table;

pub use run::run;
