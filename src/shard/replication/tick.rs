//! Time passes: leaders look who lags, and what waits for a better moment to be said is said.

use std::rc::Rc;
use std::time::Duration;

use crate::base::limits::{PARTITIONS_PER_TURN, REPLICATION_TICK_MS};
use crate::replication::Stream;
use crate::shard::replica::Replica;
use crate::shard::shard::Shard;

impl Shard {
    /// Lets time pass for replication until the shard stops. A node on its own whose partitions have one copy each is not
    /// woken for that.
    pub(in crate::shard) async fn tick_replication(self: Rc<Self>) {
        let pause = Duration::from_millis(REPLICATION_TICK_MS);
        let mut has_failed = self.replication.has_failed();
        while self.until_time_matters().await && self.until(self.runtime.sleep(pause)).await {
            if self.replication.has_failed() && !std::mem::replace(&mut has_failed, true) {
                self.metadata.failed(self.id);
            }
            let led: Vec<Rc<Replica>> = self.replication.led.borrow().values().cloned().collect();
            for some in led.chunks(PARTITIONS_PER_TURN) {
                let now_ms = self.replication.now_ms();
                for replica in some {
                    self.replication
                        .with_leader(replica, |leading, effects| leading.leader.tick(now_ms, effects));
                }
                if led.len() > PARTITIONS_PER_TURN {
                    self.runtime.yield_now().await;
                }
            }
            self.replication.try_again();
            for incoming in self.replication.all_incoming() {
                for stream in [Stream::Live, Stream::CatchUp] {
                    if incoming.lane(stream).borrow_mut().tick() {
                        incoming.wake(stream).notify_waiters();
                    }
                }
            }
        }
    }

    /// `false` when the shard stops before.
    async fn until_time_matters(&self) -> bool {
        loop {
            let done = self.replication.duties_are_done.notified();
            if self.config.cluster.is_some() || self.replication.has_part() {
                return true;
            }
            if !self.until(done).await {
                return false;
            }
        }
    }
}
