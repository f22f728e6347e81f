//! The types of config values.

/// The type of a config as DescribeConfigs gives it (KIP-569).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConfigKind {
    /// `true` or `false`.
    Boolean,
    /// Any text.
    Text,
    /// A signed number of 32 bits.
    Int,
    /// A signed number of 64 bits.
    Long,
    /// A decimal fraction.
    Double,
    /// Words with commas between them.
    List,
}

impl ConfigKind {
    /// What is wrong with a value that is not of this type, in Kafka's words.
    pub(super) fn misfit(self, value: &str) -> Option<&'static str> {
        let (fits, reason) = match self {
            ConfigKind::Boolean => (
                value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false"),
                "Expected value to be either true or false",
            ),
            ConfigKind::Int => (value.parse::<i32>().is_ok(), "Not a number of type INT"),
            ConfigKind::Long => (value.parse::<i64>().is_ok(), "Not a number of type LONG"),
            ConfigKind::Double => (value.parse::<f64>().is_ok(), "Not a number of type DOUBLE"),
            ConfigKind::Text | ConfigKind::List => (true, ""),
        };
        (!fits).then_some(reason)
    }

    /// Whether two values that parse mean the same.
    pub(super) fn same(self, a: &str, b: &str) -> bool {
        match self {
            ConfigKind::Boolean => a.eq_ignore_ascii_case(b),
            ConfigKind::Int | ConfigKind::Long => a.parse::<i64>() == b.parse::<i64>(),
            ConfigKind::Double => a.parse::<f64>() == b.parse::<f64>(),
            ConfigKind::Text | ConfigKind::List => a == b,
        }
    }
}
