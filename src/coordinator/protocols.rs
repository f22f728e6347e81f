//! Which protocols the members of a group speak, counted, so that a join does not look at all members.

use std::collections::{BTreeMap, BTreeSet};

use super::member::Member;

/// How many members speak each protocol.
#[derive(Debug, Default)]
pub struct Protocols(BTreeMap<String, usize>);

impl Protocols {
    /// The protocols of a member count.
    pub fn add(&mut self, member: &Member) {
        for name in names(member) {
            match self.0.get_mut(name) {
                Some(count) => *count += 1,
                None => drop(self.0.insert(name.to_owned(), 1)),
            }
        }
    }

    /// They do not any more.
    pub fn remove(&mut self, member: &Member) {
        for name in names(member) {
            let count = self.0.get_mut(name).expect("it was counted");
            *count -= 1;
            if *count == 0 {
                self.0.remove(name);
            }
        }
    }

    /// How many members speak it.
    pub fn speakers(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or(0)
    }
}

/// Each once, whatever the member says.
fn names(member: &Member) -> BTreeSet<&str> {
    member.protocols.iter().map(|(name, _)| name.as_str()).collect()
}
