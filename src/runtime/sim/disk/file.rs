//! One simulated file: what reads see, what is durable, and the changes between the two.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;

use super::image::{Image, Sector, sector_of, torn, trimmed};
use super::{End, Loss};
use crate::base::buffer::AlignedBuf;
use crate::base::limits::BLOCK_BYTES;
use crate::runtime::sim::rng::Rng;

#[derive(Default)]
pub(in crate::runtime::sim) struct SimInode(RefCell<Content>);

#[derive(Default)]
struct Content {
    visible: Image,
    durable: Image,
    /// Completed but not durable, in the order of completion.
    pending: Vec<(u64, Change)>,
    next_change: u64,
    /// Writes in flight by operation number, since a read may see any part of them.
    writing: BTreeMap<u64, (u64, Bytes)>,
}

enum Change {
    Sector(u64, Sector),
    /// At least this long.
    Grow(u64),
    /// Exactly this long.
    SetLength(u64),
}

impl Change {
    fn apply(self, image: &mut Image) {
        match self {
            Change::Sector(index, sector) => image.put(index, sector),
            Change::Grow(length) => image.grow(length),
            Change::SetLength(length) => image.set_length(length),
        }
    }
}

impl SimInode {
    pub(in crate::runtime::sim) fn length(&self) -> u64 {
        self.0.borrow().visible.length()
    }

    /// A write has been submitted.
    pub(in crate::runtime::sim) fn begin_write(&self, operation: u64, position: u64, bytes: Bytes) {
        self.0.borrow_mut().writing.insert(operation, (position, bytes));
    }

    /// A write has ended. `durable`: the file was opened so that a completed write is durable.
    pub(in crate::runtime::sim) fn end_write(
        &self,
        operation: u64,
        durable: bool,
        rng: &mut Rng,
        end: End,
    ) -> io::Result<()> {
        let content = &mut *self.0.borrow_mut();
        let (mut position, bytes) = content.writing.remove(&operation).expect("the write was begun");
        if let End::Misdirected = end {
            position = content.elsewhere(position, bytes.len() as u64, rng);
        }
        let first = position / BLOCK_BYTES as u64;
        let length = position + bytes.len() as u64;
        let failed = matches!(end, End::Failed(_));
        for (index, sector) in (first..).zip(bytes.chunks_exact(BLOCK_BYTES)) {
            // After an error nothing is known about the range.
            if !failed || rng.chance(1, 2) {
                content.change(Change::Sector(index, sector_of(sector)));
            }
        }
        if length > content.visible.length() && (!failed || rng.chance(1, 2)) {
            content.change(Change::Grow(length));
        }
        if durable && matches!(end, End::Done | End::Misdirected) {
            content.persist_range(first, length);
        }
        end.result()
    }

    /// Reads; a sector under a write in flight is old or new by the seed.
    pub(in crate::runtime::sim) fn read(&self, position: u64, length: usize, rng: &mut Rng) -> AlignedBuf {
        let content = &*self.0.borrow();
        let available = content.visible.length().saturating_sub(position).min(length as u64) as usize;
        let mut buffer = AlignedBuf::with_capacity(length);
        let target = buffer.fill(available).expect("nobody else has seen the new buffer");
        let first = position / BLOCK_BYTES as u64;
        for (index, target) in (first..).zip(target.chunks_mut(BLOCK_BYTES)) {
            if let Some(sector) = content.seen_by_read(index, rng) {
                target.copy_from_slice(&sector[..target.len()]);
            }
        }
        buffer
    }

    /// The mark that a sync submitted now reaches up to.
    pub(in crate::runtime::sim) fn changes(&self) -> u64 {
        self.0.borrow().next_change
    }

    /// A sync that was submitted at the mark `upto` has ended.
    pub(in crate::runtime::sim) fn end_sync(&self, upto: u64, rng: &mut Rng, end: End) -> io::Result<()> {
        let content = &mut *self.0.borrow_mut();
        for (number, change) in std::mem::take(&mut content.pending) {
            match end {
                End::Done | End::Misdirected if number < upto => change.apply(&mut content.durable),
                // The kernel marks pages clean whose writing has failed: a later sync will not mend them.
                End::Failed(_) if number < upto && matches!(change, Change::Sector(..)) => {
                    if rng.chance(1, 2) {
                        change.apply(&mut content.durable);
                    }
                }
                _ => content.pending.push((number, change)),
            }
        }
        end.result()
    }

    pub(in crate::runtime::sim) fn allocate(&self, length: u64) {
        let content = &mut *self.0.borrow_mut();
        if length > content.visible.length() {
            content.change(Change::Grow(length));
        }
    }

    pub(in crate::runtime::sim) fn set_length(&self, length: u64) {
        let content = &mut *self.0.borrow_mut();
        // Cached sectors behind the cut are dropped, not written.
        content.pending.retain(
            |(_, change)| !matches!(change, Change::Sector(index, _) if index * BLOCK_BYTES as u64 >= length),
        );
        for (_, change) in &mut content.pending {
            if let Change::Sector(index, sector) = change
                && *index == length / BLOCK_BYTES as u64
            {
                *sector = trimmed(sector, *index, length);
            }
        }
        content.change(Change::SetLength(length));
    }

