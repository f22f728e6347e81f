//! The tasks of one boot and the queue of those that can run.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::LocalBoxFuture;

use super::rng::Rng;

/// The task number of `block_on`'s own future, which is not in the table.
pub(super) const ROOT: u64 = 0;

#[derive(Default)]
pub(super) struct Tasks {
    table: RefCell<BTreeMap<u64, Task>>,
    ready: Arc<Ready>,
    last: Cell<u64>,
}

struct Task {
    /// Absent while it is being polled.
    future: Option<LocalBoxFuture<'static, ()>>,
    wake: Arc<TaskWake>,
}

/// Wakers must be `Send`, hence the lock; nobody ever waits for it.
#[derive(Default)]
struct Ready(Mutex<VecDeque<Arc<TaskWake>>>);

pub(super) struct TaskWake {
    task: u64,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for TaskWake {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::Relaxed) {
            let ready = Arc::clone(&self.ready);
            ready.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(self);
        }
    }
}

impl Tasks {
    /// A handle that wakes a task; numbers are never used twice, so a late wake hits nobody else.
    pub(super) fn waker(&self, task: u64) -> Arc<TaskWake> {
        Arc::new(TaskWake { task, queued: AtomicBool::new(false), ready: Arc::clone(&self.ready) })
    }

    /// Adds a task that can run and gives its number.
    pub(super) fn add(&self, future: LocalBoxFuture<'static, ()>) -> u64 {
        let task = self.last.get() + 1;
        self.last.set(task);
        let wake = self.waker(task);
        Arc::clone(&wake).wake();
        self.table.borrow_mut().insert(task, Task { future: Some(future), wake });
        task
    }

    /// The next task to run: mostly the one that has waited longest, sometimes any.
    pub(super) fn next(&self, rng: &mut Rng) -> Option<u64> {
        let mut ready = self.ready.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = ready.len() as u64;
        let index = if count > 1 && rng.chance(1, 4) { rng.below(count) as usize } else { 0 };
        let wake = ready.remove(index)?;
        wake.queued.store(false, Ordering::Relaxed);
        Some(wake.task)
    }

    /// Polls a task; nothing happens if it has ended or is being polled further up the stack.
    pub(super) fn poll(&self, task: u64) {
        let taken = self.table.borrow_mut().get_mut(&task).and_then(|task| {
            let future = task.future.take()?;
            Some((future, Waker::from(Arc::clone(&task.wake))))
        });
        let Some((mut future, waker)) = taken else { return };
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(()) => drop(self.table.borrow_mut().remove(&task)),
            Poll::Pending => {
                if let Some(entry) = self.table.borrow_mut().get_mut(&task) {
                    entry.future = Some(future);
                }
            }
        }
    }

    /// Drops every task. Their destructors may spawn or wake, so until nothing is left.
    pub(super) fn kill_all(&self) {
        loop {
            let tasks = std::mem::take(&mut *self.table.borrow_mut());
            if tasks.is_empty() {
                break;
            }
            drop(tasks);
        }
        let woken = std::mem::take(&mut *self.ready.0.lock().unwrap_or_else(PoisonError::into_inner));
        drop(woken);
    }
}
