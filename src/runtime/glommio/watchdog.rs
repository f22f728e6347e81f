//! Wakes executors that have parked although tasks can run.
//!
//! glommio's executor parks after a turn in which it was preempted before it ran anything, whatever waits in its queues,
//! and goes on at the next event. Where other processes take the CPU that happens, and then there may be no next event:
//! in the very first turn no task has run that could have asked for one, and later each timer that fires may be left
//! behind in the same way. So a thread of the process looks at all executors, and those that did not beat since it
//! looked last get a signal, which ends their wait in the kernel (EINTR). One that beats costs nothing.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// How often the thread looks: an executor that nothing else wakes pauses for twice this at most.
const PERIOD: Duration = Duration::from_millis(100);

/// Ignored by default and used by nobody else, for which Go's runtime has chosen it to preempt its threads.
const SIGNAL: i32 = libc::SIGURG;

static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

struct Watched {
    thread: libc::pthread_t,
    beats: Arc<AtomicU64>,
    seen: u64,
}

/// While it lives, the executor of the thread that made it is watched. Made before the executor's first turn.
pub(super) struct Watch {
    thread: libc::pthread_t,
    beats: Arc<AtomicU64>,
}

impl Watch {
    /// Watches the thread that calls. An error: the process cannot have a thread or a signal for it.
    pub(super) fn begin() -> io::Result<Watch> {
        start_thread()?;
        // SAFETY: no preconditions.
        let thread = unsafe { libc::pthread_self() };
        let beats = Arc::new(AtomicU64::new(0));
        watched().push(Watched { thread, beats: Arc::clone(&beats), seen: 0 });
        Ok(Watch { thread, beats })
    }

    /// Says that tasks run; more often than the thread looks.
    pub(super) fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        watched().retain(|it| !Arc::ptr_eq(&it.beats, &self.beats));
        // The thread that ends must be the one that was watched: the lock then keeps its number valid while it is used.
        // SAFETY: no preconditions.
        debug_assert_eq!(self.thread, unsafe { libc::pthread_self() });
    }
}

fn watched() -> MutexGuard<'static, Vec<Watched>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Once for the process, which it lives as long as.
fn start_thread() -> io::Result<()> {
    static STARTED: OnceLock<Result<(), io::ErrorKind>> = OnceLock::new();
    let start = || {
        // A signal that nobody handles is dropped before it could end a wait. Calls that know how to go on after it do
        // (SA_RESTART); io_uring_enter does not.
        // SAFETY: the handler does nothing, so it may run anywhere.
        unsafe { signal_hook::low_level::register(SIGNAL, || ()) }?;
        let thread = std::thread::Builder::new().name("watchdog".to_owned());
        thread.spawn(look_for_ever).map(|_| ())
    };
    let started = STARTED.get_or_init(|| start().map_err(|error| error.kind()));
    started.map_err(|kind| io::Error::new(kind, "no watchdog for the shards' executors"))
}

fn look_for_ever() {
    loop {
        std::thread::sleep(PERIOD);
        for it in watched().iter_mut() {
            let beats = it.beats.load(Ordering::Relaxed);
            if beats == it.seen {
                // SAFETY: the thread lives, since it takes itself out of the list before it ends.
                unsafe { libc::pthread_kill(it.thread, SIGNAL) };
            }
            it.seen = beats;
        }
    }
}
