//! The simulated machine: what runs next, what time it is, and when power is lost.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use tokio::sync::oneshot;

use super::disk::{Disk, DiskOp, End};
use super::rng::Rng;
use super::tasks::{ROOT, Tasks};
use super::trace::Trace;
use crate::base::splitmix::mix;

/// Polls within one `block_on` after which the run counts as a livelock, unless the test sets another limit.
const POLLS_MAX_DEFAULT: u64 = 5_000_000;
/// How deep a spawned task may be polled inside its spawner.
const SPAWN_DEPTH_MAX: u32 = 4;

/// When power is to be lost, counted from the call that arms it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CrashPoint {
    /// Right after this many disk events. Submission and completion of every operation that changes the disk
    /// are one event each.
    DiskEvents(u64),
    /// After this much virtual time.
    After(Duration),
    /// Right after so many operations of a kind have succeeded: the moment that one sort of bug needs.
    Successes(DiskOp, u64),
}

enum Event {
    Timer(oneshot::Sender<()>),
    Disk(u64),
}

pub(super) struct Machine {
    pub(super) seed: u64,
    rng: RefCell<Rng>,
    pub(super) now: Cell<Duration>,
    /// What the wall clock showed when the machine's time began; a step of the clock changes it.
    pub(super) wall_start_ms: Cell<i64>,
    events: RefCell<BTreeMap<(Duration, u64), Event>>,
    last_number: Cell<u64>,
    tasks: Tasks,
    spawn_depth: Cell<u32>,
    pub(super) polls_max: Cell<u64>,
    pub(super) disk: Disk,
    pub(super) boot: Cell<u64>,
    powered: Cell<bool>,
    pub(super) disk_events: Cell<u64>,
    pub(super) crash_at_event: Cell<Option<u64>>,
    pub(super) crash_at_time: Cell<Option<Duration>>,
    /// The kind, and how many more of it.
    pub(super) crash_at_success: Cell<Option<(DiskOp, u64)>>,
    pub(super) trace: RefCell<Trace>,
}

