//! Tasks that somebody waits for: a task that is still suspended when its executor ends is leaked.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;

use crate::runtime::Runtime;

/// A group of running tasks.
#[derive(Clone, Default)]
pub struct Tasks(Rc<Group>);

#[derive(Default)]
struct Group {
    running: Cell<usize>,
    ended: Notify,
}

/// Counts a task for as long as it lives.
struct Running(Rc<Group>);

impl Tasks {
    /// Runs a task in the group.
    pub fn spawn(&self, runtime: &dyn Runtime, task: impl Future<Output = ()> + 'static) {
        self.0.running.set(self.0.running.get() + 1);
        let running = Running(Rc::clone(&self.0));
        runtime.spawn(Box::pin(async move {
            let _running = running;
            task.await;
        }));
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.0.running.get()
    }

    /// Waits until none runs.
    pub async fn finished(&self) {
        loop {
            let ended = self.0.ended.notified();
            if self.running() == 0 {
                return;
            }
            ended.await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.set(self.0.running.get() - 1);
        if self.0.running.get() == 0 {
            self.0.ended.notify_waiters();
        }
    }
}
