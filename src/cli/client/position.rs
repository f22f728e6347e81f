//! Where in a partition to begin, as people write it.

use std::str::FromStr;

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned, civil};

use crate::runtime::wall_clock_ms;

/// Where in a partition to begin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Position {
    /// At the oldest record that is there: `earliest`, `beginning` or `start`.
    Earliest,
    /// Behind the newest record: `latest` or `end`.
    Latest,
    /// At this offset: a number without a sign.
    Offset(i64),
    /// So many records further on or back, of a place that depends on the command: a number with its sign.
    Relative(i64),
    /// At the first record with this timestamp or a later one, in milliseconds since 1970.
    Time(i64),
    /// Where the group goes on: `committed`.
    Committed,
}

/// Why a text is no position.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PositionError {
    /// More than an offset can be.
    #[error("offsets are below 2^63")]
    TooLarge,
    /// A time of day somewhere.
    #[error("a time needs its zone: {0}Z, or +02:00, or [Europe/Berlin] at the end")]
    NoZone(String),
    /// A duration that does not point back.
    #[error("a time in the past has a minus: -{0}")]
    NotPast(String),
    /// Before 1970.
    #[error("records have no times before 1970")]
    Before1970,
    /// Nothing of all that.
    #[error(
        "choose earliest, latest, committed, an offset (17), a number of records (-10), a time with its zone \
         (2026-01-31T12:00:00Z) or how long ago (-1h30m)"
    )]
    Unknown,
}

impl FromStr for Position {
    type Err = PositionError;

    /// Times that are relative count from now.
    fn from_str(text: &str) -> Result<Self, PositionError> {
        let now = Timestamp::from_millisecond(wall_clock_ms()).unwrap_or(Timestamp::MAX);
        parse(text, now)
    }
}

/// Reads a position; `now` is what relative times count from.
fn parse(text: &str, now: Timestamp) -> Result<Position, PositionError> {
    match text {
        "earliest" | "beginning" | "start" => return Ok(Position::Earliest),
        "latest" | "end" => return Ok(Position::Latest),
        "committed" => return Ok(Position::Committed),
        _ => {}
    }
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(text) {
        return text.parse().map(Position::Offset).map_err(|_| PositionError::TooLarge);
    }
    if text.strip_prefix(['+', '-']).is_some_and(is_number) {
        return text.parse().map(Position::Relative).map_err(|_| PositionError::TooLarge);
    }
    let time = time(text, now)?;
    // Kafka's ListOffsets gives negative timestamps other meanings.
    if time < Timestamp::UNIX_EPOCH {
        Err(PositionError::Before1970)
    } else {
        Ok(Position::Time(time.as_millisecond()))
    }
}

fn time(text: &str, now: Timestamp) -> Result<Timestamp, PositionError> {
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Ok(zoned.timestamp());
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if text.parse::<civil::DateTime>().is_ok() {
        return Err(PositionError::NoZone(text.to_owned()));
    }
    let Ok(span) = text.parse::<Span>() else { return Err(PositionError::Unknown) };
    if !span.is_negative() {
        return Err(PositionError::NotPast(text.to_owned()));
    }
    // A day ago is the same time of the day before, where the clocks were changed meanwhile too.
    now.to_zoned(TimeZone::system())
        .checked_add(span)
        .map(|past| past.timestamp())
        .map_err(|_| PositionError::Before1970)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_790_000_000_000;

    fn parsed(text: &str) -> Result<Position, PositionError> {
        parse(text, Timestamp::from_millisecond(NOW_MS).unwrap())
    }

    #[test]
    fn words_and_numbers() {
        for (text, position) in [
            ("earliest", Position::Earliest),
            ("beginning", Position::Earliest),
            ("start", Position::Earliest),
            ("latest", Position::Latest),
            ("end", Position::Latest),
            ("committed", Position::Committed),
            ("0", Position::Offset(0)),
            ("9223372036854775807", Position::Offset(i64::MAX)),
            ("+5", Position::Relative(5)),
            ("-10", Position::Relative(-10)),
        ] {
            assert_eq!(parsed(text), Ok(position), "{text}");
        }
        assert_eq!(parsed("9223372036854775808"), Err(PositionError::TooLarge));
    }

    #[test]
    fn times_with_their_zone() {
        let noon_ms = 1_769_860_800_000;
        for text in [
            "2026-01-31T12:00:00Z",
            "2026-01-31T12:00Z",
            "2026-01-31 12:00:00.000Z",
            "2026-01-31T13:00:00+01:00",
            "2026-01-31T13:00:00[+01:00]",
            "2026-01-31T12:00[UTC]",
        ] {
            assert_eq!(parsed(text), Ok(Position::Time(noon_ms)), "{text}");
        }
        assert_eq!(parsed("1970-01-01T00:00:00.5Z"), Ok(Position::Time(500)));
    }

    #[test]
    fn times_ago() {
        let ago = |ms: i64| Ok(Position::Time(NOW_MS - ms));
        assert_eq!(parsed("-1h"), ago(3_600_000));
        assert_eq!(parsed("-1h30m"), ago(5_400_000));
        assert_eq!(parsed("-90s"), ago(90_000));
        assert_eq!(parsed("15 minutes ago"), ago(900_000));
    }

    #[test]
    fn what_is_no_position_says_what_to_write() {
        assert_eq!(parsed("1h"), Err(PositionError::NotPast("1h".into())));
        for text in ["2026-01-31T12:00:00", "2026-01-31 12:00", "2026-01-31"] {
            assert_eq!(parsed(text), Err(PositionError::NoZone(text.into())));
        }
        assert_eq!(parsed("1960-01-01T00:00Z"), Err(PositionError::Before1970));
        assert_eq!(parsed("-100y"), Err(PositionError::Before1970));
        for text in ["", "-", "+", "begin", "--1h", "1.5", "tomorrow", "2026-13-31T12:00:00Z"] {
            assert_eq!(parsed(text), Err(PositionError::Unknown), "{text}");
        }
    }
}
