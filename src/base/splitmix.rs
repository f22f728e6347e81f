//! SplitMix64, whose whole state is one number (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators,
//! 2014). It gives a sequence for a seed; where a seed comes from is the caller's to say.

/// A sequence of numbers that look random.
#[derive(Debug)]
pub struct SplitMix(u64);

impl SplitMix {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        SplitMix(seed)
    }

    /// The next number, of all that there are.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
}

/// A bijection in which every input bit moves every output bit.
pub fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_the_published_sequence() {
        let mut sequence = SplitMix::new(1234567);
        assert_eq!(sequence.next_u64(), 6457827717110365317);
        assert_eq!(sequence.next_u64(), 3203168211198807973);
    }
}
