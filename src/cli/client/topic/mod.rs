//! `corelane topic`.

mod arguments;
mod change;
mod describe;
mod list;
mod run;

pub use arguments::TopicCommand;
pub use run::run;
