//! `corelane produce`: lines of stdin become records.

mod arguments;
mod input;
mod lines;
mod report;
mod run;

pub use arguments::{ProduceCommand, Separator, separator};
pub use input::{Headers, Record};
pub use run::run;
