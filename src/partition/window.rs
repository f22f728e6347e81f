//! The newest batches of one idempotent producer, in a ring of fixed size.

use crate::base::ids::Offset;
use crate::base::limits::PRODUCER_BATCHES_KEPT;
use crate::log::snapshot::ProducedBatch;

/// At most [`PRODUCER_BATCHES_KEPT`] batches; the oldest makes room for one more.
#[derive(Clone, Debug)]
pub(super) struct BatchWindow {
    ring: [ProducedBatch; PRODUCER_BATCHES_KEPT],
    oldest: usize,
    len: usize,
}

impl BatchWindow {
    /// A window of one batch: there is no producer without one.
    pub(super) fn new(first: ProducedBatch) -> Self {
        BatchWindow { ring: [first; PRODUCER_BATCHES_KEPT], oldest: 0, len: 1 }
    }

    pub(super) fn push(&mut self, batch: ProducedBatch) {
        if self.len == PRODUCER_BATCHES_KEPT {
            self.oldest = self.slot(1);
            self.len -= 1;
        }
        self.ring[self.slot(self.len)] = batch;
        self.len += 1;
    }

    pub(super) fn newest(&self) -> &ProducedBatch {
        &self.ring[self.slot(self.len - 1)]
    }

    /// From the newest to the oldest.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &ProducedBatch> {
        (0..self.len).rev().map(|at| &self.ring[self.slot(at)])
    }

    /// Forgets the batches that end at or after `offset`. False where none is left: the window is then void.
    pub(super) fn truncate_to(&mut self, offset: Offset) -> bool {
        while self.len > 0 && self.newest().last_offset >= offset {
            self.len -= 1;
        }
        self.len > 0
    }

    fn slot(&self, at: usize) -> usize {
        (self.oldest + at) % PRODUCER_BATCHES_KEPT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(offset: i64) -> ProducedBatch {
        ProducedBatch {
            producer_epoch: 0,
            base_sequence: offset as i32,
            last_sequence: offset as i32,
            base_offset: offset,
            last_offset: offset,
            max_timestamp: 0,
        }
    }

    fn offsets(window: &BatchWindow) -> Vec<i64> {
        window.newest_first().map(|batch| batch.last_offset).collect()
    }

    #[test]
    fn keeps_the_newest_and_gives_them_up_from_the_end() {
        let mut window = BatchWindow::new(batch(0));
        for offset in 1..25 {
            window.push(batch(offset));
        }
        assert_eq!(offsets(&window), (15..25).rev().collect::<Vec<_>>());
        assert!(window.truncate_to(18));
        assert_eq!(offsets(&window), [17, 16, 15]);
        window.push(batch(18));
        assert_eq!(offsets(&window), [18, 17, 16, 15]);
        assert!(!window.truncate_to(15));
    }
}
