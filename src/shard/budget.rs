//! A bounded amount of memory that many share: who finds it used up waits in line.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use tokio::sync::oneshot;

/// An amount of bytes, given out in order of arrival. Cheap to clone: clones share the amount.
#[derive(Clone)]
pub struct Budget(Rc<Shared>);

struct Shared {
    total: u64,
    used: Cell<u64>,
    waiting: RefCell<VecDeque<Waiting>>,
}

struct Waiting {
    bytes: u64,
    granted: oneshot::Sender<Charge>,
}

/// Bytes taken from a budget; they are given back when it is dropped.
pub struct Charge {
    budget: Budget,
    bytes: u64,
}

impl Budget {
    /// A budget of `total` bytes, all free.
    pub fn new(total: u64) -> Self {
        Budget(Rc::new(Shared { total, used: Cell::new(0), waiting: RefCell::default() }))
    }

    /// Takes `bytes`, waiting behind those who came before. More than the whole budget is taken when nobody
    /// else has anything. Whoever waits must hold no charge on the same budget: two could wait for each other.
    pub async fn take(&self, bytes: u64) -> Charge {
        if let Some(charge) = self.try_take(bytes) {
            return charge;
        }
        let (granted, receiver) = oneshot::channel();
        self.0.waiting.borrow_mut().push_back(Waiting { bytes, granted });
        receiver.await.expect("a budget outlives those who wait for it: they hold it")
    }

    /// Takes `bytes` if they are free and nobody waits.
    pub fn try_take(&self, bytes: u64) -> Option<Charge> {
        let mut waiting = self.0.waiting.borrow_mut();
        waiting.retain(|waiting| !waiting.granted.is_closed());
        let free = waiting.is_empty() && self.fits(bytes);
        free.then(|| self.force(bytes))
    }

    /// Takes `bytes` even where the budget is exceeded: for what exists already and was found larger than
    /// expected.
    pub fn force(&self, bytes: u64) -> Charge {
        self.0.used.set(self.0.used.get() + bytes);
        Charge { budget: self.clone(), bytes }
    }

    /// All bytes that there are.
    pub fn total(&self) -> u64 {
        self.0.total
    }

    /// Bytes that are taken.
    pub fn used(&self) -> u64 {
        self.0.used.get()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.0.waiting.borrow().len()
    }

    /// Whether somebody waits.
    pub fn is_exhausted(&self) -> bool {
        self.0.waiting.borrow().iter().any(|waiting| !waiting.granted.is_closed())
    }

    fn fits(&self, bytes: u64) -> bool {
        let used = self.0.used.get();
        used == 0 || used + bytes <= self.0.total
    }

    fn give_back(&self, bytes: u64) {
        self.0.used.set(self.0.used.get() - bytes);
        loop {
            let next = {
                let mut waiting = self.0.waiting.borrow_mut();
                match waiting.front() {
                    Some(front) if front.granted.is_closed() || self.fits(front.bytes) => waiting.pop_front(),
                    _ => None,
                }
            };
            let Some(next) = next else { return };
            if !next.granted.is_closed() {
                // If the receiver is gone after all, the charge comes back and is dropped.
                let _ = next.granted.send(self.force(next.bytes));
            }
        }
    }
}

impl Charge {
    /// Bytes that are held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Changes what is held to what was found to be needed; more is taken without waiting.
    pub fn adjust(&mut self, bytes: u64) {
        if bytes > self.bytes {
            self.budget.0.used.set(self.budget.0.used.get() + bytes - self.bytes);
            self.bytes = bytes;
        } else {
            let surplus = self.bytes - bytes;
            self.bytes = bytes;
            self.budget.give_back(surplus);
        }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn who_comes_first_is_served_first() {
        let budget = Budget::new(10);
        let first = budget.try_take(8).expect("free");
        let mut large = Box::pin(budget.take(5));
        assert!(large.as_mut().now_or_never().is_none());
        assert!(budget.try_take(1).is_none(), "there is room, but somebody waits");
        let mut small = Box::pin(budget.take(1));
        assert!(small.as_mut().now_or_never().is_none());
        assert!(budget.is_exhausted());
        drop(first);
        assert_eq!(large.now_or_never().expect("granted").bytes(), 5);
        assert_eq!(small.now_or_never().expect("granted").bytes(), 1);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn who_leaves_gives_back_and_lets_others_by() {
        let budget = Budget::new(10);
        let held = budget.try_take(10).expect("free");
        let mut gone = Box::pin(budget.take(10));
        let mut stays = Box::pin(budget.take(10));
        assert!(gone.as_mut().now_or_never().is_none() && stays.as_mut().now_or_never().is_none());
        drop(gone);
        drop(held);
        let charge = stays.now_or_never().expect("granted");
        // Granted, and gone before it looked.
        let mut unlucky = Box::pin(budget.take(3));
        assert!(unlucky.as_mut().now_or_never().is_none());
        drop(charge);
        assert_eq!(budget.used(), 3);
        drop(unlucky);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn more_than_everything_is_taken_alone() {
        let budget = Budget::new(10);
        let small = budget.try_take(1).expect("free");
        assert!(budget.try_take(11).is_none());
        drop(small);
        let mut all = budget.try_take(11).expect("nobody else has anything");
        assert!(budget.try_take(1).is_none());
        all.adjust(4);
        assert_eq!(budget.try_take(6).expect("room").bytes(), 6);
        all.adjust(20);
        assert_eq!(budget.used(), 20);
    }
}
