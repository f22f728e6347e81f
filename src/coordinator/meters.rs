//! What is counted of groups: how many there are, and what has become of them. Kept as they change, so that telling it
//! is the same work whatever the number of groups.

use super::group::{Group, State};
use crate::base::meter::{Counter, LongDurations};

/// Why offsets are forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forgetting {
    /// They were too old.
    Expired,
    /// Somebody asked for it, or for the whole group to go.
    Deleted,
    /// Their topic was deleted.
    TopicDeleted,
}

impl Forgetting {
    /// All of them.
    pub const ALL: [Forgetting; 3] = [Forgetting::Expired, Forgetting::Deleted, Forgetting::TopicDeleted];

    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Forgetting::Expired => "expired",
            Forgetting::Deleted => "deleted",
            Forgetting::TopicDeleted => "topic_deleted",
        }
    }
}

/// What has become of groups, since the start.
#[derive(Default, Debug)]
pub struct GroupMeters {
    /// Rebalances that have begun. One that is called off by the next is another one.
    pub rebalances: Counter,
    /// From the beginning of a rebalance of a settled group until its members have their shares, in ns.
    pub rebalance_durations: LongDurations,
    /// Offsets that were committed.
    pub committed_offsets: Counter,
    forgotten_offsets: [Counter; Forgetting::ALL.len()],
}

impl GroupMeters {
    /// Offsets that were forgotten for a reason.
    pub fn forgotten_offsets(&self, reason: Forgetting) -> &Counter {
        &self.forgotten_offsets[reason as usize]
    }
}

/// What a group adds to the census.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    state: State,
    members: usize,
    offsets: usize,
}

impl Tally {
    /// Of a group as it is now.
    pub fn of(group: &Group) -> Self {
        Tally { state: group.state, members: group.members.len(), offsets: group.offsets.len() }
    }
}

/// How many groups, members and offsets there are.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Census {
    groups: [usize; State::ALL.len()],
    /// Members of all groups.
    pub members: usize,
    /// Offsets that all groups have committed.
    pub offsets: usize,
}

impl Census {
    /// Groups in a state.
    pub fn groups(&self, state: State) -> usize {
        self.groups[state as usize]
    }

    /// A group has come.
    pub fn enter(&mut self, tally: Tally) {
        self.groups[tally.state as usize] += 1;
        self.members += tally.members;
        self.offsets += tally.offsets;
    }

    /// A group has gone, as it was when it was counted.
    pub fn leave(&mut self, tally: Tally) {
        self.groups[tally.state as usize] -= 1;
        self.members -= tally.members;
        self.offsets -= tally.offsets;
    }

    /// A group has changed.
    pub fn change(&mut self, before: Tally, after: Tally) {
        self.leave(before);
        self.enter(after);
    }
}
