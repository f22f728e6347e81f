//! The part of a segment that is in memory: bytes that are not on disk yet, and behind them, as long as the
//! budget allows, bytes that are. One copy serves write-back and readers.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

use crate::base::buffer::AlignedBuf;
use crate::base::ids::Offset;
use crate::base::limits::{BLOCK_BYTES, CHUNK_BYTES_MAX};

/// Aligned memory for a stretch of the segment that begins at a whole block.
struct Chunk {
    position: u64,
    buffer: AlignedBuf,
    /// Bytes of the buffer that count: the next chunk may repeat the last ones.
    length: usize,
}

impl Chunk {
    fn new(position: u64, buffer: AlignedBuf) -> Self {
        Chunk { position, length: buffer.len(), buffer }
    }

    fn end(&self) -> u64 {
        self.position + self.length as u64
    }

    fn append(&mut self, bytes: &[u8]) {
        assert_eq!(self.length, self.buffer.len(), "nothing follows it");
        self.buffer.append(bytes);
        self.length = self.buffer.len();
    }
}

/// Where a batch begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BatchPlace {
    /// The batch's base offset.
    pub base_offset: Offset,
    /// In the segment, in bytes.
    pub position: u64,
}

/// The chunks of one segment, without gaps, and the batches that begin in them.
#[derive(Default)]
pub struct SegmentMemory {
    chunks: VecDeque<Chunk>,
    batches: VecDeque<BatchPlace>,
    /// The first position that is held; bytes of the first chunk before it are meaningless.
    start: u64,
    chunk_bytes: usize,
}

impl SegmentMemory {
    /// Nothing held; the next byte is that at `position`.
    pub fn starting_at(position: u64) -> Self {
        SegmentMemory { start: position, ..Self::default() }
    }

    /// The first position that is held.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The position behind the last byte held.
    pub fn end(&self) -> u64 {
        self.chunks.back().map_or(self.start, Chunk::end)
    }

    /// Bytes of memory in use.
    pub fn resident_bytes(&self) -> usize {
        self.chunk_bytes + self.batches.capacity() * size_of::<BatchPlace>()
    }

