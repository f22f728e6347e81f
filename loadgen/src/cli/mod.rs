//! The command line: arguments, presets, files, exit codes.

mod arguments;
mod expand;
mod presets;
mod resolve;
mod run;

pub use run::run;
