//! What the tasks of a thread have in common, and what threads tell the one that waits for them.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use crate::client::{ClientError, Cluster};
use crate::measure::{Clock, Recorder, Tally, Timeline};
use crate::workload::Supplies;

/// What a thread tells.
#[derive(Debug)]
pub enum Message {
    /// All connections stand.
    Ready,
    /// An interval is over.
    Interval(u32, Box<Tally>),
    /// The thread's part is over, or has failed.
    Done(Result<(), ClientError>),
}

/// Counts that all threads share, so that consumers know when they have everything.
#[derive(Debug, Default)]
pub struct Progress {
    /// Records acknowledged.
    pub acked_records: AtomicU64,
    /// Records of this run that consumers got.
    pub consumed_records: AtomicU64,
    /// Threads whose producers are not done.
    pub producing_threads: AtomicUsize,
}

impl Progress {
    /// Whether nothing more will be acknowledged, and consumers have all that was.
    pub fn is_everything_consumed(&self) -> bool {
        self.producing_threads.load(Ordering::Acquire) == 0
            && self.consumed_records.load(Ordering::Acquire) >= self.acked_records.load(Ordering::Acquire)
    }
}

/// What all threads share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// What batches are made from, and the workload.
    pub supplies: Supplies,
    /// The parts of the run.
    pub timeline: Timeline,
    /// The cluster.
    pub cluster: Arc<Cluster>,
    /// The start, once all are ready.
    pub start: Arc<OnceLock<Instant>>,
    /// Set to end early.
    pub stop: Arc<AtomicBool>,
    /// Shared counts.
    pub progress: Arc<Progress>,
}

/// What the tasks of one thread share.
pub struct Context {
    /// What all threads share.
    pub shared: Shared,
    /// The run's clock.
    pub clock: Clock,
    /// The thread's recorder.
    pub recorder: Recorder,
    /// The first failure of a task; the thread then ends.
    pub failure: RefCell<Option<ClientError>>,
}

impl Context {
    /// Notes a task's failure.
    pub fn fail(&self, error: ClientError) {
        self.failure.borrow_mut().get_or_insert(error);
    }

    /// Whether the thread should end early.
    pub fn is_stopped(&self) -> bool {
        self.failure.borrow().is_some() || self.shared.stop.load(Ordering::Relaxed)
    }
}
