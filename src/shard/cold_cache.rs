//! Runs of batches that were read from segments, kept for those who read the same place, up to a bound; the one that
//! was not used for longest goes first. Says also who is reading a run just now, so that nobody reads it twice, and
//! bounds the memory of all reads that are under way.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;

use tokio::sync::Notify;

use super::budget::Budget;
use super::tasks::Tasks;
use crate::base::ids::{Offset, PartitionId};
use crate::log::run::Run;
use crate::log::segment::SegmentName;

/// A segment: its partition and its name.
pub(super) type Key = (PartitionId, SegmentName);

struct Cached {
    run: Rc<Run>,
    /// Whether it was read because a reader went on from the run before it.
    is_sequential: bool,
    used: u64,
}

#[derive(Default)]
struct Inner {
    segments: HashMap<Key, BTreeMap<Offset, Cached>>,
    by_use: BTreeMap<u64, (Key, Offset)>,
    bytes: usize,
    uses: u64,
    /// How often runs were forgotten.
    forgets: u64,
    /// How often something was read.
    reads: u64,
    reading: Vec<(Key, Range<u64>)>,
}

/// See the module.
pub(super) struct ColdCache {
    bytes_max: usize,
    inner: RefCell<Inner>,
    read: Notify,
    /// Memory of reads under way, a half of all; taken before [`ColdCache::begin`].
    pub(super) reading: Budget,
    /// Reads ahead of readers.
    pub(super) ahead: Tasks,
}

/// A part of a segment that is being read; other readers wait until it is dropped.
pub(super) struct Reading {
    cache: Rc<ColdCache>,
    key: Key,
    range: Range<u64>,
    forgets: u64,
}

/// What is known of the place of an offset.
pub(super) struct Near {
    /// The run that holds it.
    pub(super) run: Option<Rc<Run>>,
    /// The last run before it that does not.
    pub(super) before: Option<Rc<Run>>,
    /// Where the next run behind it begins.
    pub(super) behind: Option<u64>,
    /// Whether the run that holds it was read because a reader went on from the one before.
    pub(super) is_sequential: bool,
}

impl ColdCache {
    pub(super) fn new(bytes_max: usize) -> Rc<Self> {
        let (inner, read, ahead) = Default::default();
        Rc::new(ColdCache { bytes_max, inner, read, reading: Budget::new(bytes_max as u64 / 2), ahead })
    }

    /// Length of all runs that are kept, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.inner.borrow().bytes
    }

    /// The memory of reads that are under way.
    pub(super) fn reading_budget(&self) -> &Budget {
        &self.reading
    }

    /// How many reads were announced so far.
    pub(super) fn reads(&self) -> u64 {
        self.inner.borrow().reads
    }

    /// Looks for an offset. The run that holds it counts as used.
    pub(super) fn near(&self, key: Key, offset: Offset) -> Near {
        let mut inner = self.inner.borrow_mut();
        let inner = &mut *inner;
        let mut near = Near { run: None, before: None, behind: None, is_sequential: false };
        let Some(runs) = inner.segments.get_mut(&key) else { return near };
        near.behind = runs.range(offset + 1..).next().map(|(_, cached)| cached.run.position);
        let Some((_, cached)) = runs.range_mut(..=offset).next_back() else { return near };
        if cached.run.next_offset <= offset {
            near.before = Some(Rc::clone(&cached.run));
            return near;
        }
        inner.by_use.remove(&cached.used);
        inner.uses += 1;
        cached.used = inner.uses;
        inner.by_use.insert(cached.used, (key, cached.run.base_offset));
        (near.run, near.is_sequential) = (Some(Rc::clone(&cached.run)), cached.is_sequential);
        near
    }

    /// Announces that a part of a segment will be read; `None` while somebody reads what overlaps it.
    pub(super) fn begin(self: &Rc<Self>, key: Key, range: Range<u64>) -> Option<Reading> {
        let mut inner = self.inner.borrow_mut();
        let overlaps =
            |of: &(Key, Range<u64>)| of.0 == key && of.1.start < range.end && range.start < of.1.end;
        if inner.reading.iter().any(overlaps) {
            return None;
        }
        inner.reads += 1;
        inner.reading.push((key, range.clone()));
        Some(Reading { cache: Rc::clone(self), key, range, forgets: inner.forgets })
    }

    /// Completes when a read has ended that was under way when this was called.
    pub(super) fn read_ended(&self) -> impl Future<Output = ()> {
        self.read.notified()
    }

    /// Forgets a segment: it was removed or cut.
    pub(super) fn forget(&self, key: Key) {
        self.forget_where(|of| *of == key);
    }

    /// Forgets a partition's segments.
    pub(super) fn forget_partition(&self, id: PartitionId) {
        self.forget_where(|of| of.0 == id);
    }

    fn forget_where(&self, is_gone: impl Fn(&Key) -> bool) {
        let mut inner = self.inner.borrow_mut();
        inner.forgets += 1;
        let gone: Vec<Key> = inner.segments.keys().copied().filter(is_gone).collect();
        for key in gone {
            for cached in inner.segments.remove(&key).expect("just seen").into_values() {
                inner.by_use.remove(&cached.used);
                inner.bytes -= cached.run.length();
            }
        }
    }
}

impl Reading {
    /// Keeps what was read, unless something was forgotten meanwhile: it may have been this.
    pub(super) fn keep(&self, run: &Rc<Run>, is_sequential: bool) {
        let mut inner = self.cache.inner.borrow_mut();
        let inner = &mut *inner;
        if inner.forgets != self.forgets || run.length() > self.cache.bytes_max {
            return;
        }
        inner.uses += 1;
        let cached = Cached { run: Rc::clone(run), is_sequential, used: inner.uses };
        inner.by_use.insert(cached.used, (self.key, run.base_offset));
        inner.bytes += run.length();
        let runs = inner.segments.entry(self.key).or_default();
        if let Some(old) = runs.insert(run.base_offset, cached) {
            inner.by_use.remove(&old.used);
            inner.bytes -= old.run.length();
        }
        // What is read just now is a part of what may be kept. One run always is: its readers come to look for it.
        let kept_max = self.cache.bytes_max.saturating_sub(self.cache.reading.used() as usize);
        while inner.bytes > kept_max.max(run.length()) {
            let (_, (key, base_offset)) = inner.by_use.pop_first().expect("bytes are of runs");
            let runs = inner.segments.get_mut(&key).expect("listed runs are there");
            inner.bytes -= runs.remove(&base_offset).expect("listed runs are there").run.length();
            if runs.is_empty() {
                inner.segments.remove(&key);
            }
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut inner = self.cache.inner.borrow_mut();
        let at = inner.reading.iter().position(|(key, range)| *key == self.key && *range == self.range);
        inner.reading.swap_remove(at.expect("announced"));
        self.cache.read.notify_waiters();
    }
}
