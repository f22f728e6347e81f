//! A thread with a Tokio runtime for what the ordinary ecosystem serves, beside the shards and never on their cores if
//! there are others.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::Instant;

/// Starts a thread that runs the future made by `main` to its end, on one CPU if `cpu` says so. The future is made
/// inside of the runtime, on the thread.
pub fn spawn_tokio<F: Future<Output = ()>>(
    name: &str,
    cpu: Option<usize>,
    main: impl FnOnce() -> F + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let name = name.to_owned();
    thread::Builder::new().name(name.clone()).spawn(move || {
        if let Some(id) = cpu
            && !core_affinity::set_for_current(core_affinity::CoreId { id })
        {
            tracing::warn!(thread = name, cpu = id, "a thread could not be pinned to its CPU");
        }
        runtime.block_on(async { main().await });
    })
}

/// What a future gives within this time, on such a thread; `None` if that is not enough.
pub async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, future).await.ok()
}

/// Waits, on such a thread.
pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Time since a moment, on such a thread.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// That moment is now.
    pub fn start() -> Self {
        Stopwatch(Instant::now())
    }

    /// Milliseconds since. They never get fewer.
    pub fn elapsed_ms(&self) -> u64 {
        self.0.elapsed().as_millis() as u64
    }
}

/// Runs a future on such a runtime, on the calling thread. While everything waits, time passes at once.
#[cfg(test)]
pub(crate) fn run_in_virtual_time<T>(future: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(future)
}
