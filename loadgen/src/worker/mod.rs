//! The threads that make load: one per core, each with producers, consumers and a recorder of its own.

mod consumer;
mod context;
mod frames;
mod link;
mod pacer;
mod producer;
mod thread;
mod ticket;

pub use context::{Message, Progress, Shared};
pub use thread::{ConsumerPlan, Plan, ProducerPlan, spawn};
