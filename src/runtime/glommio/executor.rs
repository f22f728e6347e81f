//! Starting a shard's thread. The settings are those that measurements asked for; each says what it prevents.

use std::future::Future;
use std::io;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use glommio::{LocalExecutorBuilder, Placement, PoolPlacement};

use super::host::GlommioRuntime;
use super::ring::Ring;
use super::timers::Timers;
use super::watchdog::Watch;
use crate::runtime::Runtime;

/// A busy executor notices timers, its disk ring and other cores' messages this late at most. An idle one sets this
/// timer anew in each turn: at 1 ms, below the kernel's own tick, that takes a tenth of a lone request's time.
const PREEMPT_TIMER: Duration = Duration::from_millis(3);

/// An executor may park although tasks can run, if it was preempted before it ran anything; it goes on at the
/// next wake. The first of these timers bounds the pause. When it was that timer's own task that was left behind,
/// which happens where other processes take the CPU, the next one wakes the executor, and so on: a task that was
/// left behind has no timer. When all were, the watchdog is left.
const HEARTBEATS_MS: [u64; 3] = [5, 25, 50];

/// Threads for calls that block (open, rename, sync of a directory); not pinned to the shard's core.
const BLOCKING_THREADS: usize = 2;

/// A running shard thread.
pub struct ShardThread<T: Send + 'static>(JoinHandle<io::Result<T>>);

impl<T: Send + 'static> ShardThread<T> {
    /// Waits for the shard's end and gives what its future gave. An error: the shard could not start, or panicked.
    pub fn join(self) -> io::Result<T> {
        self.0.join().unwrap_or_else(|panic| {
            let what = panic.downcast_ref::<String>().map(String::as_str);
            let what = what.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it says no more");
            Err(io::Error::other(format!("the shard's thread panicked: {what}")))
        })
    }
}

/// Starts a thread named `name`, pinned to the CPU `cpu`, that runs the future made by `main` to its end. The
/// future is made on the thread and never leaves it. Tasks that are still suspended when it ends are leaked, so
/// `main` ends its tasks first; disk operations in flight are completed.
pub fn spawn_shard<T, F>(
    cpu: usize,
    name: &str,
    main: impl FnOnce(Rc<dyn Runtime>) -> F + Send + 'static,
) -> io::Result<ShardThread<T>>
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
{
    // Not glommio's own thread, which runs nothing of ours before the executor's first turn.
    let thread = std::thread::Builder::new().name(name.to_owned());
    Ok(ShardThread(thread.spawn(move || run_on(Placement::Fixed(cpu), PREEMPT_TIMER, main))?))
}

/// Runs the future made by `main` to its end on the calling thread, which is not pinned; for tests, measurements
/// and commands that do one thing.
pub fn run_here<T, F>(main: impl FnOnce(Rc<dyn Runtime>) -> F) -> io::Result<T>
where
    F: Future<Output = T> + 'static,
{
    run_on(Placement::Unbound, PREEMPT_TIMER, main)
}

fn run_on<T, F>(
    placement: Placement,
    preempt_timer: Duration,
    main: impl FnOnce(Rc<dyn Runtime>) -> F,
) -> io::Result<T>
where
    F: Future<Output = T> + 'static,
{
    // Before the executor's first turn, which may be the one that needs it.
    let watch = Watch::begin()?;
    let executor = LocalExecutorBuilder::new(placement)
        .preempt_timer(preempt_timer)
        // A core that spins while its disk syncs takes the time from the kernel's own work for the sync.
        .spin_before_park(Duration::ZERO)
        .blocking_thread_pool_placement(PoolPlacement::Unbound(BLOCKING_THREADS))
        // Memory for glommio's own files, of which there are none.
        .io_memory(0);
    executor.make()?.run(with_runtime(watch, main))
}

async fn with_runtime<T, F>(watch: Watch, main: impl FnOnce(Rc<dyn Runtime>) -> F) -> io::Result<T>
where
    F: Future<Output = T> + 'static,
{
    let watch = Rc::new(watch);
    let ring = Ring::new()?;
    let reaper = ring.spawn_reaper()?;
    let heartbeats: Vec<_> =
        HEARTBEATS_MS.into_iter().map(|period_ms| spawn_heartbeat(&ring, &watch, period_ms)).collect();
    let timers = Timers::new();
    let driver = timers.spawn_driver();
    let output = main(Rc::new(GlommioRuntime::new(Rc::clone(&ring), timers))).await;
    driver.cancel().await;
    for heartbeat in heartbeats {
        heartbeat.cancel().await;
    }
    reaper.cancel().await;
    ring.finish();
    Ok(output)
}

fn spawn_heartbeat(ring: &Rc<Ring>, watch: &Rc<Watch>, period_ms: u64) -> glommio::Task<()> {
    let (ring, watch) = (Rc::clone(ring), Rc::clone(watch));
    glommio::spawn_local(async move {
        loop {
            glommio::timer::sleep(Duration::from_millis(period_ms)).await;
            // Costs a look at memory, and no lost wake can then stop the disk for good.
            ring.reap();
            watch.beat();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So short that most turns end before they have run anything. What does not look after its first turn hangs in one
    /// of these rounds.
    const SHORT: Duration = Duration::from_micros(20);

    #[test]
    fn a_runtime_starts_and_works_though_its_turns_end_before_they_run_anything() {
        for round in 0..100 {
            let answer = run_on(Placement::Unbound, SHORT, |runtime| async move {
                runtime.sleep(Duration::from_micros(50)).await;
                runtime.yield_now().await;
                round
            });
            assert_eq!(answer.unwrap(), round);
        }
    }
}
