//! The bytes of values: their lengths, and what stands in them.

use std::sync::Arc;

use crate::random::Random;
use crate::settings::{SizeSpec, Workload};

/// Random bytes are made once and read from anywhere in them; making them anew would cost more than sending them.
/// Longer than any compressor's window that matters here (64 KiB of LZ4 and snappy, 32 KiB of gzip).
const POOL_BYTES_MIN: usize = 4 << 20;

/// Makes values.
#[derive(Clone, Debug)]
pub struct Values {
    workload: Arc<Workload>,
    pool: Arc<Vec<u8>>,
    sample_next: usize,
    random: Random,
}

impl Values {
    /// The values of a workload, for one producer, from the [`pool`] of all.
    pub fn new(workload: &Arc<Workload>, pool: &Arc<Vec<u8>>, stream: u64) -> Self {
        let random = Random::new(workload.seed, stream);
        let sample_next = stream as usize % workload.sample.len().max(1);
        Values { workload: Arc::clone(workload), pool: Arc::clone(pool), sample_next, random }
    }

    /// The next value.
    pub fn next(&mut self) -> &[u8] {
        let length = match self.workload.size {
            SizeSpec::Fixed(size) => size as usize,
            SizeSpec::Uniform(min, max) => (min + self.random.below(max - min + 1)) as usize,
            SizeSpec::Sample(_) => {
                let value = &self.workload.sample[self.sample_next];
                self.sample_next = (self.sample_next + 1) % self.workload.sample.len();
                return value;
            }
        };
        let start = self.random.below((self.pool.len() - length) as u64) as usize;
        &self.pool[start..start + length]
    }
}

/// What values are cut from: random bytes and zeros in turn, in stretches short enough that every value has its
/// part of both.
pub fn pool(workload: &Workload) -> Vec<u8> {
    const STRETCH: usize = 64;
    if matches!(workload.size, SizeSpec::Sample(_)) {
        return Vec::new();
    }
    let (_, largest) = workload.size_range();
    let mut random = Random::new(workload.seed, u64::MAX);
    let mut pool = vec![0; POOL_BYTES_MIN + largest as usize];
    let random_bytes = (STRETCH as f64 * workload.randomness).round() as usize;
    for stretch in pool.chunks_mut(STRETCH) {
        let end = random_bytes.min(stretch.len());
        random.fill(&mut stretch[..end]);
    }
    pool
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::batch::tests::workload;

    fn values(change: impl FnOnce(&mut Workload)) -> Values {
        let mut workload = workload();
        change(&mut workload);
        let pool = Arc::new(pool(&workload));
        Values::new(&Arc::new(workload), &pool, 1)
    }

    #[test]
    fn lengths_are_those_asked_for() {
        let mut fixed = values(|_| ());
        assert!((0..100).all(|_| fixed.next().len() == 100));
        let mut uniform = values(|it| it.size = SizeSpec::Uniform(5, 8));
        let lengths: Vec<usize> = (0..1000).map(|_| uniform.next().len()).collect();
        assert!((5..=8).all(|length| lengths.contains(&length)));
        assert!(lengths.iter().all(|length| (5..=8).contains(length)));
    }

    #[test]
    fn the_random_part_is_the_one_asked_for() {
        let mut values = values(|it| {
            it.size = SizeSpec::Fixed(6400);
            it.randomness = 0.25;
        });
        let zeros = values.next().iter().filter(|byte| **byte == 0).count() as f64 / 6400.0;
        assert!((zeros - 0.75).abs() < 0.05, "{zeros}");
    }

    #[test]
    fn samples_take_turns() {
        let mut values = values(|it| {
            it.size = SizeSpec::Sample("f".into());
            it.sample = vec![b"one".to_vec(), b"two".to_vec()];
        });
        assert_eq!((values.next().to_vec(), values.next().to_vec()), (b"two".to_vec(), b"one".to_vec()));
    }
}
