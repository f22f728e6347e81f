//! What two looks at a cluster show: rates, and how they change.

use std::collections::BTreeMap;

use serde::Serialize;

use super::broker::Broker;
use super::sample::{GroupSample, Sample};

/// What is shown, as programs get it.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct View {
    /// When it was looked last, in milliseconds since 1970.
    pub at_ms: i64,
    /// The time between the two looks.
    pub interval_s: f64,
    /// By name.
    pub topics: Vec<Topic>,
    /// By name.
    pub groups: Vec<Group>,
    /// So many more groups were not looked at.
    pub groups_left_out: usize,
    /// The Corelane node whose admin port was named; null without one, or if it does not answer.
    pub broker: Option<Broker>,
    /// What could not be had.
    pub notes: Vec<String>,
}

/// A topic.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Topic {
    /// Its name.
    pub topic: String,
    /// How many partitions it has.
    pub partitions: usize,
    /// Of these, the ones whose leader does not answer, or that have none.
    pub silent_partitions: usize,
    /// By how much the ends of its partitions grow; null if none is known of both looks.
    pub records_per_second: Option<f64>,
}

/// A group.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Group {
    /// Its name.
    pub group: String,
    /// Such as `Stable`.
    pub state: String,
    /// How many members it has.
    pub members: usize,
    /// Records that it has not committed; null if that is not known of all its partitions.
    pub lag: Option<i64>,
    /// The same of the partitions of which it is known; null if that is none.
    pub known_lag: Option<i64>,
    /// So many partitions are left out of that: their leader does not answer, or they have none.
    pub silent_partitions: usize,
    /// By how much it grows, in the partitions that are known of both looks; it shrinks if negative.
    pub lag_per_second: Option<f64>,
}

impl View {
    /// What two looks show. `with_internal`: also topics that begin with `__`.
    pub fn between(before: &Sample, now: &Sample, with_internal: bool) -> Self {
        let interval_s = elapsed_s(before.at_ms, now.at_ms);
        let pages = before.page.as_ref().zip(now.page.as_ref());
        let group = |group: &GroupSample| {
            let earlier = before.groups.iter().find(|earlier| earlier.group == group.group);
            let lag = now.lag(group);
            let change = earlier.and_then(|earlier| now.lag_since(group, before, earlier));
            Group {
                group: group.group.clone(),
                state: group.state.clone(),
                members: group.members,
                lag: lag.whole(),
                known_lag: lag.known,
                silent_partitions: lag.silent_partitions,
                lag_per_second: change.map(|change| change as f64 / interval_s),
            }
        };
        let mut groups: Vec<Group> = now.groups.iter().map(group).collect();
        groups.sort_by(|one, other| one.group.cmp(&other.group));
        Self {
            at_ms: now.at_ms,
            interval_s,
            topics: topics(before, now, interval_s, with_internal),
            groups,
            groups_left_out: now.groups_left_out,
            broker: pages.map(|((before_ms, before), (now_ms, now))| {
                Broker::between(before, now, elapsed_s(*before_ms, *now_ms))
            }),
            notes: now.notes.clone(),
        }
    }

    /// Records per second of all topics that are shown.
    pub fn records_per_second(&self) -> f64 {
        self.topics.iter().filter_map(|topic| topic.records_per_second).sum()
    }
}

/// Clocks may be set back; a time of nothing would make rates of infinity.
fn elapsed_s(before_ms: i64, now_ms: i64) -> f64 {
    (now_ms.saturating_sub(before_ms) as f64 / 1000.0).max(0.001)
}

