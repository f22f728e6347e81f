//! What a broker told of itself while it was loaded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A budget or pause that never came to this part of itself, or of a second in a second, is not worth telling.
const WORTH_TELLING: f64 = 0.01;

/// The broker's memory, budgets and pauses; empty as far as they were not watched. Times are in seconds from the start
/// of the window.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct BrokerSide {
    /// The version of the broker.
    pub version: Option<String>,
    /// The memory that it may take, in bytes.
    pub memory_limit_bytes: Option<u64>,
    /// Resident memory: time and bytes.
    pub memory_bytes: Vec<(f64, u64)>,
    /// Its budgets by name.
    pub budgets: BTreeMap<String, BudgetUse>,
    /// Seconds for which connections were paused in each second, by the reason; of all connections together.
    pub paused_s_per_s: BTreeMap<String, Vec<(f64, f64)>>,
}

/// A budget, of all shards together.
#[derive(Clone, PartialEq, Default, Debug, Serialize, Deserialize)]
pub struct BudgetUse {
    /// The budget.
    pub limit_bytes: u64,
    /// What was used of it: time and bytes.
    pub used_bytes: Vec<(f64, u64)>,
}

impl BudgetUse {
    /// What was used as a part of the budget: time and part.
    pub fn parts(&self) -> impl Iterator<Item = (f64, f64)> {
        let limit = self.limit_bytes.max(1) as f64;
        self.used_bytes.iter().map(move |(at, bytes)| (*at, *bytes as f64 / limit))
    }
}

impl BrokerSide {
    /// The budgets that were used, with the largest part that was, fullest first.
    pub fn fullest_budgets(&self) -> Vec<(&str, f64)> {
        largest(self.budgets.iter().map(|(name, budget)| (name.as_str(), maximum(budget.parts()))))
    }

    /// The reasons for pauses, with the most seconds in a second, longest first.
    pub fn longest_pauses(&self) -> Vec<(&str, f64)> {
        let by_reason = self.paused_s_per_s.iter();
        largest(by_reason.map(|(reason, points)| (reason.as_str(), maximum(points.iter().copied()))))
    }
}

fn maximum(points: impl Iterator<Item = (f64, f64)>) -> f64 {
    points.map(|(_, value)| value).fold(0.0, f64::max)
}

fn largest<'a>(all: impl Iterator<Item = (&'a str, f64)>) -> Vec<(&'a str, f64)> {
    let mut all: Vec<_> = all.filter(|(_, most)| *most >= WORTH_TELLING).collect();
    all.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_come_first_and_the_idle_not_at_all() {
        let budget =
            |used: u64| BudgetUse { limit_bytes: 200, used_bytes: vec![(0.0, 1), (0.5, used), (1.0, 0)] };
        let side = BrokerSide {
            budgets: [("a", 20), ("b", 190), ("c", 1)]
                .map(|(name, used)| (name.to_owned(), budget(used)))
                .into(),
            paused_s_per_s: [("idle".to_owned(), vec![(0.0, 0.0)]), ("room".to_owned(), vec![(0.0, 3.0)])]
                .into(),
            ..Default::default()
        };
        assert_eq!(side.fullest_budgets(), [("b", 0.95), ("a", 0.1)]);
        assert_eq!(side.longest_pauses(), [("room", 3.0)]);
    }
}
