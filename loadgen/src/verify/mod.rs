//! `loadgen verify`: are the records that were acknowledged there, in order, and once?

mod ledger;
mod producer;
mod reader;

pub use ledger::{Finding, Ledger, Stream, Verdict};
pub use producer::produce;
pub use reader::{ends, read_back};
