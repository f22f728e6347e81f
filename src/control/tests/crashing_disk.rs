//! A disk that ends in the middle of what redb does. What was synced stays; of what was written since, each sector of
//! 4 KiB is there or not, by the seed. Lengths hold as soon as they are set: the store's file has its blocks by then.

use std::io;
use std::sync::{Arc, Mutex};

use redb::StorageBackend;

const SECTOR_BYTES: u64 = 4096;

/// The disk; clones are the same one.
#[derive(Clone, Debug)]
pub struct CrashingDisk(Arc<Mutex<Content>>);

#[derive(Debug)]
struct Content {
    /// As the program sees it.
    seen: Vec<u8>,
    /// As it surely is after a crash.
    durable: Vec<u8>,
    /// Since the last sync.
    written: Vec<(u64, Vec<u8>)>,
    /// Operations until the power goes.
    left: u64,
}

/// Knuth's generator. The highest bits are the good ones.
pub fn next_chance(chance: u64) -> u64 {
    chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

impl CrashingDisk {
    /// A disk that holds `content`, whose power goes with the operation after `left` more.
    pub fn new(content: Vec<u8>, left: u64) -> Self {
        let (seen, durable) = (content.clone(), content);
        CrashingDisk(Arc::new(Mutex::new(Content { seen, durable, written: Vec::new(), left })))
    }

    /// What the program sees on it.
    pub fn content(&self) -> Vec<u8> {
        self.0.lock().unwrap().seen.clone()
    }

    /// What is found on it after the crash.
    pub fn survivors(&self, seed: u64) -> Vec<u8> {
        let content = self.0.lock().unwrap();
        let mut bytes = content.durable.clone();
        bytes.resize(content.seen.len(), 0);
        let mut chance = seed;
        for (at, written) in &content.written {
            for (number, byte) in (*at..).zip(written) {
                if number == *at || number % SECTOR_BYTES == 0 {
                    chance = next_chance(chance);
                }
                if chance >> 63 == 1 && number < bytes.len() as u64 {
                    bytes[number as usize] = *byte;
                }
            }
        }
        bytes
    }

    fn change(&self, change: impl FnOnce(&mut Content)) -> io::Result<()> {
        let mut content = self.0.lock().unwrap();
        content.left = content.left.checked_sub(1).ok_or(io::ErrorKind::NotConnected)?;
        change(&mut content);
        Ok(())
    }
}

impl StorageBackend for CrashingDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let content = self.0.lock().unwrap();
        let from = offset as usize;
        let bytes = content.seen.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(|content| content.seen.resize(length as usize, 0))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.change(|content| {
            let Content { seen, durable, written, .. } = content;
            durable.resize(seen.len(), 0);
            for (at, bytes) in written.drain(..) {
                let from = (at as usize).min(durable.len());
                let to = (at as usize + bytes.len()).min(durable.len());
                durable[from..to].copy_from_slice(&bytes[..to - from]);
            }
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(|content| {
            let from = offset as usize;
            content.seen[from..from + data.len()].copy_from_slice(data);
            content.written.push((offset, data.to_vec()));
        })
    }
}
