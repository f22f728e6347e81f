//! Loads beyond what a broker can take.

use std::str::FromStr;
use std::time::Duration;

use super::Rate;

/// A load that rises beyond capacity: normal, rising, held, and normal again at once.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Overload {
    /// Requests a second before and after.
    pub normal_per_s: f64,
    /// Requests a second at the peak.
    pub peak_per_s: f64,
    /// How long it is normal at first.
    pub before: Duration,
    /// How long it rises.
    pub ramp: Duration,
    /// How long the peak is held.
    pub hold: Duration,
    /// How long it is normal again.
    pub after: Duration,
}

impl Overload {
    /// When the peak ends, since the start of the window. What was due before and is not sent is then dropped.
    pub fn end(&self) -> Duration {
        self.before + self.ramp + self.hold
    }
}

/// What consumers do while producers overload the broker.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ConsumerMode {
    /// They read what there is.
    Normal,
    /// Each connection reads at most so many bytes a second.
    Slow(f64),
    /// They ask for records when the load begins to rise, and read the answer when the peak has ended.
    Paused,
    /// They begin when the peak has ended.
    Backlog,
}

impl FromStr for ConsumerMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("slow:")) {
            ("normal", _) => Ok(ConsumerMode::Normal),
            ("paused", _) => Ok(ConsumerMode::Paused),
            ("backlog", _) => Ok(ConsumerMode::Backlog),
            (_, Some(rate)) => match rate.parse() {
                Ok(Rate::Bytes(bytes_per_s)) => Ok(ConsumerMode::Slow(bytes_per_s)),
                _ => Err("expected bytes a second behind `slow:`, such as slow:1MB/s".to_owned()),
            },
            _ => Err("expected normal, slow:RATE (slow:1MB/s), paused or backlog".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_read() {
        assert_eq!("slow:2MB/s".parse(), Ok(ConsumerMode::Slow(2e6)));
        assert_eq!("paused".parse(), Ok(ConsumerMode::Paused));
        for wrong in ["", "slow", "slow:5", "slow:0MB/s", "stopped"] {
            assert!(wrong.parse::<ConsumerMode>().is_err(), "{wrong}");
        }
    }
}
