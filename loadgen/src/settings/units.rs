//! Sizes, durations and rates as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes: `100`, `1KiB`, `1MB`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ByteSize(pub u64);

/// A length of time: `500ms`, `10s`, `2m`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Period(pub Duration);

/// How much to send in a second.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Rate {
    /// Records in a second: `50000`, `50k`, `1.5M`.
    Records(f64),
    /// Bytes of keys and values in a second: `100MB/s`, `64MiB/s`.
    Bytes(f64),
}

const BYTE_UNITS: [(&str, f64); 8] = [
    ("B", 1.0),
    ("kB", 1e3),
    ("KB", 1e3),
    ("MB", 1e6),
    ("GB", 1e9),
    ("KiB", 1024.0),
    ("MiB", 1048576.0),
    ("GiB", 1073741824.0),
];

/// A number and what stands behind it.
fn split_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    Some((text[..end].parse().ok()?, text[end..].trim()))
}

fn bytes(text: &str) -> Option<f64> {
    let (number, unit) = split_unit(text)?;
    BYTE_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| number * factor)
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.trim().parse::<u64>().ok().map(|number| number as f64);
        match plain.or_else(|| bytes(text)) {
            Some(number) if number < 1e15 => Ok(ByteSize(number as u64)),
            _ => Err("expected a size such as 100, 1KiB or 1MB".to_owned()),
        }
    }
}

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = split_unit(text).and_then(|(number, unit)| match unit {
            "us" => Some(number / 1e6),
            "ms" => Some(number / 1e3),
            "s" => Some(number),
            "m" => Some(number * 60.0),
            "h" => Some(number * 3600.0),
            _ => None,
        });
        match seconds {
            Some(seconds) if seconds <= 7.0 * 86_400.0 => Ok(Period(Duration::from_secs_f64(seconds))),
            Some(_) => Err("expected at most a week".to_owned()),
            None => Err("expected a duration such as 500ms, 10s or 2m".to_owned()),
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rate = match text.trim().strip_suffix("/s") {
            Some(size) => bytes(size).map(Rate::Bytes),
            None => split_unit(text).and_then(|(number, unit)| match unit {
                "" => Some(Rate::Records(number)),
                "k" => Some(Rate::Records(number * 1e3)),
                "M" => Some(Rate::Records(number * 1e6)),
                _ => None,
            }),
        };
        match rate {
            Some(Rate::Records(number) | Rate::Bytes(number)) if number <= 0.0 => {
                Err("expected more than 0; leave --producers at 0 to send nothing".to_owned())
            }
            Some(rate) => Ok(rate),
            None => {
                Err("expected records a second (50000, 50k, 1.5M) or bytes (100MB/s, 64MiB/s)".to_owned())
            }
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rate::Records(number) => write!(f, "{} records/s", format_count(*number)),
            Rate::Bytes(number) => write!(f, "{}/s", format_bytes(*number)),
        }
    }
}

/// A number with separators between the thousands: `12,345`; small ones with a digit behind the point.
pub fn format_count(number: f64) -> String {
    if number.abs() < 100.0 && number.fract() != 0.0 {
        return format!("{number:.1}");
    }
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number <= -0.5 { format!("-{text}") } else { text }
}

/// Bytes in the decimal unit that fits: `12.3 MB`.
pub fn format_bytes(number: f64) -> String {
    let (factor, unit) = match number.abs() {
        ..1e3 => (1.0, "B"),
        ..1e6 => (1e3, "kB"),
        ..1e9 => (1e6, "MB"),
        _ => (1e9, "GB"),
    };
    if factor == 1.0 { format!("{number:.0} B") } else { format!("{:.1} {unit}", number / factor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_durations_and_rates_are_read() {
        assert_eq!("1KiB".parse(), Ok(ByteSize(1024)));
        assert_eq!("100".parse(), Ok(ByteSize(100)));
        assert_eq!("1.5MB".parse(), Ok(ByteSize(1_500_000)));
        assert_eq!("500ms".parse(), Ok(Period(Duration::from_millis(500))));
        assert_eq!("2m".parse(), Ok(Period(Duration::from_secs(120))));
        assert_eq!("50k".parse(), Ok(Rate::Records(50_000.0)));
        assert_eq!("64MiB/s".parse(), Ok(Rate::Bytes(67_108_864.0)));
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for wrong in ["", "x", "-1", "1XB", "1 s s"] {
            assert!(wrong.parse::<ByteSize>().is_err(), "{wrong}");
        }
        for wrong in ["", "10", "-1s", "1d", "9999h"] {
            assert!(wrong.parse::<Period>().is_err(), "{wrong}");
        }
        for wrong in ["", "0", "0k", "-5", "10MB", "5/s", "k", "0MB/s"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(format_count(1_234_567.0), "1,234,567");
        assert_eq!(format_count(999.6), "1,000");
        assert_eq!(format_count(12.34), "12.3");
        assert_eq!(format_count(-1500.0), "-1,500");
        assert_eq!(format_bytes(12_345_678.0), "12.3 MB");
        assert_eq!(format_bytes(12.0), "12 B");
    }
}
