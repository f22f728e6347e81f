//! The shard's timers. glommio's own cost too much where there are many: each of its turns looks at all of them,
//! and polling one that has not fired registers it once more. Here any number of them stand behind one of
//! glommio's.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// All timers of one executor.
pub(super) struct Timers {
    started: Instant,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// By deadline and order of arrival.
    sleeping: BTreeMap<Key, Waker>,
    arrivals: u64,
    driver: Option<Waker>,
}

/// A deadline since the start, and which of several with the same.
type Key = (Duration, u64);

/// One timer; it is over at a given time, and forgotten when it is dropped.
pub(super) struct Sleep {
    timers: Rc<Timers>,
    key: Key,
}

impl Timers {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Timers { started: Instant::now(), state: RefCell::default() })
    }

    /// Time since the start.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// A timer that is over in `duration`: perhaps late, never early.
    pub(super) fn sleep(self: &Rc<Self>, duration: Duration) -> Sleep {
        let mut state = self.state.borrow_mut();
        state.arrivals += 1;
        let deadline = self.now().saturating_add(duration);
        Sleep { timers: Rc::clone(self), key: (deadline, state.arrivals) }
    }

    /// Starts the task that wakes the sleeping; it holds the timers until it is cancelled.
    pub(super) fn spawn_driver(self: &Rc<Self>) -> glommio::Task<()> {
        let timers = Rc::clone(self);
        let mut armed: Option<(Duration, glommio::timer::Timer)> = None;
        glommio::spawn_local(std::future::poll_fn(move |context| {
            timers.state.borrow_mut().driver = Some(context.waker().clone());
            loop {
                timers.wake_due();
                let next = timers.next_deadline();
                if armed.as_ref().map(|(deadline, _)| *deadline) == next && !timers.is_past(next) {
                    return Poll::Pending;
                }
                // Polled once, which registers it; dropped and made anew for another deadline.
                armed = next.map(|deadline| {
                    let left = deadline.saturating_sub(timers.now());
                    let mut timer = glommio::timer::Timer::new(left);
                    let _ = Pin::new(&mut timer).poll(context);
                    (deadline, timer)
                });
            }
        }))
    }

    fn wake_due(&self) {
        let now = self.now();
        loop {
            // Not borrowed while waking.
            let waker = {
                let mut state = self.state.borrow_mut();
                match state.sleeping.first_entry() {
                    Some(first) if first.key().0 <= now => first.remove(),
                    _ => return,
                }
            };
            waker.wake();
        }
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.state.borrow().sleeping.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    fn is_past(&self, deadline: Option<Duration>) -> bool {
        deadline.is_some_and(|deadline| deadline <= self.now())
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.timers.is_past(Some(self.key.0)) {
            return Poll::Ready(());
        }
        let mut state = self.timers.state.borrow_mut();
        let is_next = state.sleeping.first_key_value().is_none_or(|(first, _)| self.key < *first);
        match state.sleeping.get_mut(&self.key) {
            Some(waker) => waker.clone_from(context.waker()),
            None => {
                state.sleeping.insert(self.key, context.waker().clone());
            }
        }
        if is_next && let Some(driver) = &state.driver {
            driver.wake_by_ref();
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        // The driver is not told: it finds nothing due, once.
        let waker = self.timers.state.borrow_mut().sleeping.remove(&self.key);
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::super::testing::run_without_heartbeat;
    use super::*;

    #[test]
    fn timers_fire_by_deadline_and_leave_nothing_behind() {
        run_without_heartbeat(async {
            let timers = Timers::new();
            let driver = timers.spawn_driver();
            let fired = Rc::new(RefCell::new(Vec::new()));
            let sleepers = [30, 5, 20, 1].map(|millis| {
                let (sleep, fired) = (timers.sleep(Duration::from_millis(millis)), Rc::clone(&fired));
                glommio::spawn_local(async move {
                    sleep.await;
                    fired.borrow_mut().push(millis);
                })
            });
            let mut dropped = timers.sleep(Duration::from_secs(3600));
            for _ in 0..1000 {
                assert!((&mut dropped).now_or_never().is_none());
            }
            assert_eq!(timers.state.borrow().sleeping.len(), 5);
            drop(dropped);
            for sleeper in sleepers {
                sleeper.await;
            }
            assert_eq!(*fired.borrow(), [1, 5, 20, 30]);
            assert!(timers.state.borrow().sleeping.is_empty());
            driver.cancel().await;
        });
    }
}