fn topics(before: &Sample, now: &Sample, interval_s: f64, with_internal: bool) -> Vec<Topic> {
    let mut topics: BTreeMap<&str, Topic> = BTreeMap::new();
    for (place, end) in &now.ends {
        let name = place.0.as_str();
        if name.starts_with("__") && !with_internal {
            continue;
        }
        let topic = topics.entry(name).or_insert_with(|| Topic {
            topic: name.to_owned(),
            partitions: 0,
            silent_partitions: 0,
            records_per_second: None,
        });
        topic.partitions += 1;
        topic.silent_partitions += usize::from(end.is_none());
        let earlier = before.ends.get(place).copied().flatten();
        if let Some((end, earlier)) = end.zip(earlier) {
            // A topic that was made anew begins at 0.
            let since = end.saturating_sub(earlier).max(0) as f64;
            *topic.records_per_second.get_or_insert(0.0) += since / interval_s;
        }
    }
    topics.into_values().collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A look with a topic `t` of two partitions, the second of which may be silent, and a group `g` on the first.
    fn sample(at_ms: i64, ends: [Option<i64>; 2], committed: i64) -> Sample {
        let place = |topic: &str, partition| (topic.to_owned(), partition);
        let group = |name: &str, committed| GroupSample {
            group: name.to_owned(),
            state: "Stable".to_owned(),
            members: 2,
            committed,
        };
        Sample {
            at_ms,
            ends: BTreeMap::from([
                (place("t", 0), ends[0]),
                (place("t", 1), ends[1]),
                (place("__consumer_offsets", 0), Some(at_ms)),
            ]),
            groups: vec![
                group("g", Some(BTreeMap::from([(place("t", 0), committed), (place("gone", 0), 5)]))),
                group("a", None),
            ],
            ..Sample::default()
        }
    }

    /// A view for tests of what shows it.
    pub fn example() -> View {
        let before = sample(1_000, [Some(100), Some(50)], 90);
        View::between(&before, &sample(3_000, [Some(300), None], 280), false)
    }

    #[test]
    fn rates_are_of_the_time_between() {
        let view = example();
        let topic = Topic {
            topic: "t".to_owned(),
            partitions: 2,
            silent_partitions: 1,
            records_per_second: Some(100.0),
        };
        assert_eq!((view.interval_s, view.topics), (2.0, vec![topic]));
        let groups: Vec<_> =
            view.groups.iter().map(|it| (it.group.as_str(), it.lag, it.lag_per_second)).collect();
        assert_eq!(groups, [("a", None, None), ("g", Some(20), Some(5.0))]);
        assert!(view.broker.is_none());
    }

    #[test]
    fn a_leader_that_falls_silent_is_no_progress() {
        let look = |at_ms, ends: [Option<i64>; 2], committed: [i64; 2]| {
            let mut look = sample(at_ms, ends, committed[0]);
            let places = look.groups[0].committed.as_mut().expect("of this group");
            places.insert(("t".to_owned(), 1), committed[1]);
            look
        };
        let lag = |before: &Sample, now: &Sample| {
            let group = View::between(before, now, false).groups.remove(1);
            (group.lag, group.known_lag, group.silent_partitions, group.lag_per_second)
        };
        let all = look(1_000, [Some(100), Some(500)], [90, 100]);
        assert_eq!(lag(&all, &all).0, Some(410));
        let one_silent = look(2_000, [Some(110), None], [95, 100]);
        assert_eq!(lag(&all, &one_silent), (None, Some(15), 1, Some(5.0)));
        let both_silent = look(3_000, [None, None], [95, 100]);
        assert_eq!(lag(&one_silent, &both_silent), (None, None, 2, None));
        let back = look(3_000, [Some(110), Some(600)], [95, 100]);
        assert_eq!(
            lag(&one_silent, &back),
            (Some(515), Some(515), 0, Some(0.0)),
            "it did not fall behind at once"
        );
    }

    #[test]
    fn the_brokers_own_topics_are_shown_if_asked_for() {
        let look = sample(1_000, [None, None], 0);
        let view = View::between(&look, &look, true);
        let rates: Vec<_> = view.topics.iter().map(|it| (it.topic.as_str(), it.records_per_second)).collect();
        assert_eq!(rates, [("__consumer_offsets", Some(0.0)), ("t", None)]);
        assert_eq!(view.records_per_second(), 0.0);
    }

    #[test]
    fn what_begins_anew_has_no_negative_rate() {
        let before = sample(1_000, [Some(100), Some(50)], 200);
        let view = View::between(&before, &sample(2_000, [Some(10), Some(60)], 200), false);
        assert_eq!(view.topics[0].records_per_second, Some(10.0));
        assert_eq!(view.groups[1].lag, Some(0));
    }
}
