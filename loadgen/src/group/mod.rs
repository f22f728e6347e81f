//! Consumers that share partitions through a consumer group. Membership is a matter of seconds, not of microseconds:
//! each member has a thread of its own that joins, tells that it lives and commits, and the threads that make load
//! only look whether their share has changed.

mod coordinator;
mod members;
mod range;
mod share;

pub use members::Members;
pub use share::Share;