impl Machine {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(mix(seed));
        let wall_start_ms = 1_700_000_000_000 + rng.below(1_000_000_000) as i64;
        Machine {
            seed,
            rng: RefCell::new(rng),
            now: Cell::new(Duration::ZERO),
            wall_start_ms: Cell::new(wall_start_ms),
            events: RefCell::default(),
            last_number: Cell::new(0),
            tasks: Tasks::default(),
            spawn_depth: Cell::new(0),
            polls_max: Cell::new(POLLS_MAX_DEFAULT),
            disk: Disk::default(),
            boot: Cell::new(0),
            powered: Cell::new(true),
            disk_events: Cell::new(0),
            crash_at_event: Cell::new(None),
            crash_at_time: Cell::new(None),
            crash_at_success: Cell::new(None),
            trace: RefCell::default(),
        }
    }

    pub(super) fn random_u64(&self) -> u64 {
        self.rng.borrow_mut().next_u64()
    }

    pub(super) fn random_below(&self, bound: u64) -> u64 {
        self.rng.borrow_mut().below(bound)
    }

    pub(super) fn wall_clock_ms(&self) -> i64 {
        self.wall_start_ms.get() + self.now.get().as_millis() as i64
    }

    /// Runs until `root` is done (`Some`) or power is lost (`None`).
    pub(super) fn run<T>(&self, root: impl Future<Output = T>) -> Option<T> {
        let mut root = Box::pin(root);
        let wake = self.tasks.waker(ROOT);
        let waker = Waker::from(wake);
        waker.wake_by_ref();
        for _ in 0..self.polls_max.get() {
            if let Some(task) = self.next_task() {
                self.record("poll", "", task);
                if task != ROOT {
                    self.tasks.poll(task);
                } else if let Poll::Ready(output) = root.as_mut().poll(&mut Context::from_waker(&waker))
                    && self.powered.get()
                {
                    return Some(output);
                }
                let polled_ns = self.random_below(2000);
                self.now.set(self.now.get() + Duration::from_nanos(polled_ns));
            }
            if !self.powered.get() {
                drop(root);
                self.crash();
                return None;
            }
        }
        panic!("livelock: no end after {} polls (seed {})", self.polls_max.get(), self.seed);
    }

    /// The next task that can run, after letting as much time pass as that takes. `None` if power is lost first.
    fn next_task(&self) -> Option<u64> {
        loop {
            let next_event = self.events.borrow().first_key_value().map(|(&(time, _), _)| time);
            let due = next_event.filter(|&time| time <= self.now.get());
            self.check_crash_time(self.now.get());
            if !self.powered.get() {
                return None;
            }
            if due.is_none()
                && let Some(task) = self.tasks.next(&mut self.rng.borrow_mut())
            {
                return Some(task);
            }
            match (next_event, self.crash_at_time.get()) {
                (Some(time), crash) if crash.is_none_or(|crash| time < crash) => self.fire_next(),
                (_, Some(crash)) => self.now.set(crash.max(self.now.get())),
                _ => panic!("deadlock: nothing can run and no timer is set (seed {})", self.seed),
            }
        }
    }

    fn fire_next(&self) {
        let Some(((time, number), event)) = self.events.borrow_mut().pop_first() else { return };
        self.now.set(time.max(self.now.get()));
        match event {
            Event::Timer(sender) => {
                self.record("timer", "", number);
                // The sleeper may have been dropped in this very moment.
                let _ = sender.send(());
            }
            Event::Disk(operation) => {
                let (op, succeeded) = self.disk.complete(operation, &mut self.rng.borrow_mut());
                self.record(if succeeded { "finish" } else { "fail" }, op.name(), operation);
                self.count_disk_event(op);
                if succeeded {
                    self.count_success(op);
                }
            }
        }
    }

    pub(super) fn spawn(&self, task: LocalBoxFuture<'static, ()>) {
        let task = self.tasks.add(task);
        // The real executor polls a new task at once, inside the spawner; a task must bear both.
        let depth = self.spawn_depth.get();
        if depth < SPAWN_DEPTH_MAX && self.random_below(2) == 0 {
            self.spawn_depth.set(depth + 1);
            self.record("poll", "spawned", task);
            self.tasks.poll(task);
            self.spawn_depth.set(depth);
        }
    }

    pub(super) fn sleep(self: &Rc<Self>, duration: Duration) -> LocalBoxFuture<'static, ()> {
        let (sender, receiver) = oneshot::channel();
        let key = (self.now.get().saturating_add(duration), self.next_number());
        if self.powered.get() {
            self.events.borrow_mut().insert(key, Event::Timer(sender));
        }
        let timer = Timer { machine: Rc::clone(self), key };
        async move {
            let _timer = timer;
            answer(receiver).await;
        }
        .boxed_local()
    }

    /// Hands an operation to the disk: `effect` happens when it ends, which is seeded virtual time later, also
    /// if nobody awaits the result any more.
    pub(super) fn submit<T: 'static>(
        &self,
        op: DiskOp,
        path: &Rc<Path>,
        effect: impl FnOnce(&mut Rng, u64, End) -> io::Result<T> + 'static,
    ) -> (u64, LocalBoxFuture<'static, io::Result<T>>) {
        let (sender, receiver) = oneshot::channel();
        let operation = self.next_number();
        if self.powered.get() {
            self.record("submit", op.name(), operation);
            let effect = move |rng: &mut Rng, end: End| {
                let result = effect(rng, operation, end);
                let succeeded = result.is_ok();
                // Whoever waited may be gone.
                let _ = sender.send(result);
                succeeded
            };
            self.disk.begin(operation, op, Rc::clone(path), Box::new(effect));
            let time = self.now.get() + self.latency(path);
            self.events.borrow_mut().insert((time, operation), Event::Disk(operation));
            self.count_disk_event(op);
        }
        (operation, answer(receiver).boxed_local())
    }

    /// Mostly tens of microseconds, now and then milliseconds; more where a device was slowed down.
    fn latency(&self, path: &Path) -> Duration {
        let slow = self.random_below(32) == 0;
        let usual = Duration::from_nanos(10_000 + self.random_below(if slow { 5_000_000 } else { 150_000 }));
        usual + self.disk.devices.delay(path, self.now.get(), &mut self.rng.borrow_mut())
    }

    fn count_disk_event(&self, op: DiskOp) {
        if op.changes_disk() {
            self.disk_events.set(self.disk_events.get() + 1);
            self.check_crash_event();
        }
    }

    fn count_success(&self, op: DiskOp) {
        match self.crash_at_success.get().filter(|(kind, _)| *kind == op) {
            Some((_, 0 | 1)) => self.powered.set(false),
            Some((_, left)) => self.crash_at_success.set(Some((op, left - 1))),
            None => {}
        }
    }

    pub(super) fn check_crash_event(&self) {
        if self.crash_at_event.get().is_some_and(|at| self.disk_events.get() >= at) {
            self.powered.set(false);
        }
    }

    pub(super) fn check_crash_time(&self, now: Duration) {
        if self.crash_at_time.get().is_some_and(|at| now >= at) {
            self.powered.set(false);
        }
    }

    /// Loses power, kills all tasks, and starts the next boot from what the disk has kept.
    pub(super) fn crash(&self) {
        self.powered.set(false);
        self.disk.crash(&mut self.rng.borrow_mut());
        self.stop();
        self.crash_at_event.set(None);
        self.crash_at_time.set(None);
        self.crash_at_success.set(None);
        self.boot.set(self.boot.get() + 1);
        self.record("crash", "", self.boot.get());
        let downtime = Duration::from_millis(self.random_below(10_000));
        self.now.set(self.now.get() + downtime);
        self.powered.set(true);
    }

    /// Drops every task and everything that they wait for.
    pub(super) fn stop(&self) {
        self.tasks.kill_all();
        let events = std::mem::take(&mut *self.events.borrow_mut());
        drop(events);
    }

    fn next_number(&self) -> u64 {
        self.last_number.set(self.last_number.get() + 1);
        self.last_number.get()
    }

    pub(super) fn record(&self, event: &str, detail: &str, number: u64) {
        self.trace.borrow_mut().record(self.now.get(), event, detail, number);
    }
}

/// A sleep; one that is dropped early must not make time pass.
struct Timer {
    machine: Rc<Machine>,
    key: (Duration, u64),
}

impl Drop for Timer {
    fn drop(&mut self) {
        let event = self.machine.events.borrow_mut().remove(&self.key);
        drop(event);
    }
}

/// The answer, or nothing for ever if power is lost before it comes.
async fn answer<T>(receiver: oneshot::Receiver<T>) -> T {
    match receiver.await {
        Ok(answer) => answer,
        Err(_) => pending().await,
    }
}
