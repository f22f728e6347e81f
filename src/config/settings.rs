//! Values by key, laid over each other, each with the place that it came from.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::address::HostPort;
use super::error::ConfigError;
use super::key::{Fallback, Key};
use super::keys::nearest;
use super::value::Value;

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// The table of keys.
    Default,
    /// Worked out from the machine and other keys, because nobody set it.
    Derived,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A flag on the command line.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Derived => f.write_str("derived"),
            Origin::File(path) => write!(f, "file {}", path.display()),
            Origin::Environment(variable) => write!(f, "environment {variable}"),
            Origin::Flag(flag) => write!(f, "flag --{flag}"),
        }
    }
}

/// A value that somebody gave to a key, not yet checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// The key.
    pub key: String,
    /// The value as written.
    pub value: String,
    /// Where it stands.
    pub origin: Origin,
}

/// One line of the effective configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EffectiveValue {
    /// The key, with `listener.NAME.` before it in a listener's table.
    pub key: String,
    /// The value, as it could be written.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

struct Entry {
    key: &'static Key,
    value: Option<Value>,
    origin: Origin,
}

/// A value for each key of a table; open where a default has yet to be derived.
pub(super) struct Settings {
    entries: Vec<Entry>,
}

impl Settings {
    /// The fixed defaults of a table.
    pub fn new(keys: &'static [Key]) -> Self {
        let entry = |key: &'static Key| {
            let value = match key.fallback {
                Fallback::Fixed(text) => Some(key.kind.parse(text).expect("defaults are legal: tested")),
                Fallback::Derived(_) => None,
            };
            Entry { key, value, origin: Origin::Default }
        };
        Settings { entries: keys.iter().map(entry).collect() }
    }

    /// Checks a value and lays it over what was there.
    pub fn assign(&mut self, assignment: &Assignment) -> Result<(), ConfigError> {
        let Assignment { key, value, origin } = assignment;
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.key.name == key) else {
            let nearest = nearest(key, self.entries.iter().map(|entry| entry.key.name)).map(str::to_string);
            return Err(ConfigError::UnknownKey { key: key.clone(), origin: origin.clone(), nearest });
        };
        match entry.key.kind.parse(value) {
            Ok(value) => {
                entry.value = Some(value);
                entry.origin = origin.clone();
                Ok(())
            }
            Err(source) => Err(ConfigError::BadValue {
                key: entry.key.name,
                value: value.clone(),
                origin: origin.clone(),
                source,
            }),
        }
    }

    /// Gives an open key a value.
    pub fn derive(&mut self, key: &str, value: Value) {
        let entry = self.entries.iter_mut().find(|entry| entry.key.name == key).expect("a known key");
        if entry.value.is_none() {
            entry.value = Some(value);
            entry.origin = Origin::Derived;
        }
    }

    /// Replaces a value by what it comes to, such as whole journal files; the origin stays.
    pub fn refine(&mut self, key: &str, value: Value) {
        let entry = self.entries.iter_mut().find(|entry| entry.key.name == key).expect("a known key");
        entry.value = Some(value);
    }

    /// Whether somebody set the key.
    pub fn is_set(&self, key: &str) -> bool {
        !matches!(self.entry(key).origin, Origin::Default | Origin::Derived)
    }

    /// Where the key's value came from.
    pub fn origin(&self, key: &str) -> &Origin {
        &self.entry(key).origin
    }

    /// A boolean.
    pub fn boolean(&self, key: &str) -> bool {
        let Value::Boolean(value) = self.value(key) else { unreachable!("{key} is a boolean") };
        *value
    }

    /// A number whose kind's range lies within the type asked for.
    pub fn number<T: TryFrom<i64>>(&self, key: &str) -> T {
        let Value::Integer(value) = self.value(key) else { unreachable!("{key} is a number") };
        T::try_from(*value).ok().expect("the kind's range lies within the type")
    }

    /// Bytes of a size.
    pub fn size(&self, key: &str) -> u64 {
        let Value::Size(value) = self.value(key) else { unreachable!("{key} is a size") };
        *value
    }

    /// A duration.
    pub fn duration(&self, key: &str) -> Duration {
        let Value::Duration(value) = self.value(key) else { unreachable!("{key} is a duration") };
        *value
    }

    /// A text.
    pub fn text(&self, key: &str) -> String {
        let Value::Text(value) = self.value(key) else { unreachable!("{key} is a text") };
        value.clone()
    }

    /// A host and port.
    pub fn address(&self, key: &str) -> HostPort {
        let Value::Address(value) = self.value(key) else { unreachable!("{key} is an address") };
        value.clone()
    }

    /// A host and port that may be left out.
    pub fn optional_address(&self, key: &str) -> Option<HostPort> {
        match self.value(key) {
            Value::Address(value) => Some(value.clone()),
            _ => None,
        }
    }

    /// CPU numbers.
    pub fn cpus(&self, key: &str) -> Vec<usize> {
        let Value::Cpus(value) = self.value(key) else { unreachable!("{key} is a CPU list") };
        value.clone()
    }

    /// The values of the keys that `shown` picks, as they could be written, with `prefix` before the keys.
    pub fn effective(&self, prefix: &str, shown: impl Fn(&str) -> bool) -> Vec<EffectiveValue> {
        let line = |entry: &Entry| EffectiveValue {
            key: format!("{prefix}{}", entry.key.name),
            value: entry.value.as_ref().map(Value::to_string).expect("everything was derived"),
            origin: entry.origin.clone(),
        };
        self.entries.iter().filter(|entry| shown(entry.key.name)).map(line).collect()
    }

    fn entry(&self, key: &str) -> &Entry {
        self.entries.iter().find(|entry| entry.key.name == key).expect("a known key")
    }

    fn value(&self, key: &str) -> &Value {
        self.entry(key).value.as_ref().expect("open keys are derived before they are read")
    }
}
