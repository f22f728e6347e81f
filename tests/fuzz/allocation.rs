//! Counts the memory that each thread holds. A target runs in one thread, so what others do at the same time does
//! not show.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    // Signed: a thread may free what another one made.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // At the end of a thread its counters are gone before the last of its memory.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: delegates to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(memory, layout) }
    }

    // Zeroed memory comes from the system untouched: a huge length in hostile bytes would cost nothing, and
    // would not be noticed, if it were only reserved. It counts all the same.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A moment from which memory is counted.
pub struct Mark(isize);

/// Begins to count. There is one count for each thread: a later mark ends that of an earlier one.
pub fn mark() -> Mark {
    PEAK.set(LIVE.get());
    Mark(LIVE.get())
}

impl Mark {
    /// Bytes that the thread held at most since, beyond what it held at the mark.
    pub fn peak_bytes(&self) -> usize {
        (PEAK.get() - self.0).max(0) as usize
    }
}
