//! From a position to the offset at which reading a partition begins.

use super::super::partitions::Bounds;
use super::super::position::Position;

/// Where to begin. `at_time` is the first record of the position's time or later, if there is one.
pub fn start(position: Position, bounds: Bounds, at_time: Option<i64>) -> i64 {
    let Bounds { first, end } = bounds;
    let wanted = match position {
        // A group's own place is asked for by joining it.
        Position::Earliest | Position::Committed => first,
        Position::Latest => end,
        Position::Offset(offset) => offset,
        Position::Relative(count) if count >= 0 => first.saturating_add(count),
        Position::Relative(count) => end.saturating_add(count),
        Position::Time(_) => at_time.unwrap_or(end),
    };
    wanted.clamp(first, end.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_positions() {
        let bounds = Bounds { first: 10, end: 20 };
        for (position, at_time, expected) in [
            (Position::Earliest, None, 10),
            (Position::Latest, None, 20),
            (Position::Offset(15), None, 15),
            (Position::Offset(3), None, 10),
            (Position::Offset(i64::MAX), None, 20),
            (Position::Relative(4), None, 14),
            (Position::Relative(i64::MAX), None, 20),
            (Position::Relative(-3), None, 17),
            (Position::Relative(i64::MIN), None, 10),
            (Position::Time(5), Some(12), 12),
            (Position::Time(5), None, 20),
        ] {
            assert_eq!(start(position, bounds, at_time), expected, "{position:?}");
        }
        assert_eq!(start(Position::Relative(-3), Bounds { first: 7, end: 7 }, None), 7);
    }
}
