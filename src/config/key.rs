//! What is known of a key.

use super::kind::Kind;

/// What holds when nobody sets a key.
#[derive(Clone, Copy, Debug)]
pub enum Fallback {
    /// This value.
    Fixed(&'static str),
    /// A value that follows from the machine or from other keys, in words.
    Derived(&'static str),
}

/// One thing that can be configured.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The name; Kafka's where Kafka has one.
    pub name: &'static str,
    /// The type and range of its values.
    pub kind: Kind,
    /// What holds when nobody sets it.
    pub fallback: Fallback,
    /// A command-line flag of its own.
    pub flag: Option<&'static str>,
    /// What it does, in a sentence or two.
    pub doc: &'static str,
}

impl Key {
    /// The variable that sets the key: `CORELANE_`, the name in capitals, `_` for `.`.
    pub fn variable(&self) -> String {
        format!("CORELANE_{}", self.name.to_ascii_uppercase().replace('.', "_"))
    }

    pub(super) const fn fixed(name: &'static str, kind: Kind, value: &'static str, doc: &'static str) -> Key {
        Key { name, kind, fallback: Fallback::Fixed(value), flag: None, doc }
    }

    pub(super) const fn derived(
        name: &'static str,
        kind: Kind,
        words: &'static str,
        doc: &'static str,
    ) -> Key {
        Key { name, kind, fallback: Fallback::Derived(words), flag: None, doc }
    }

    pub(super) const fn flag(mut self, flag: &'static str) -> Key {
        self.flag = Some(flag);
        self
    }
}
