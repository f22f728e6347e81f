//! A value of a key, read and checked.

use std::fmt;
use std::time::Duration;

use super::address::HostPort;
use super::{cpus, units};

/// What a [`Kind`](super::kind::Kind) makes of a text. `Display` gives a text that the same kind reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// True or false.
    Boolean(bool),
    /// A plain number: a count, bytes in Kafka's keys, a port.
    Integer(i64),
    /// Bytes in a key of our own.
    Size(u64),
    /// A duration in a key of our own.
    Duration(Duration),
    /// Names, paths, choices.
    Text(String),
    /// Host and port.
    Address(HostPort),
    /// CPU numbers.
    Cpus(Vec<usize>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Boolean(value) => value.fmt(f),
            Value::Integer(value) => value.fmt(f),
            Value::Size(bytes) => f.write_str(&units::format_size(*bytes)),
            Value::Duration(duration) => f.write_str(&units::format_duration(*duration)),
            Value::Text(text) => f.write_str(text),
            Value::Address(address) => address.fmt(f),
            Value::Cpus(list) => f.write_str(&cpus::format(list)),
        }
    }
}
