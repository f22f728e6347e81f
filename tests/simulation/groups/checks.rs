//! What must hold, whatever happens.

use std::collections::BTreeMap;

/// Who owns what, and what was committed, as clients were told.
#[derive(Default)]
pub struct Checks {
    /// By generation and partition: the member, or the static id that stands for it.
    owners: BTreeMap<(i32, i32), String>,
    /// Commits by the offset that each commits, in the order in which the coordinator saw them. No offset is committed
    /// twice.
    commits: BTreeMap<i64, usize>,
    /// The newest answered commit of each partition.
    answered: BTreeMap<i32, usize>,
    /// How often a share was given.
    pub shares: usize,
    /// How often a commit was answered.
    pub commits_answered: usize,
}

impl Checks {
    /// A member was told that it owns these partitions.
    pub fn owns(&mut self, generation: i32, owner: &str, partitions: &[i32]) {
        self.shares += 1;
        for partition in partitions {
            let first = self.owners.entry((generation, *partition)).or_insert_with(|| owner.to_owned());
            assert_eq!(first, owner, "two owners of partition {partition} in generation {generation}");
        }
    }

    /// A commit reached the coordinator.
    pub fn commits(&mut self, offset: i64) {
        let order = self.commits.len();
        assert!(self.commits.insert(offset, order).is_none(), "offsets are committed once");
    }

    /// A commit was answered.
    pub fn committed(&mut self, partition: i32, offset: i64) {
        self.commits_answered += 1;
        let order = self.commits[&offset];
        let newest = self.answered.entry(partition).or_default();
        *newest = order.max(*newest);
    }

    /// A client was told what is committed. `asked` is what had been answered when it asked.
    pub fn fetched(&self, partition: i32, offset: i64, asked: Option<usize>) {
        let Some(asked) = asked else { return };
        let found = self.commits.get(&offset);
        let found = found.unwrap_or_else(|| panic!("partition {partition} has lost its offset: {offset}"));
        assert!(*found >= asked, "partition {partition} has fallen back to an older offset");
    }

    /// The newest answered commit.
    pub fn newest(&self, partition: i32) -> Option<usize> {
        self.answered.get(&partition).copied()
    }
}
