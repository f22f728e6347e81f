//! The types of configuration values: how a text is read, and what range it must keep.

use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::address::{HostPort, check_host, is_wildcard};
use super::error::ValueError;
use super::value::Value;
use super::{cpus, units, voters};

/// Longest name of a rack or a listener, Kafka's limit for names.
const NAME_BYTES_MAX: usize = 249;

/// What stands for no address where one may be left out.
const NO_ADDRESS: &str = "none";

/// The type of a key's values.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A plain number of bytes, as Kafka's keys take it.
    Bytes {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// Bytes with a unit, in keys of our own.
    Size {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
    },
    /// A time with a unit, in keys of our own.
    Duration {
        /// Longest.
        max: Duration,
    },
    /// A TCP port; 0 where a free one is to be picked.
    Port,
    /// A path; relative ones start at the working directory.
    Path,
    /// A name of letters, digits, `.`, `_` and `-`.
    Name,
    /// A host that clients can reach.
    Host,
    /// `HOST:PORT` to listen on.
    Address,
    /// The same, or [`NO_ADDRESS`].
    OptionalAddress,
    /// The voters of the metadata quorum, or [`NO_ADDRESS`].
    Voters,
    /// CPU numbers.
    Cpus,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// A level, or directives by target as `tracing` takes them.
    LogFilter,
}

impl Kind {
    /// Reads a text, or says what is wrong with it.
    pub fn parse(self, text: &str) -> Result<Value, ValueError> {
        let text = text.trim();
        match self {
            Kind::Boolean => text.parse().map(Value::Boolean).map_err(|_| ValueError::NotABoolean),
            Kind::Integer { min, max } => parse_integer(text, min, max),
            Kind::Bytes { min, max } => parse_bytes(text, min, max),
            Kind::Size { min, max } => {
                let bytes = units::parse_size(text)?;
                let range = || (units::format_size(min), units::format_size(max));
                within(bytes, min, max, range).map(Value::Size)
            }
            Kind::Duration { max } => {
                let duration = units::parse_duration(text)?;
                let range = || ("0ms".to_string(), units::format_duration(max));
                within(duration, Duration::ZERO, max, range).map(Value::Duration)
            }
            Kind::Port => {
                text.parse::<u16>().map(|port| Value::Integer(port.into())).map_err(|_| ValueError::NotAPort)
            }
            Kind::Path if text.is_empty() => Err(ValueError::Empty),
            Kind::Path => Ok(Value::Text(text.to_string())),
            Kind::Name => parse_name(text),
            Kind::Host => parse_host(text),
            Kind::OptionalAddress if text == NO_ADDRESS => Ok(Value::Text(text.to_string())),
            Kind::Address | Kind::OptionalAddress => HostPort::parse(text).map(Value::Address),
            Kind::Voters if text == NO_ADDRESS => Ok(Value::Text(text.to_string())),
            Kind::Voters => match voters::parse(text) {
                Ok(_) => Ok(Value::Text(text.to_string())),
                Err(error) => Err(ValueError::Voters(Box::new(error))),
            },
            Kind::Cpus => cpus::parse(text).map(Value::Cpus),
            Kind::Choice(choices) if choices.contains(&text) => Ok(Value::Text(text.to_string())),
            Kind::Choice(choices) => Err(ValueError::NotAChoice(choices.join(", "))),
            Kind::LogFilter => match EnvFilter::builder().parse(text) {
                Ok(_) if !text.is_empty() => Ok(Value::Text(text.to_string())),
                _ => Err(ValueError::NotALogFilter),
            },
        }
    }

    /// The type in a few words, for the reference.
    pub fn describe(self) -> String {
        match self {
            Kind::Boolean => "boolean".into(),
            Kind::Integer { min, max } => format!("number, {min} to {max}"),
            Kind::Bytes { min, max } => format!("bytes, {min} to {max}"),
            Kind::Size { min, max } => {
                format!("size, {} to {}", units::format_size(min), units::format_size(max))
            }
            Kind::Duration { max } => format!("duration, up to {}", units::format_duration(max)),
            Kind::Port => "port".into(),
            Kind::Path => "path".into(),
            Kind::Name => "name".into(),
            Kind::Host => "host".into(),
            Kind::Address => "host:port".into(),
            Kind::OptionalAddress => format!("host:port or {NO_ADDRESS}"),
            Kind::Voters => format!("id@host:port,... or {NO_ADDRESS}"),
            Kind::Cpus => "CPU list".into(),
            Kind::Choice(choices) => choices.join(" or "),
            Kind::LogFilter => "level or filter".into(),
        }
    }
}

