//! What is replicated: records by their keys, and a checksum of them that each change moves along.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::ops::Bound;
use std::sync::Arc;

use siphasher::sip::SipHasher13;

use super::command::Change;

/// All records.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State {
    records: BTreeMap<String, Arc<[u8]>>,
    checksum: u64,
    bytes: usize,
}

impl State {
    /// Takes a change in.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Put { key, value } => self.put(key.clone(), value.as_slice().into()),
            Change::Remove { from, to } => self.remove(from, to),
        }
    }

    /// A record is there from now on.
    pub fn put(&mut self, key: String, value: Arc<[u8]>) {
        self.checksum = self.checksum.wrapping_add(hash(&key, &value));
        self.bytes += key.len() + value.len();
        if let Some(old) = self.records.get(&key) {
            self.checksum = self.checksum.wrapping_sub(hash(&key, old));
            self.bytes -= key.len() + old.len();
        }
        self.records.insert(key, value);
    }

    fn remove(&mut self, from: &str, to: &str) {
        // An empty or inverted range is no range to the map.
        if from >= to {
            return;
        }
        let range = (Bound::Included(from), Bound::Excluded(to));
        let keys: Vec<String> = self.records.range::<str, _>(range).map(|(key, _)| key.clone()).collect();
        for key in keys {
            let old = self.records.remove(&key).expect("just seen");
            self.checksum = self.checksum.wrapping_sub(hash(&key, &old));
            self.bytes -= key.len() + old.len();
        }
    }

    /// A record.
    pub fn get(&self, key: &str) -> Option<&Arc<[u8]>> {
        self.records.get(key)
    }

    /// All records, in order of their keys.
    pub fn records(&self) -> impl ExactSizeIterator<Item = (&String, &Arc<[u8]>)> {
        self.records.iter()
    }

    /// The records behind a key, or all, in order of their keys.
    pub fn records_after(&self, key: Option<&str>) -> impl Iterator<Item = (&String, &Arc<[u8]>)> {
        let after = key.map_or(Bound::Unbounded, Bound::Excluded);
        self.records.range::<str, _>((after, Bound::Unbounded))
    }

    /// The same for the same records, in whichever order they came; a sum of a hash of each.
    pub fn checksum(&self) -> u64 {
        self.checksum
    }

    /// Length of all keys and values.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// SipHash-1-3 without a key: the same everywhere and for ever.
fn hash(key: &str, value: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(&(key.len() as u64).to_le_bytes());
    hasher.write(key.as_bytes());
    hasher.write(value);
    hasher.finish()
}
