//! A file's bytes at one moment: a length and the sectors that are not all zeros.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::base::limits::BLOCK_BYTES;
use crate::base::splitmix::mix;
use crate::runtime::sim::rng::Rng;

/// One sector's bytes; `None` for zeros, so that a file formatted with zeros costs nothing.
pub(super) type Sector = Option<Rc<[u8; BLOCK_BYTES]>>;

#[derive(Clone, Default)]
pub(super) struct Image {
    length: u64,
    sectors: BTreeMap<u64, Rc<[u8; BLOCK_BYTES]>>,
}

/// Keeps a copy of one sector: the caller's memory is free again when the write completes.
pub(super) fn sector_of(bytes: &[u8]) -> Sector {
    let bytes: &[u8; BLOCK_BYTES] = bytes.try_into().expect("a whole sector");
    // Compared as a whole: byte by byte takes most of the time of an unoptimised run.
    (*bytes != [0; BLOCK_BYTES]).then(|| Rc::new(*bytes))
}

/// The bytes of a sector that lie before `length`, the rest zeros.
pub(super) fn trimmed(sector: &Sector, index: u64, length: u64) -> Sector {
    let mut bytes = **sector.as_ref()?;
    let keep = length.saturating_sub(index * BLOCK_BYTES as u64).min(BLOCK_BYTES as u64) as usize;
    bytes[keep..].fill(0);
    sector_of(&bytes)
}

/// A sector of which each 512 bytes are old or new.
pub(super) fn torn(old: &Sector, new: &Sector, rng: &mut Rng) -> Sector {
    let (mut bytes, new) = (bytes_of(old), bytes_of(new));
    for (old, new) in bytes.chunks_mut(512).zip(new.chunks(512)) {
        if rng.chance(1, 2) {
            old.copy_from_slice(new);
        }
    }
    sector_of(&bytes)
}

fn bytes_of(sector: &Sector) -> [u8; BLOCK_BYTES] {
    sector.as_ref().map_or([0; BLOCK_BYTES], |bytes| **bytes)
}

impl Image {
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn sector(&self, index: u64) -> Sector {
        self.sectors.get(&index).cloned()
    }

    pub(super) fn put(&mut self, index: u64, sector: Sector) {
        match sector {
            Some(bytes) => self.sectors.insert(index, bytes),
            None => self.sectors.remove(&index),
        };
    }

    /// The numbers of the sectors that are not all zeros.
    pub(super) fn written(&self) -> Vec<u64> {
        self.sectors.keys().copied().collect()
    }

    pub(super) fn hash(&self) -> u64 {
        self.sectors.iter().fold(self.length, |hash, (index, bytes)| {
            let checksum = u64::from(crc32fast::hash(&bytes[..]));
            mix(hash.rotate_left(5) ^ index ^ checksum << 32)
        })
    }

    pub(super) fn grow(&mut self, length: u64) {
        self.length = self.length.max(length);
    }

    pub(super) fn set_length(&mut self, length: u64) {
        self.length = length;
        self.forget_beyond_the_end();
    }

    /// What stands behind the end must not come back when the file grows again.
    pub(super) fn forget_beyond_the_end(&mut self) {
        self.sectors.split_off(&self.length.div_ceil(BLOCK_BYTES as u64));
        let last = self.length / BLOCK_BYTES as u64;
        if self.sectors.contains_key(&last) {
            self.put(last, trimmed(&self.sector(last), last, self.length));
        }
    }
}