fn within<T: PartialOrd>(
    value: T,
    min: T,
    max: T,
    range: impl Fn() -> (String, String),
) -> Result<T, ValueError> {
    if min <= value && value <= max {
        return Ok(value);
    }
    let (min, max) = range();
    Err(ValueError::OutOfRange { min, max })
}

fn parse_integer(text: &str, min: i64, max: i64) -> Result<Value, ValueError> {
    let number = text.parse().map_err(|_| ValueError::NotANumber)?;
    within(number, min, max, || (min.to_string(), max.to_string())).map(Value::Integer)
}

fn parse_bytes(text: &str, min: u64, max: u64) -> Result<Value, ValueError> {
    let Ok(bytes) = text.parse::<u64>() else {
        return Err(match units::parse_size(text) {
            Ok(bytes) => ValueError::UnitInPlainNumber(bytes),
            Err(_) => ValueError::NotANumber,
        });
    };
    let bytes = within(bytes, min, max, || (min.to_string(), max.to_string()))?;
    i64::try_from(bytes).map(Value::Integer).map_err(|_| ValueError::NotANumber)
}

fn parse_name(text: &str) -> Result<Value, ValueError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text.len() > NAME_BYTES_MAX || !text.chars().all(legal) {
        return Err(ValueError::NotAName);
    }
    Ok(Value::Text(text.to_string()))
}

fn parse_host(text: &str) -> Result<Value, ValueError> {
    // Brackets belong to `host:port`; people write them here all the same.
    let host = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    check_host(host)?;
    if is_wildcard(host) {
        return Err(ValueError::WildcardHost);
    }
    Ok(Value::Text(host.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::voters::VotersError;

    fn kinds_and_texts() -> Vec<(Kind, &'static str, Result<&'static str, ValueError>)> {
        let bytes = Kind::Bytes { min: 10, max: 2_000_000_000 };
        let size = Kind::Size { min: 1024, max: 1 << 30 };
        let range = |min: &str, max: &str| Err(ValueError::OutOfRange { min: min.into(), max: max.into() });
        vec![
            (Kind::Boolean, "true", Ok("true")),
            (Kind::Boolean, "yes", Err(ValueError::NotABoolean)),
            (Kind::Integer { min: 1, max: 9 }, " 9 ", Ok("9")),
            (Kind::Integer { min: 1, max: 9 }, "10", range("1", "9")),
            (Kind::Integer { min: 1, max: 9 }, "x", Err(ValueError::NotANumber)),
            (bytes, "1048588", Ok("1048588")),
            (bytes, "1GiB", Err(ValueError::UnitInPlainNumber(1 << 30))),
            (bytes, "9", range("10", "2000000000")),
            (bytes, "-1", Err(ValueError::NotANumber)),
            (size, "512MiB", Ok("512MiB")),
            (size, "2GiB", range("1KiB", "1GiB")),
            (Kind::Duration { max: Duration::from_secs(60) }, "61s", range("0ms", "1m")),
            (Kind::Port, "70000", Err(ValueError::NotAPort)),
            (Kind::Path, "", Err(ValueError::Empty)),
            (Kind::Name, "rack-1", Ok("rack-1")),
            (Kind::Name, "a b", Err(ValueError::NotAName)),
            (Kind::Host, "[::1]", Ok("::1")),
            (Kind::Host, "0.0.0.0", Err(ValueError::WildcardHost)),
            (Kind::Host, "a:1", Err(ValueError::NotAHost)),
            (Kind::OptionalAddress, "none", Ok("none")),
            (Kind::OptionalAddress, "[::1]:0", Ok("[::1]:0")),
            (Kind::OptionalAddress, "off", Err(ValueError::NoPort)),
            (Kind::Voters, "none", Ok("none")),
            (Kind::Voters, "1@a:1,2@b:1,3@c:1", Ok("1@a:1,2@b:1,3@c:1")),
            (Kind::Voters, "1@a:1,2@b:1", Err(ValueError::Voters(Box::new(VotersError::Count(2))))),
            (Kind::Address, "none", Err(ValueError::NoPort)),
            (Kind::Choice(&["shard", "node"]), "node", Ok("node")),
            (Kind::Choice(&["shard", "node"]), "Node", Err(ValueError::NotAChoice("shard, node".into()))),
            (Kind::LogFilter, "info,corelane=debug", Ok("info,corelane=debug")),
            (Kind::LogFilter, "corelane=loud", Err(ValueError::NotALogFilter)),
            (Kind::LogFilter, "", Err(ValueError::NotALogFilter)),
        ]
    }

    #[test]
    fn every_kind_reads_its_own_and_names_what_is_wrong() {
        for (kind, text, expected) in kinds_and_texts() {
            let value = kind.parse(text).map(|value| value.to_string());
            assert_eq!(value, expected.map(str::to_string), "{kind:?} {text:?}");
        }
    }
}
