//! One config: its name, its type, and which values it takes.

use super::kind::ConfigKind;
use super::layers::TopicDefaults;

/// Values of `flush.messages` and `flush.ms` up to this mean that records are synced before they are acknowledged.
pub(super) const SYNCED_AT_ONCE: i64 = 1;

/// Which values a config takes.
#[derive(Clone, Copy, Debug)]
pub(in crate::cluster) enum Rule {
    /// The default and the values named, all of which mean what is done anyway; and why that is so.
    Fixed(&'static [&'static str], &'static str),
    /// Whole numbers, both ends included.
    Range(i64, i64),
    /// Fractions from 0 to 1.
    Fraction,
    /// Numbers from 1 on, which may be fractions: so much in a second.
    Rate,
    /// Some of these words.
    SomeOf(&'static [&'static str]),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Lengths up to the longest batch that the broker takes.
    MaxMessageBytes,
    /// How often records are synced: Kafka's default and what is no longer than this mean what is done anyway. Other
    /// numbers are for topics, if the broker allows that they acknowledge from memory.
    Flush(i64),
}

/// A config that the broker knows.
#[derive(Clone, Copy, Debug)]
pub struct ConfigKey {
    /// Its name, Kafka's.
    pub name: &'static str,
    /// The name under which a broker sets it for the topics that do not, if one can.
    pub broker_name: Option<&'static str>,
    /// Its type.
    pub kind: ConfigKind,
    /// What holds where nobody says otherwise.
    pub default: &'static str,
    /// What it is for.
    pub doc: &'static str,
    pub(in crate::cluster) rule: Rule,
}

impl ConfigKey {
    /// Says what is wrong with a value for the config called `name`, which is this one's or the broker's for it.
    pub(super) fn check(&self, name: &str, value: &str, defaults: &TopicDefaults) -> Result<(), String> {
        let shown: String = value.chars().take(64).collect();
        let invalid = |reason: &str| format!("Invalid value {shown} for configuration {name}: {reason}");
        if let Some(reason) = self.kind.misfit(value) {
            return Err(invalid(reason));
        }
        match self.rule {
            Rule::Fixed(others, because) => {
                let is_ours = |known: &&str| self.kind.same(value, known);
                if is_ours(&self.default) || others.iter().any(is_ours) {
                    return Ok(());
                }
                let default = if self.default.is_empty() { "nothing" } else { self.default };
                Err(invalid(&format!("{because}; leave it unset or set it to {default}")))
            }
            Rule::Range(least, most) => {
                check_range(value, least, most, "").map_err(|reason| invalid(&reason))
            }
            Rule::Fraction => match value.parse::<f64>() {
                Ok(number) if (0.0..=1.0).contains(&number) => Ok(()),
                _ => Err(invalid("Value must be from 0 to 1")),
            },
            Rule::Rate => match value.parse::<f64>() {
                Ok(number) if number >= 1.0 => Ok(()),
                _ => Err(invalid("Value must be at least 1")),
            },
            Rule::SomeOf(words) if value.split(',').all(|word| words.contains(&word.trim())) => Ok(()),
            Rule::SomeOf(words) => Err(invalid(&format!("Each must be one of: {}", words.join(", ")))),
            Rule::OneOf(words) if words.contains(&value) => Ok(()),
            Rule::OneOf(words) => Err(invalid(&format!("String must be one of: {}", words.join(", ")))),
            Rule::MaxMessageBytes => {
                let remedy =
                    "; longer batches need more memory for each shard, and may need a larger journal.bytes";
                check_range(value, 0, defaults.batch_bytes_max.into(), remedy)
                    .map_err(|reason| invalid(&reason))
            }
            Rule::Flush(least) => {
                check_range(value, least, i64::MAX, "").map_err(|reason| invalid(&reason))?;
                let is_synced = self.kind.same(value, self.default)
                    || value.parse::<i64>().is_ok_and(|number| number <= SYNCED_AT_ONCE);
                match (is_synced, name == self.name, defaults.memory_acknowledgement) {
                    (true, ..) | (false, true, true) => Ok(()),
                    (false, true, false) => Err(invalid(
                        "every record is synced before it is acknowledged, and the broker's \
                         memory.acknowledgement.enable allows no topic otherwise; leave it unset or set it to 1",
                    )),
                    (false, false, _) => Err(invalid(
                        "topics acknowledge from memory only where it is set on the topic itself; leave it unset \
                         or set it to 1",
                    )),
                }
            }
        }
    }
}

fn check_range(value: &str, least: i64, most: i64, remedy: &str) -> Result<(), String> {
    match value.parse::<i64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(()),
        _ if most == i64::MAX => Err(format!("Value must be at least {least}{remedy}")),
        _ => Err(format!("Value must be from {least} to {most}{remedy}")),
    }
}