    /// Appends bytes that do not begin a batch.
    pub fn append_bytes(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.chunks.back().is_none_or(|chunk| chunk.buffer.remaining() == 0) {
                self.grow(bytes.len());
            }
            let chunk = self.chunks.back_mut().expect("just grown");
            let fitting = bytes.len().min(chunk.buffer.remaining());
            chunk.append(&bytes[..fitting]);
            bytes = &bytes[fitting..];
        }
    }

    /// Notes that a batch begins at the end.
    pub fn begin_batch(&mut self, base_offset: Offset) {
        self.batches.push_back(BatchPlace { base_offset, position: self.end() });
    }

    /// A new chunk: twice the last one's size up to a maximum, so that ten thousand quiet partitions stay
    /// small and busy ones write back in long stretches.
    fn grow(&mut self, wanted: usize) {
        let end = self.end();
        let position = end - end % BLOCK_BYTES as u64;
        let doubled = self.chunks.back().map_or(BLOCK_BYTES, |chunk| chunk.buffer.capacity() * 2);
        let capacity = doubled.max(wanted.next_power_of_two()).clamp(BLOCK_BYTES, CHUNK_BYTES_MAX);
        let mut buffer = AlignedBuf::with_capacity(capacity);
        buffer.append_zeros((end - position) as usize);
        self.push(Chunk::new(position, buffer));
    }

    fn push(&mut self, chunk: Chunk) {
        self.chunk_bytes += chunk.buffer.capacity();
        self.chunks.push_back(chunk);
    }

    /// A batch on its own, the concatenation of `parts`, behind the bytes of its first block that come before it. The
    /// memory begins at that block.
    pub fn of_batch(block_start: u64, before: &[Bytes], base_offset: Offset, parts: &[&[u8]]) -> Self {
        let before_bytes: usize = before.iter().map(Bytes::len).sum();
        let mut missing = before_bytes + parts.iter().map(|part| part.len()).sum::<usize>();
        let mut memory = SegmentMemory::starting_at(block_start);
        let position = block_start + before_bytes as u64;
        memory.batches.push_back(BatchPlace { base_offset, position });
        for mut bytes in before.iter().map(|piece| &piece[..]).chain(parts.iter().copied()) {
            while !bytes.is_empty() {
                if memory.chunks.back().is_none_or(|chunk| chunk.buffer.remaining() == 0) {
                    let buffer = AlignedBuf::with_capacity(missing.min(CHUNK_BYTES_MAX));
                    memory.push(Chunk::new(memory.end(), buffer));
                }
                let chunk = memory.chunks.back_mut().expect("just pushed");
                let fitting = bytes.len().min(chunk.buffer.remaining());
                chunk.append(&bytes[..fitting]);
                (bytes, missing) = (&bytes[fitting..], missing - fitting);
            }
        }
        memory
    }

    /// Takes in what was made of the bytes from the last whole block on and a batch behind them.
    pub fn adopt(&mut self, ahead: SegmentMemory) {
        let (from, end) = (ahead.start, self.end());
        assert!(
            self.start <= from && from <= end && end - from < BLOCK_BYTES as u64,
            "it begins in the last block"
        );
        if let Some(last) = self.chunks.back_mut() {
            last.length = from.saturating_sub(last.position) as usize;
        }
        if let Some(empty) = self.chunks.pop_back_if(|last| last.length == 0) {
            self.chunk_bytes -= empty.buffer.capacity();
        }
        assert_eq!(self.end().max(self.start), from, "no gap");
        self.chunk_bytes += ahead.chunk_bytes;
        self.chunks.extend(ahead.chunks);
        self.batches.extend(ahead.batches);
    }

    /// The bytes of a range, which must be held, without a copy.
    pub fn slice(&self, range: Range<u64>) -> Vec<Bytes> {
        assert!(self.start <= range.start && range.end <= self.end(), "{range:?} is held");
        let first = self.chunks.partition_point(|chunk| chunk.end() <= range.start);
        self.chunks
            .range(first..)
            .take_while(|chunk| chunk.position < range.end)
            .map(|chunk| {
                let from = range.start.max(chunk.position) - chunk.position;
                let to = range.end.min(chunk.end()) - chunk.position;
                chunk.buffer.view(from as usize..to as usize)
            })
            .collect()
    }

    /// The longest stretch of whole blocks from `position` on that lies in one piece of memory and ends at or
    /// before `end`; both whole blocks.
    pub fn whole_blocks(&self, position: u64, end: u64) -> Option<Bytes> {
        assert!(position >= self.start && position.is_multiple_of(BLOCK_BYTES as u64));
        let first = self.chunks.partition_point(|chunk| chunk.end() <= position);
        let chunk = self.chunks.get(first)?;
        let to = end.min(chunk.end() - chunk.end() % BLOCK_BYTES as u64);
        let within = |position: u64| (position - chunk.position) as usize;
        (position < to).then(|| chunk.buffer.view(within(position)..within(to)))
    }

    /// All stretches of whole blocks from `position` to `end`, both whole blocks, with their positions.
    pub fn stretches(&self, mut position: u64, end: u64) -> Vec<(u64, Bytes)> {
        let mut stretches = Vec::new();
        while position < end {
            let bytes = self.whole_blocks(position, end).expect("whole blocks are held");
            let next = position + bytes.len() as u64;
            stretches.push((position, bytes));
            position = next;
        }
        stretches
    }

    /// The batch that holds `offset`, if it begins in memory: its place and where it ends.
    pub fn batch_at(&self, offset: Offset) -> Option<(BatchPlace, u64)> {
        let at = self.batches.partition_point(|batch| batch.base_offset <= offset).checked_sub(1)?;
        let end = self.batches.get(at + 1).map_or_else(|| self.end(), |next| next.position);
        Some((self.batches[at], end))
    }

    /// The end of the last batch that ends at or before `limit`, of those from `from` on.
    pub fn last_batch_end(&self, from: u64, limit: u64) -> Option<u64> {
        if limit >= self.end() {
            return Some(self.end());
        }
        let behind = self.batches.partition_point(|batch| batch.position <= limit);
        self.batches.get(behind.checked_sub(1)?).map(|batch| batch.position).filter(|&end| end > from)
    }

    /// The first whole batch at or behind a position.
    pub fn first_batch_from(&self, position: u64) -> Option<BatchPlace> {
        self.batches.get(self.batches.partition_point(|batch| batch.position < position)).copied()
    }

    /// Forgets everything behind `position`. Readers may still look at the forgotten bytes, so what stays of
    /// the chunk that the cut goes through is copied. If the cut is before what is held, only `kept_block` is
    /// held afterwards: the bytes from `block_start`, a whole block, to `position`.
    pub fn truncate(&mut self, position: u64, block_start: u64, kept_block: &[u8]) {
        if self.start > block_start || position > self.end() {
            *self = SegmentMemory::starting_at(block_start);
            self.append_bytes(kept_block);
            return;
        }
        self.batches.truncate(self.batches.partition_point(|batch| batch.position < position));
        self.chunks.truncate(self.chunks.partition_point(|chunk| chunk.position < position));
        if let Some(last) = self.chunks.back_mut() {
            let keep = (position - last.position).min(last.length as u64) as usize;
            let mut buffer = AlignedBuf::with_capacity(last.buffer.capacity());
            buffer.append(&last.buffer.as_slice()[..keep]);
            *last = Chunk::new(last.position, buffer);
        }
        self.chunk_bytes = self.chunks.iter().map(|chunk| chunk.buffer.capacity()).sum();
    }

    /// Lets go of the first chunk if all of it is before `position`; returns the bytes of memory freed.
    pub fn evict_before(&mut self, position: u64) -> Option<usize> {
        let resident = self.resident_bytes();
        let chunk = self.chunks.pop_front_if(|chunk| chunk.end() <= position)?;
        self.start = chunk.end();
        self.chunk_bytes -= chunk.buffer.capacity();
        self.forget_batches();
        Some(resident - self.resident_bytes())
    }

    /// Where one chunk is left: lets go of it in favour of a smaller one for what is behind `position`, rounded down to
    /// a block, if that takes at most half of the memory; returns the bytes of memory freed.
    pub fn trim_before(&mut self, position: u64) -> usize {
        let resident = self.resident_bytes();
        let end = self.end();
        let [chunk] = self.chunks.make_contiguous() else { return 0 };
        let position = position.min(end);
        let start = (position - position % BLOCK_BYTES as u64).max(chunk.position);
        let kept = &chunk.buffer.as_slice()[(start - chunk.position) as usize..chunk.length];
        let capacity = kept.len().next_power_of_two().max(BLOCK_BYTES);
        if capacity > chunk.buffer.capacity() / 2 {
            return 0;
        }
        // Readers may still look at the old one.
        let mut buffer = AlignedBuf::with_capacity(capacity);
        buffer.append(kept);
        self.chunk_bytes = buffer.capacity();
        *chunk = Chunk::new(start, buffer);
        self.start = self.start.max(start);
        self.forget_batches();
        resident - self.resident_bytes()
    }

    /// Forgets the batches that begin before what is held.
    fn forget_batches(&mut self) {
        let behind = self.batches.partition_point(|batch| batch.position < self.start);
        self.batches.drain(..behind);
        if self.batches.capacity() > 2 * self.batches.len() + 64 {
            self.batches.shrink_to(self.batches.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flat(pieces: &[Bytes]) -> Vec<u8> {
        pieces.iter().flat_map(|piece| piece.to_vec()).collect()
    }

    proptest! {
        #[test]
        fn what_went_in_comes_out(
            start in 0u64..10_000,
            batches in prop::collection::vec(prop::collection::vec(any::<u8>(), 61..9000), 1..40),
            from in any::<prop::sample::Index>(),
            evict in any::<prop::sample::Index>(),
        ) {
            let mut memory = SegmentMemory::starting_at(start);
            let mut model = Vec::new();
            let mut places = Vec::new();
            for (index, batch) in batches.iter().enumerate() {
                places.push(BatchPlace { base_offset: index as i64 * 10, position: start + model.len() as u64 });
                memory.begin_batch(index as i64 * 10);
                memory.append_bytes(batch);
                model.extend_from_slice(batch);
            }
            let end = start + model.len() as u64;
            prop_assert_eq!(memory.end(), end);
            let limit = start + evict.index(model.len()) as u64;
            while memory.evict_before(limit).is_some() {}
            let resident = memory.resident_bytes();
            let freed = memory.trim_before(limit);
            prop_assert_eq!(memory.resident_bytes(), resident - freed);
            prop_assert!(memory.start() <= limit.max(start));
            let held = memory.start();
            let from = held + from.index((end - held) as usize) as u64;
            prop_assert_eq!(flat(&memory.slice(from..end)), &model[(from - start) as usize..]);
            for (index, place) in places.iter().enumerate() {
                let found = memory.batch_at(place.base_offset + 5);
                if place.position >= held {
                    let batch_end = places.get(index + 1).map_or(end, |next| next.position);
                    prop_assert_eq!(found, Some((*place, batch_end)));
                } else {
                    prop_assert!(found.is_none());
                }
            }
            let block = BLOCK_BYTES as u64;
            let mut position = held.next_multiple_of(block);
            while let Some(blocks) = memory.whole_blocks(position, end - end % block) {
                prop_assert!(!blocks.is_empty() && blocks.len().is_multiple_of(BLOCK_BYTES));
                prop_assert_eq!(blocks.as_ptr() as usize % BLOCK_BYTES, 0);
                let at = (position - start) as usize;
                prop_assert_eq!(&blocks[..], &model[at..at + blocks.len()]);
                position += blocks.len() as u64;
            }
            prop_assert!(end - position.min(end) < block);
        }
    }
}