    /// A byte rots.
    pub(in crate::runtime::sim) fn rot(&self, position: u64) {
        let content = &mut *self.0.borrow_mut();
        assert!(position < content.visible.length(), "there is such a byte");
        let (index, within) = (position / BLOCK_BYTES as u64, position as usize % BLOCK_BYTES);
        for image in [&mut content.visible, &mut content.durable] {
            let mut sector = image.sector(index).map_or([0; BLOCK_BYTES], |sector| *sector);
            sector[within] ^= 1;
            image.put(index, sector_of(&sector));
        }
    }

    /// Up to where a write in flight needs the file to reach.
    pub(in crate::runtime::sim) fn end_of_write(&self, operation: u64) -> u64 {
        let content = self.0.borrow();
        let (position, bytes) = content.writing.get(&operation).expect("the write was begun");
        position + bytes.len() as u64
    }

    /// A write in flight is refused: it changes nothing.
    pub(in crate::runtime::sim) fn refuse_write(&self, operation: u64) {
        self.0.borrow_mut().writing.remove(&operation);
    }

    pub(super) fn durable_copy(&self) -> SimInode {
        let durable = self.0.borrow().durable.clone();
        SimInode(RefCell::new(Content { visible: durable.clone(), durable, ..Content::default() }))
    }

    pub(super) fn durable_sectors(&self) -> Vec<u64> {
        self.0.borrow().durable.written()
    }

    pub(super) fn durable_hash(&self) -> u64 {
        self.0.borrow().durable.hash()
    }

    /// Power is lost: some unsynced sectors survive, and a prefix of the unsynced size changes.
    pub(super) fn crash(&self, loss: Loss, rng: &mut Rng) {
        let content = &mut *self.0.borrow_mut();
        let pending = std::mem::take(&mut content.pending);
        let resizes = pending.iter().filter(|(_, change)| !matches!(change, Change::Sector(..))).count();
        let mut resizes_kept = 0..rng.below(resizes as u64 + 1);
        for (_, mut change) in pending {
            if let Change::Sector(index, sector) = &mut change
                && loss.tears_sectors
                && rng.chance(1, 8)
            {
                *sector = torn(&content.durable.sector(*index), sector, rng);
            }
            let kept = match change {
                Change::Sector(..) => rng.chance(loss.keep, 4),
                Change::Grow(_) | Change::SetLength(_) => resizes_kept.next().is_some(),
            };
            if kept {
                change.apply(&mut content.durable);
            }
        }
        content.durable.forget_beyond_the_end();
        content.visible = content.durable.clone();
        content.writing.clear();
    }
}

impl Content {
    fn change(&mut self, change: Change) {
        match &change {
            Change::Sector(index, sector) => self.visible.put(*index, sector.clone()),
            Change::Grow(length) => self.visible.grow(*length),
            Change::SetLength(length) => self.visible.set_length(*length),
        }
        self.pending.push((self.next_change, change));
        self.next_change += 1;
    }

    /// Makes the sectors from `first` up to the byte `end` durable, with as much of the size as they need.
    fn persist_range(&mut self, first: u64, end: u64) {
        let sectors = first..end / BLOCK_BYTES as u64;
        let cut = |change: &Change| matches!(change, Change::SetLength(length) if *length < end);
        let last_cut = self.pending.iter().filter(|(_, change)| cut(change)).map(|(number, _)| *number).max();
        for (number, change) in std::mem::take(&mut self.pending) {
            match &change {
                Change::Sector(index, _) if sectors.contains(index) => change.apply(&mut self.durable),
                // A cut into the range that came earlier must not strike after the write.
                Change::Grow(_) | Change::SetLength(_) if Some(number) <= last_cut => {
                    change.apply(&mut self.durable);
                }
                _ => self.pending.push((number, change)),
            }
        }
        self.durable.grow(end);
    }

    /// Another place for so many bytes in the file.
    fn elsewhere(&self, position: u64, length: u64, rng: &mut Rng) -> u64 {
        let places = (self.visible.length().saturating_sub(length)) / BLOCK_BYTES as u64 + 1;
        let place = rng.below(places) * BLOCK_BYTES as u64;
        if place == position { position + length } else { place }
    }

    fn seen_by_read(&self, index: u64, rng: &mut Rng) -> Sector {
        let start = index * BLOCK_BYTES as u64;
        let mut seen = self.visible.sector(index);
        for (position, bytes) in self.writing.values() {
            let inside = start.checked_sub(*position).map(|offset| offset as usize);
            if let Some(offset) = inside.filter(|&offset| offset < bytes.len())
                && rng.chance(1, 2)
            {
                seen = sector_of(&bytes[offset..offset + BLOCK_BYTES]);
            }
        }
        seen
    }
}
