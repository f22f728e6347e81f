//! `loadgen verify`: are the records that were acknowledged there, in order, and once?

mod ledger;
mod producer;
mod reader;
mod retry;

pub use ledger::{Finding, Ledger, Stream, Verdict};
pub use producer::produce;
pub use reader::{ends, read_back};
