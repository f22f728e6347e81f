//! The network: between each two machines, in each direction on its own.

use std::collections::{BTreeSet, VecDeque};

use super::random::Random;

/// Frames of the past that may be said again.
const REMEMBERED: usize = 200;

#[derive(Default)]
pub struct Network {
    cut: BTreeSet<(usize, usize)>,
    /// Whether it does everything that it may.
    pub is_rough: bool,
    remembered: VecDeque<(usize, Vec<u8>)>,
}

impl Network {
    pub fn rough() -> Self {
        Network { is_rough: true, ..Network::default() }
    }

    pub fn cut(&mut self, from: usize, to: usize) {
        self.cut.insert((from, to));
    }

    pub fn mend(&mut self) {
        self.cut.clear();
    }

    pub fn reaches(&self, from: usize, to: usize) -> bool {
        !self.cut.contains(&(from, to))
    }

    /// What becomes of a frame: after how many ms it arrives, each time that it does.
    pub fn carry(
        &mut self,
        random: &mut Random,
        from: usize,
        to: usize,
        frame: &[u8],
    ) -> Vec<(u64, Vec<u8>)> {
        if !self.reaches(from, to) {
            return Vec::new();
        }
        if !self.is_rough {
            return vec![(1 + random.below(3), frame.to_vec())];
        }
        self.remember(random, to, frame);
        let mut frame = frame.to_vec();
        if random.one_in(300) {
            let at = random.below(frame.len() as u64) as usize;
            frame[at] ^= 1 << random.below(8);
        }
        let delay_ms = match random.below(40) {
            0 => return Vec::new(),
            1 => random.below(3_000),
            2..6 => random.below(200),
            _ => 1 + random.below(10),
        };
        let mut arrivals = vec![(delay_ms, frame)];
        if random.one_in(50) {
            arrivals.push((random.below(1_000), arrivals[0].1.clone()));
        }
        arrivals
    }

    fn remember(&mut self, random: &mut Random, to: usize, frame: &[u8]) {
        if random.one_in(20) {
            self.remembered.push_back((to, frame.to_vec()));
            if self.remembered.len() > REMEMBERED {
                self.remembered.pop_front();
            }
        }
    }

    /// A frame of the past, and for whom it was.
    pub fn again(&mut self, random: &mut Random) -> Option<(usize, Vec<u8>)> {
        let at = random.below(self.remembered.len().max(1) as u64) as usize;
        self.remembered.get(at).cloned()
    }
}
