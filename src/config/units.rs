//! Sizes (`512MiB`, `10GB`) and durations (`10s`) as people write them in keys of our own. Kafka's keys take
//! plain numbers, as Kafka does.

use std::time::Duration;

use super::error::ValueError;

/// Suffix and bytes, largest first; binary before decimal, so that printing prefers it.
const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Suffix and milliseconds, largest first.
const DURATION_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Bytes from a whole number and a unit; a number alone counts bytes.
pub fn parse_size(text: &str) -> Result<u64, ValueError> {
    let (number, unit) = split(text);
    let number: u64 = number.parse().map_err(|_| ValueError::NotASize)?;
    let factor = match unit {
        "" => 1,
        unit => factor(&SIZE_UNITS, unit, str::eq_ignore_ascii_case).ok_or(ValueError::NotASize)?,
    };
    number.checked_mul(factor).ok_or(ValueError::NotASize)
}

/// A duration from a whole number and a unit, which must be there.
pub fn parse_duration(text: &str) -> Result<Duration, ValueError> {
    let (number, unit) = split(text);
    let number: u64 = number.parse().map_err(|_| ValueError::NotADuration)?;
    let factor = factor(&DURATION_UNITS, unit, |a, b| a == b).ok_or(ValueError::NotADuration)?;
    number.checked_mul(factor).map(Duration::from_millis).ok_or(ValueError::NotADuration)
}

/// A size in the largest binary unit that divides it.
pub fn format_size(bytes: u64) -> String {
    let whole = SIZE_UNITS.iter().take(4).find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor));
    match whole {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => format!("{bytes}B"),
    }
}

/// A duration in the largest unit that divides it.
pub fn format_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let whole = DURATION_UNITS.iter().find(|(_, factor)| ms > 0 && ms.is_multiple_of(u128::from(*factor)));
    let (unit, factor) = whole.copied().unwrap_or(("ms", 1));
    format!("{}{unit}", ms / u128::from(factor))
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn factor(units: &[(&str, u64)], unit: &str, same: impl Fn(&str, &str) -> bool) -> Option<u64> {
    units.iter().find(|(name, _)| same(name, unit)).map(|(_, factor)| *factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("1B", 1),
            ("64KiB", 65_536),
            ("512MiB", 512 << 20),
            ("512 mib", 512 << 20),
            ("1GiB", 1 << 30),
            ("10GB", 10_000_000_000),
            ("2TiB", 2 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "GiB", "-1GiB", "1.5GiB", "10G", "1GiBs", "99999999TiB", "18446744073709551616"] {
            assert_eq!(parse_size(text), Err(ValueError::NotASize), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, ms) in [("0ms", 0), ("250ms", 250), ("10s", 10_000), ("2 m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "10", "s", "-1s", "1.5s", "1w", "18446744073709551615d"] {
            assert_eq!(parse_duration(text), Err(ValueError::NotADuration), "{text}");
        }
    }

    #[test]
    fn what_is_printed_can_be_read() {
        for bytes in [0, 1, 1000, 1024, 3 << 20, (1 << 30) + 1, 6 << 30] {
            assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }
        assert_eq!(format_size(6 << 30), "6GiB");
        for ms in [0, 1, 999, 1000, 90_000, 86_400_000] {
            let duration = Duration::from_millis(ms);
            assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
        assert_eq!(format_duration(Duration::from_secs(90)), "90s");
    }
}
