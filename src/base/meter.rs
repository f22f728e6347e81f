//! Counters and histograms of one thread: plain cells that nobody else reads. Others are given copies.

use std::cell::Cell;
use std::time::Duration;

/// Counts something, for ever upwards.
#[derive(Default, Debug)]
pub struct Counter(Cell<u64>);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.set(self.0.get().wrapping_add(count));
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

/// How often a value fell into each of `N` buckets. Bucket i takes what is at most 2 to the power of `SHIFT` + i,
/// the last one everything above: finding it takes no search, and no memory but the counts.
#[derive(Debug)]
pub struct Histogram<const SHIFT: u32, const N: usize> {
    counts: [Cell<u64>; N],
    sum: Cell<u64>,
}

/// Durations in ns: from about a microsecond to 17 seconds.
pub type Durations = Histogram<10, 26>;
/// Durations in ns of what takes long: from about a millisecond to 9 minutes.
pub type LongDurations = Histogram<20, 21>;
/// Lengths in bytes: from a block to 32 MiB.
pub type Lengths = Histogram<12, 15>;

impl<const SHIFT: u32, const N: usize> Default for Histogram<SHIFT, N> {
    fn default() -> Self {
        Histogram { counts: [const { Cell::new(0) }; N], sum: Cell::new(0) }
    }
}

impl<const SHIFT: u32, const N: usize> Histogram<SHIFT, N> {
    /// Counts a value.
    pub fn record(&self, value: u64) {
        self.record_times(value, 1);
    }

    /// Counts a value that was met so many times.
    pub fn record_times(&self, value: u64, times: u64) {
        let count = &self.counts[Self::bucket(value)];
        count.set(count.get().wrapping_add(times));
        self.sum.set(self.sum.get().wrapping_add(value.wrapping_mul(times)));
    }

    /// A copy for other threads.
    pub fn copy(&self) -> Distribution {
        let counts = self.counts.iter().map(Cell::get).collect();
        Distribution { shift: SHIFT, counts, sum: self.sum.get() }
    }

    fn bucket(value: u64) -> usize {
        let exponent = u64::BITS - value.saturating_sub(1).leading_zeros();
        (exponent.saturating_sub(SHIFT) as usize).min(N - 1)
    }
}

impl Durations {
    /// Counts a duration.
    pub fn record_duration(&self, duration: Duration) {
        self.record(nanos(duration));
    }
}

impl LongDurations {
    /// Counts a duration.
    pub fn record_duration(&self, duration: Duration) {
        self.record(nanos(duration));
    }
}

/// A duration in ns. 500 years fit, and more cannot be measured.
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// What a histogram held when it was copied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Distribution {
    shift: u32,
    counts: Vec<u64>,
    /// The sum of all values.
    pub sum: u64,
}

impl Distribution {
    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The largest value that each bucket takes, `None` for the last, and how often it was met.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<u64>, u64)> + '_ {
        let last = self.counts.len() - 1;
        let bound = move |at| (at < last).then(|| 1_u64 << (self.shift + at as u32));
        self.counts.iter().enumerate().map(move |(at, &count)| (bound(at), count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_first_bucket_that_takes_it() {
        for value in [0, 1, 1023, 1024, 1025, 2048, 2049, 123_456_789, 1 << 34, (1 << 34) + 1, u64::MAX] {
            let histogram = Durations::default();
            histogram.record(value);
            let copy = histogram.copy();
            let (bound, _) = copy.buckets().find(|(_, count)| *count == 1).expect("it is counted");
            let smallest =
                copy.buckets().map(|(bound, _)| bound).find(|bound| bound.is_none_or(|it| value <= it));
            assert_eq!(Some(bound), smallest, "{value}");
            assert_eq!((copy.count(), copy.sum), (1, value));
        }
        assert_eq!(Durations::default().copy().buckets().nth(24).unwrap().0, Some(1 << 34));
    }

    #[test]
    fn many_at_once_count_as_many() {
        let histogram = Lengths::default();
        histogram.record_times(5000, 3);
        histogram.record(1);
        let copy = histogram.copy();
        let met: Vec<_> = copy.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(met, [(Some(4096), 1), (Some(8192), 3)]);
        assert_eq!((copy.count(), copy.sum), (4, 15_001));
    }
}
