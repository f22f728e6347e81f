//! Kafka's bytes: pure, no I/O.

pub mod batch;
