//! Seeded choices, and damage.

use std::ops::Range;

/// A small generator (splitmix64): the same numbers for the same seed on every run.
pub struct Random(u64);

/// Lengths and counts that mean trouble: as i32, i16 and varint; null, negative, one too many, far too many.
const LENGTHS: &[&[u8]] = &[
    &[0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xfe],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0, 0, 0, 0],
    &[0, 0, 0xff, 0xff],
    &[0, 0x10, 0, 0],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    &[0x7f, 0xff],
    &[0xff, 0xff],
    &[0x80, 0x80, 0x04],
    &[0, 0],
    &[0],
    &[1],
    &[2],
];

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0xd134_2543_de82_ef95))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    /// A part of `length` bytes, mostly a short one.
    pub fn range(&mut self, length: usize) -> Range<usize> {
        let start = self.below(length + 1);
        let longest = if self.once_in(4) { length - start } else { (length - start).min(16) };
        start..start + self.below(longest + 1)
    }

    /// Damages `bytes` in one to four places. `other` is what pieces of another message are taken from. They grow
    /// to `bytes_max` at most.
    pub fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8], bytes_max: usize) {
        for _ in 0..=self.below(4) {
            self.mutate_once(bytes, other);
            bytes.truncate(bytes_max);
        }
    }

    fn mutate_once(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(bytes.len() + 1);
        match self.below(12) {
            0..=2 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            3 if at < bytes.len() => bytes[at] = self.next() as u8,
            4 => bytes.truncate(at),
            5 => {
                let count = self.below(5);
                let random = self.bytes(count);
                bytes.splice(at..at, random);
            }
            6 => drop(bytes.drain(self.range(bytes.len()))),
            // A structure within a structure of its kind, or one more of it than its count says.
            7 => {
                let range = self.range(bytes.len());
                let copy = bytes[range].to_vec();
                bytes.splice(at..at, copy);
            }
            8 => {
                let piece = other[self.range(other.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            9 => bytes.extend_from_within(at..),
            _ => {
                let length = self.pick(LENGTHS);
                let end = if self.once_in(4) { at } else { (at + length.len()).min(bytes.len()) };
                bytes.splice(at..end, length.iter().copied());
            }
        }
    }
}
