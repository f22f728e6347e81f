//! Lets one task of a thread wait until another has done something.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// One task waits, others wake it.
#[derive(Default)]
pub struct Event(RefCell<Option<Waker>>);

impl Event {
    /// Wakes the task that waits.
    pub fn notify(&self) {
        // Taken out first: waking may poll the task, which then waits again.
        let waker = self.0.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits until `is_ready` gives something; asked again after each notification.
    pub async fn wait<T>(&self, mut is_ready: impl FnMut() -> Option<T>) -> T {
        poll_fn(|context| match is_ready() {
            Some(value) => Poll::Ready(value),
            None => {
                *self.0.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}
