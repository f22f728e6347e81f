//! Where a group goes on after a reset: the arithmetic, and the table of it.

use serde::Serialize;

use super::super::super::table::table;
use super::super::output::cell;
use super::super::partitions::Bounds;
use super::super::position::Position;

/// What is known of a partition before the reset.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Where its records are.
    pub bounds: Bounds,
    /// Where the group would go on.
    pub committed: Option<i64>,
    /// The first record of the position's time or later, if that is asked for and there is one.
    pub at_time: Option<i64>,
}

/// What the reset does to a partition, as a row and as programs get it.
#[derive(Clone, PartialEq, Eq, Serialize, Debug)]
pub struct Row {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Where the group would go on; null if it has committed nothing.
    pub before: Option<i64>,
    /// Where it goes on.
    pub after: i64,
    /// Records from there to the end.
    pub lag: i64,
    /// Why it is not what was asked for; null if it is.
    pub note: Option<String>,
    /// Why it was not done; null if it was.
    pub error: Option<String>,
}

/// Plans a partition; fails where the position means nothing.
pub fn plan(topic: &str, partition: i32, to: Position, known: &Known) -> Result<Row, String> {
    let Known { bounds: Bounds { first, end }, committed, at_time } = *known;
    let wanted = match to {
        Position::Earliest => first,
        Position::Latest => end,
        Position::Offset(offset) => offset,
        Position::Relative(count) => match committed {
            Some(committed) => committed.saturating_add(count),
            None => {
                return Err(format!(
                    "nothing is committed of partition {partition} of {topic} to count from"
                ));
            }
        },
        Position::Time(_) => at_time.unwrap_or(end),
        // The arguments are checked for it.
        Position::Committed => committed.unwrap_or(first),
    };
    let after = wanted.clamp(first, end.max(first));
    let note = match to {
        Position::Time(_) if at_time.is_none() => Some("no record of that time or later".to_owned()),
        _ if after != wanted => Some(format!("out of range {first} to {end}")),
        _ => None,
    };
    let (topic, lag) = (topic.to_owned(), end.max(first) - after);
    Ok(Row { topic, partition, before: committed, after, lag, note, error: None })
}

/// The plan, or what came of it, for people.
pub fn text(rows: &[Row]) -> String {
    let line = |row: &Row| {
        vec![
            row.topic.clone(),
            row.partition.to_string(),
            cell(row.before),
            row.after.to_string(),
            row.lag.to_string(),
            row.note.clone().unwrap_or_default(),
        ]
    };
    table(&["topic", "partition", "before", "after", "lag", ""], &rows.iter().map(line).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(
        to: Position,
        committed: Option<i64>,
        at_time: Option<i64>,
    ) -> Result<(i64, i64, bool), String> {
        let known = Known { bounds: Bounds { first: 10, end: 20 }, committed, at_time };
        let row = plan("t", 3, to, &known)?;
        assert_eq!((row.topic.as_str(), row.partition, row.before), ("t", 3, committed));
        Ok((row.after, row.lag, row.note.is_some()))
    }

    #[test]
    fn all_positions() {
        for (to, committed, at_time, expected) in [
            (Position::Earliest, Some(15), None, (10, 10, false)),
            (Position::Latest, None, None, (20, 0, false)),
            (Position::Offset(12), None, None, (12, 8, false)),
            (Position::Offset(20), None, None, (20, 0, false)),
            (Position::Offset(21), None, None, (20, 0, true)),
            (Position::Offset(3), None, None, (10, 10, true)),
            (Position::Relative(2), Some(15), None, (17, 3, false)),
            (Position::Relative(-2), Some(15), None, (13, 7, false)),
            (Position::Relative(i64::MIN), Some(15), None, (10, 10, true)),
            (Position::Relative(i64::MAX), Some(15), None, (20, 0, true)),
            (Position::Time(1), None, Some(14), (14, 6, false)),
            (Position::Time(1), None, None, (20, 0, true)),
        ] {
            assert_eq!(planned(to, committed, at_time), Ok(expected), "{to:?}");
        }
        assert!(planned(Position::Relative(1), None, None).is_err());
    }

    #[test]
    fn the_table_shows_before_and_after() {
        let known = Known { bounds: Bounds { first: 10, end: 20 }, committed: None, at_time: None };
        let rows = [
            plan("t", 0, Position::Offset(5), &known).unwrap(),
            plan("t", 1, Position::Latest, &known).unwrap(),
        ];
        let expected = "topic  partition  before  after  lag\n\
            t              0  -          10   10  out of range 10 to 20\n\
            t              1  -          20    0\n";
        assert_eq!(text(&rows), expected);
    }
}
