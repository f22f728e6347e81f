//! Block-aligned, append-only memory for direct I/O.
//!
//! One type serves the journal's groups, the partitions' tails (which are cache and write-back buffer at
//! once) and disk reads. Bytes once appended never change while a view of them lives, so views are handed
//! out as `Bytes` without a copy while the owner goes on appending behind them.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

use bytes::Bytes;

use super::limits::BLOCK_BYTES;

struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: `Memory` is a plain allocation. It is written only through the one `AlignedBuf` that owns it, and
// only behind `len`; views read only before the `len` of the time when they were made.
unsafe impl Send for Memory {}
unsafe impl Sync for Memory {}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated in `AlignedBuf::with_capacity` with this layout, freed once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// Memory aligned to [`BLOCK_BYTES`] whose capacity is a whole number of blocks. Bytes that were never
/// appended are zero.
pub struct AlignedBuf {
    memory: Arc<Memory>,
    len: usize,
}

/// A part of an [`AlignedBuf`]'s appended bytes; keeps the memory alive.
struct View {
    memory: Arc<Memory>,
    range: Range<usize>,
}

impl AsRef<[u8]> for View {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the range lay before `len` when the view was made; those bytes are initialised and
        // are not written again while the view lives (`reset` and `as_mut_slice` refuse).
        unsafe {
            std::slice::from_raw_parts(self.memory.start.as_ptr().add(self.range.start), self.range.len())
        }
    }
}

impl AlignedBuf {
    /// An empty buffer of at least `capacity` bytes, rounded up to whole blocks, all zero.
    pub fn with_capacity(capacity: usize) -> Self {
        let bytes = capacity.max(1).next_multiple_of(BLOCK_BYTES);
        let layout = Layout::from_size_align(bytes, BLOCK_BYTES).expect("capacity in range");
        // SAFETY: the layout has a size above zero.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        AlignedBuf { memory: Arc::new(Memory { start, layout }), len: 0 }
    }

    /// A buffer that holds a copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut buffer = Self::with_capacity(bytes.len());
        buffer.append(bytes);
        buffer
    }

    /// Bytes appended so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was appended yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that the buffer can hold.
    pub fn capacity(&self) -> usize {
        self.memory.layout.size()
    }

    /// Bytes that can still be appended.
    pub fn remaining(&self) -> usize {
        self.capacity() - self.len
    }

    /// Appends a copy of `bytes`. Panics if they do not fit.
    pub fn append(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.remaining(), "append beyond the buffer's capacity");
        // SAFETY: the target lies inside the allocation and behind every view.
        unsafe {
            let target = self.memory.start.as_ptr().add(self.len);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len());
        }
        self.len += bytes.len();
    }

    /// Appends `count` zero bytes.
    pub fn append_zeros(&mut self, count: usize) {
        assert!(count <= self.remaining(), "append beyond the buffer's capacity");
        // SAFETY: as in `append`. Written rather than skipped: after a `reset` old bytes stand there.
        unsafe { std::ptr::write_bytes(self.memory.start.as_ptr().add(self.len), 0, count) }
        self.len += count;
    }

    /// Appends zeros up to the next whole block.
    pub fn pad_to_block(&mut self) {
        self.append_zeros(self.len.next_multiple_of(BLOCK_BYTES) - self.len);
    }

    /// The bytes appended so far.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: bytes before `len` are initialised; writing needs `&mut self`.
        unsafe { std::slice::from_raw_parts(self.memory.start.as_ptr(), self.len) }
    }

    /// The bytes appended so far, writable; `None` while a view lives.
    pub fn as_mut_slice(&mut self) -> Option<&mut [u8]> {
        let start = Arc::get_mut(&mut self.memory)?.start;
        // SAFETY: no view lives and `self` is borrowed exclusively.
        Some(unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), self.len) })
    }

    /// A view of a range of the bytes appended so far, without a copy. Panics beyond them.
    pub fn view(&self, range: Range<usize>) -> Bytes {
        assert!(range.start <= range.end && range.end <= self.len, "view beyond the appended bytes");
        Bytes::from_owner(View { memory: Arc::clone(&self.memory), range })
    }

    /// Whether no view lives.
    pub fn is_unique(&self) -> bool {
        Arc::strong_count(&self.memory) == 1
    }

    /// Empties the buffer for reuse; `false`, and no change, while a view lives.
    pub fn reset(&mut self) -> bool {
        let unique = Arc::get_mut(&mut self.memory).is_some();
        if unique {
            self.len = 0;
        }
        unique
    }

    /// Makes the first `len` bytes of the capacity count as appended, for memory that the kernel has filled.
    /// `None` while a view lives.
    pub fn fill(&mut self, len: usize) -> Option<&mut [u8]> {
        assert!(len <= self.capacity());
        Arc::get_mut(&mut self.memory)?;
        self.len = len;
        self.as_mut_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_outlives_its_buffer_and_is_not_disturbed_by_appends() {
        let mut buffer = AlignedBuf::with_capacity(10);
        assert_eq!(buffer.capacity(), BLOCK_BYTES);
        buffer.append(b"hello");
        let view = buffer.view(1..4);
        buffer.append(b"world");
        assert_eq!(&view[..], b"ell");
        assert_eq!(buffer.as_slice(), b"helloworld");
        drop(buffer);
        assert_eq!(&view[..], b"ell");
    }

    #[test]
    fn a_buffer_is_reused_only_when_nobody_looks() {
        let mut buffer = AlignedBuf::copy_of(b"abc");
        let view = buffer.view(0..3);
        assert!(!buffer.reset());
        assert!(buffer.as_mut_slice().is_none());
        drop(view);
        assert!(buffer.reset());
        buffer.pad_to_block();
        assert_eq!(buffer.len(), 0);
        buffer.append(b"x");
        buffer.pad_to_block();
        assert_eq!(buffer.len(), BLOCK_BYTES);
        assert!(buffer.as_slice()[1..].iter().all(|&byte| byte == 0));
    }

    #[test]
    #[should_panic(expected = "beyond the buffer's capacity")]
    fn an_append_beyond_the_capacity_is_refused() {
        AlignedBuf::with_capacity(1).append(&[0; BLOCK_BYTES + 1]);
    }
}
