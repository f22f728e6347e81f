//! The last offset of each key, in memory of a fixed length: keys are known by a hash of 128 bits only.
//!
//! Two keys with one hash would be taken for one, and a record would be lost. With SipHash under a key of its own for
//! each pass nobody can look for such keys, and among a billion of them two meet once in 10^20 passes. (Kafka's map has
//! MD5 in the same place, unkeyed.)

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::base::ids::Offset;

/// A key's hash, and its last offset plus 1; 0 where there is no key. Zeros are memory that the system need not touch.
type Slot = [u64; 3];

/// Memory that one key takes.
const SLOT_BYTES: usize = size_of::<Slot>();
/// Of so many slots one stays free, so that a search for a key that is not there ends soon. Kafka's load factor is 0.9.
const SLOTS_PER_FREE: usize = 10;

/// See the module.
pub struct KeyMap {
    slots: Vec<Slot>,
    keys: usize,
    keys_max: usize,
    seed: (u64, u64),
}

impl KeyMap {
    /// Bytes of memory of a map for `records` records, or as many keys as `bytes_max` takes.
    pub fn bytes_for(records: u64, bytes_max: usize) -> usize {
        let slots_max = (bytes_max / SLOT_BYTES).max(2);
        let wanted = records.saturating_add(records / (SLOTS_PER_FREE as u64 - 1)).saturating_add(2);
        usize::try_from(wanted).unwrap_or(usize::MAX).min(slots_max) * SLOT_BYTES
    }

    /// An empty map in so many bytes, at least what two keys take. `seed` is nobody else's business.
    pub fn new(bytes: usize, seed: (u64, u64)) -> Self {
        let slots = (bytes / SLOT_BYTES).max(2);
        KeyMap { slots: vec![[0; 3]; slots], keys: 0, keys_max: slots - slots.div_ceil(SLOTS_PER_FREE), seed }
    }

    /// Notes that a record with this key is at `offset`, which is larger than all before. `false` if the key is new and
    /// there is no room for it.
    #[must_use]
    pub fn note(&mut self, key: &[u8], offset: Offset) -> bool {
        let hash = self.hash(key);
        let at = self.find(hash);
        let slot = &mut self.slots[at];
        if slot[2] == 0 {
            if self.keys == self.keys_max {
                return false;
            }
            self.keys += 1;
        }
        *slot = [hash.0, hash.1, offset as u64 + 1];
        true
    }

    /// The last offset that was noted of a key.
    pub fn last_offset(&self, key: &[u8]) -> Option<Offset> {
        self.slots[self.find(self.hash(key))][2].checked_sub(1).map(|offset| offset as Offset)
    }

    /// Keys that were noted.
    pub fn len(&self) -> usize {
        self.keys
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.keys == 0
    }

    fn hash(&self, key: &[u8]) -> (u64, u64) {
        let mut hasher = SipHasher13::new_with_keys(self.seed.0, self.seed.1);
        hasher.write(key);
        let hash = hasher.finish128();
        (hash.h1, hash.h2)
    }

    /// The slot of a key, or the free one in which it would be.
    fn find(&self, hash: (u64, u64)) -> usize {
        let mut at = (hash.0 % self.slots.len() as u64) as usize;
        loop {
            let [first, second, offset] = self.slots[at];
            if offset == 0 || (first, second) == hash {
                return at;
            }
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_takes_the_keys_of_so_many_records_or_what_its_memory_takes() {
        for records in [0, 1, 2, 17, 1_000] {
            let bytes = KeyMap::bytes_for(records, usize::MAX);
            let mut map = KeyMap::new(bytes, (1, 2));
            assert!((0..records).all(|key| map.note(&key.to_le_bytes(), key as i64)), "{records}");
            assert!(bytes as u64 <= (records + 3) * 5 / 4 * SLOT_BYTES as u64);
        }
        assert_eq!(KeyMap::bytes_for(u64::MAX, 1_000), 1_000 / SLOT_BYTES * SLOT_BYTES);
        assert!(KeyMap::new(0, (1, 2)).note(b"key", 5), "one key always fits");
    }

    proptest! {
        #[test]
        fn it_is_a_map_up_to_its_length(
            bytes in 0usize..2_000, seed: (u64, u64), notes in prop::collection::vec(0u8..100, 0..200),
        ) {
            let mut map = KeyMap::new(bytes, seed);
            let mut model = HashMap::new();
            for (offset, key) in notes.into_iter().enumerate() {
                let has_room = model.contains_key(&key) || model.len() < map.keys_max;
                prop_assert_eq!(map.note(&[key], offset as i64), has_room);
                if has_room {
                    model.insert(key, offset as i64);
                }
            }
            prop_assert_eq!((map.len(), map.is_empty()), (model.len(), model.is_empty()));
            for key in 0..=255 {
                prop_assert_eq!(map.last_offset(&[key]), model.get(&key).copied());
            }
        }
    }
}
