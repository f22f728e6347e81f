//! The work of one turn: a loop that never has to wait must let others run all the same.

use crate::base::limits::CONNECTION_BYTES_PER_TURN;
use crate::runtime::Runtime;

/// Counts work, in bytes, and yields when it was enough.
pub(super) struct Turn<'a> {
    runtime: &'a dyn Runtime,
    spent: usize,
}

impl<'a> Turn<'a> {
    pub(super) fn new(runtime: &'a dyn Runtime) -> Self {
        Turn { runtime, spent: 0 }
    }

    /// Notes work that was done.
    pub(super) async fn spend(&mut self, bytes: usize) {
        self.spent += bytes;
        if self.spent >= CONNECTION_BYTES_PER_TURN {
            self.spent = 0;
            self.runtime.yield_now().await;
        }
    }
}
